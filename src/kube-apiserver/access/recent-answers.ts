import { createHash } from 'node:crypto';
import type { Clock } from '../../machinery/time/clock.ts';
import { BoundedWaits } from './bounded-waits.ts';

const mostAnswers = 4_096;
/** In characters of JSON. Longer answers are not cached, so that the cache stays small. */
const longestAnswer = 16_384;

/** Caches responses of another server for a while. Concurrent calls with one key share a request. */
export class RecentAnswers<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { readonly value: T; readonly until: number }>();
  readonly #waits = new BoundedWaits();
  readonly #asking = new Map<string, Promise<T>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Not cached if `ttlMs` is 0. Rejections are not cached either. Rejects while too many requests wait. */
  async get(question: string, ask: () => Promise<{ readonly value: T; readonly ttlMs: number }>): Promise<T> {
    // Callers choose its length.
    const key = createHash('sha256').update(question).digest('base64');
    const recent = this.#answers.get(key);
    if (recent && recent.until > this.#clock.monotonic()) return recent.value;
    return this.#waits.wait(() => this.#asking.get(key) ?? this.#ask(key, ask));
  }

  #ask(key: string, ask: () => Promise<{ readonly value: T; readonly ttlMs: number }>): Promise<T> {
    const asked = ask().then(({ value, ttlMs }) => {
      this.#keep(key, value, ttlMs);
      return value;
    });
    const done = asked.finally(() => this.#asking.delete(key));
    this.#asking.set(key, done);
    return done;
  }

  #keep(key: string, value: T, ttlMs: number): void {
    this.#answers.delete(key);
    if (ttlMs <= 0 || (JSON.stringify(value)?.length ?? 0) > longestAnswer) return;
    if (this.#answers.size >= mostAnswers) this.#answers.delete(this.#answers.keys().next().value as string);
    this.#answers.set(key, { value, until: this.#clock.monotonic() + ttlMs });
  }
}
