declare function setImmediate(callback: () => void): void;

/** Resolves after everything else that waits for the event loop had its turn. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
