// The interval of the repairs, which is Kubernetes'.

import type { Clock } from '../../machinery/time/clock.ts';

export const repairEveryMs = 180_000;

/** Calls `work` at an interval, until the returned function is called. */
export function repeat(clock: Clock, ms: number, work: () => void): () => void {
  const again = () => clock.after(ms, tick, { background: true });
  let timer = again();
  function tick() {
    timer = again();
    work();
  }
  return () => timer.cancel();
}
