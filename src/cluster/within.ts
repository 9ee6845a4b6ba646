import type { Clock } from '../machinery/time/clock.ts';

/** Undefined when `ms` milliseconds pass first. The work itself goes on. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = clock.sleep(ms, over.signal).then(
    () => undefined,
    () => undefined,
  );
  return Promise.race([work, late]).finally(() => over.abort());
}
