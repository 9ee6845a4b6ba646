declare function setImmediate(callback: () => void): void;

/** Resolves after all other pending work had a turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let last: Promise<void> = Promise.resolve();

/** Same, for many concurrent callers: each gets a separate turn. */
export const ownTurn = (): Promise<void> => (last = last.then(nextTurn));
