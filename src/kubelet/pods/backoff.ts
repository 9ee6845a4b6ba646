// Exponential back-off by key, as the kubelet uses it for restarts and image pulls.

interface State {
  delayMs: number;
  /** When the wait began. */
  sinceMs: number;
}

/**
 * The first failure waits `initialMs`, each further one twice as long up to `maxMs`; resets after 2 x maxMs without
 * failure.
 */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  /** Made with the first failure: most have none. */
  #states: Map<string, State> | undefined;

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds still to wait after something that happened at `eventMs`; 0: go on. */
  remaining(key: string, eventMs: number, nowMs: number): number {
    const state = this.#states?.get(key);
    if (!state || nowMs - eventMs > 2 * this.#maxMs) return 0;
    return Math.max(0, eventMs + state.delayMs - nowMs);
  }

  delayMs(key: string): number {
    return this.#states?.get(key)?.delayMs ?? 0;
  }

  /** A try begins now: the next one waits twice as long. */
  next(key: string, nowMs: number): void {
    const states = (this.#states ??= new Map());
    const state = states.get(key);
    const fresh = !state || nowMs - state.sinceMs > 2 * this.#maxMs;
    states.set(key, {
      delayMs: fresh ? this.#initialMs : Math.min(state.delayMs * 2, this.#maxMs),
      sinceMs: nowMs,
    });
  }

  reset(key: string): void {
    this.#states?.delete(key);
  }

  /** Resets all keys that begin with `prefix`. */
  forget(prefix: string): void {
    for (const key of this.#states?.keys() ?? []) if (key.startsWith(prefix)) this.#states?.delete(key);
  }
}

/** As Go prints a duration of whole seconds: 10s, 1m20s, 5m0s. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
