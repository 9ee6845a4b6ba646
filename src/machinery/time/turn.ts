import type { Clock } from './clock.ts';

declare function setImmediate(callback: () => void): void;

/** Resolves after all other pending work had a turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let last: Promise<void> = Promise.resolve();

/** Same, for many concurrent callers: each gets a separate turn. */
export const ownTurn = (): Promise<void> => (last = last.then(nextTurn));

/** Work of one turn after which other work gets the next one. */
const longestTurnMs = 10;
const starts = new WeakMap<Pick<Clock, 'monotonic'>, number>();

/** Whether work that asks so has taken its share of this turn of the event loop. Virtual time stands still: it never has. */
export function isTurnOver(clock: Pick<Clock, 'monotonic'>): boolean {
  const startedMs = starts.get(clock);
  if (startedMs !== undefined) return clock.monotonic() - startedMs > longestTurnMs;
  starts.set(clock, clock.monotonic());
  setImmediate(() => starts.delete(clock));
  return false;
}

/** Continues in another turn if this one is over: for loops whose length users decide. */
export async function pause(clock: Pick<Clock, 'monotonic'>): Promise<void> {
  if (isTurnOver(clock)) await ownTurn();
}
