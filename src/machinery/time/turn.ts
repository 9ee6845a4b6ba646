import type { Clock } from './clock.ts';

declare function setImmediate(callback: () => void): void;

/** Resolves after all other pending work had a turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let last: Promise<void> = Promise.resolve();

/** Same, for many concurrent callers: each gets a separate turn. */
export const ownTurn = (): Promise<void> => (last = last.then(nextTurn));

/** Work of one turn after which other work gets the next one. */
const longestTurnMs = 10;
/** Callers of a gate for each reading of the clock. */
const readEvery = 32;
const starts = new WeakMap<Pick<Clock, 'monotonic'>, number>();

/** Whether work that asks so has taken its share of this turn of the event loop. Virtual time stands still: it never has. */
export function isTurnOver(clock: Pick<Clock, 'monotonic'>, mostMs: number = longestTurnMs): boolean {
  const startedMs = starts.get(clock);
  if (startedMs !== undefined) return clock.monotonic() - startedMs > mostMs;
  starts.set(clock, clock.monotonic());
  setImmediate(() => starts.delete(clock));
  return false;
}

/** Continues in another turn if this one is over: for loops whose length users decide. */
export async function pause(clock: Pick<Clock, 'monotonic'>): Promise<void> {
  if (isTurnOver(clock)) await ownTurn();
}

/** Lets callers pass in their order: at once, or in later turns when there are more than one turn can take. */
export class TurnGate {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #waiting: (() => void)[] = [];
  #isBehind = false;
  #passed = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Undefined: the caller goes on at once. */
  pass(): Promise<void> | undefined {
    // The clock is read now and then: most turns are short.
    if (!this.#isBehind && (++this.#passed % readEvery > 0 || !isTurnOver(this.#clock))) return undefined;
    const passed = new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (!this.#isBehind) void this.#catchUp();
    return passed;
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = true;
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const passes of waiting) {
        while (isTurnOver(this.#clock)) await nextTurn();
        passes();
        // First comes the work of the caller.
        await undefined;
      }
    }
    this.#isBehind = false;
  }
}
