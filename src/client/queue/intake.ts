import type { Clock } from '../../machinery/time/clock.ts';
import { isTurnOver, pause } from '../../machinery/time/turn.ts';

/** Takes items in order: at once, or in later turns when there are more than one turn of the event loop can take. */
export class Intake<T> {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Must not throw. */
  readonly #take: (item: T) => void;
  readonly #stop: AbortSignal;
  #waiting: T[] = [];
  #isBehind = false;

  constructor(clock: Pick<Clock, 'monotonic'>, take: (item: T) => void, stop: AbortSignal) {
    this.#clock = clock;
    this.#take = take;
    this.#stop = stop;
  }

  add(item: T): void {
    if (!this.#isBehind && !isTurnOver(this.#clock)) return this.#take(item);
    this.#waiting.push(item);
    if (!this.#isBehind) void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = true;
    while (this.#waiting.length > 0 && !this.#stop.aborted) {
      const items = this.#waiting;
      this.#waiting = [];
      for (const item of items) {
        await pause(this.#clock);
        if (this.#stop.aborted) return;
        this.#take(item);
      }
    }
    this.#isBehind = false;
  }
}
