// Exponential back-off by key, as Kubernetes' flowcontrol.Backoff: restarts of containers, image pulls, daemon pods.

/** The delay of one key. */
export interface Delay {
  readonly delayMs: number;
  /** When the wait began. */
  readonly sinceMs: number;
}

/** The first failure waits `firstMs`, each further one twice as long up to `longestMs`. */
export interface DelayLimits {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Milliseconds still to wait after something that happened at `eventMs`; 0: go on. Resets after 2 x longestMs. */
export function remainingMs(
  delay: Delay | undefined,
  eventMs: number,
  nowMs: number,
  { longestMs }: DelayLimits,
): number {
  if (!delay || nowMs - eventMs > 2 * longestMs) return 0;
  return Math.max(0, eventMs + delay.delayMs - nowMs);
}

/** A try begins now: the next one waits twice as long. */
export function nextDelay(delay: Delay | undefined, nowMs: number, { firstMs, longestMs }: DelayLimits): Delay {
  const isFresh = !delay || nowMs - delay.sinceMs > 2 * longestMs;
  return { delayMs: isFresh ? firstMs : Math.min(delay.delayMs * 2, longestMs), sinceMs: nowMs };
}
