declare function setImmediate(callback: () => void): void;

/** Resolves after everything else that waits for the event loop had its turn. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let last: Promise<void> = Promise.resolve();

/** The same for work of which there may be much at one time: each who asks gets a turn of its own. */
export const ownTurn = (): Promise<void> => (last = last.then(nextTurn));
