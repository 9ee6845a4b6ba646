// Which run of a container comes next, and when. Pure.

import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { allNamed, named } from '../../machinery/collections/by-name.ts';
import type { Delay, DelayLimits } from '../../machinery/time/backoff.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import type { ContainerWait } from '../status/status-inputs.ts';
import type { RuntimePod } from './pod-actions.ts';

export const restartDelays: DelayLimits = { firstMs: 10_000, longestMs: 300_000 };

interface NextRun {
  readonly attempt: number;
  /** Earlier runs that are no longer kept. */
  readonly removes: readonly ContainerStatus[];
}

/** `last` is the newest run that the runtime has. */
export function nextRun(pod: Pod, name: string, runtime: RuntimePod, last: ContainerStatus | undefined): NextRun {
  // A created container that never started takes no number.
  if (last?.state === 'created') return { attempt: last.attempt, removes: [last] };
  // Only the last run is kept, for `logs --previous`.
  const removes = allNamed(runtime.containers, name).filter((old) => old !== last && old.state === 'exited');
  if (last) return { attempt: last.attempt + 1, removes };
  const reported = named(pod.status?.containerStatuses, name) ?? named(pod.status?.initContainerStatuses, name);
  // Without an id it was removed in order to be restarted, and is counted already.
  const attempt = (reported?.restartCount ?? 0) + (reported?.containerID === undefined ? 0 : 1);
  return { attempt, removes };
}

/** The container's state while it waits for its restart, and the message of the event. */
export function crashLoop(
  { metadata }: Pod,
  name: string,
  { delayMs }: Delay,
): { readonly wait: ContainerWait; readonly message: string } {
  const where = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
  const message = `back-off ${formatDuration(delayMs)} restarting failed container=${name} pod=${where}`;
  return {
    wait: { reason: 'CrashLoopBackOff', message },
    message: `Back-off restarting failed container ${name} in pod ${where}`,
  };
}
