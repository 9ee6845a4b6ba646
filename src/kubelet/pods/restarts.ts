// The number and time of a container's next run.

import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { allNamed, named } from '../../machinery/collections/by-name.ts';
import { removeLog } from '../logs/log-files.ts';
import type { KubeletTools } from '../tools.ts';
import { type Backoff, goDuration } from './backoff.ts';
import type { RuntimePod } from './pod-actions.ts';

/** One more than any run in the runtime or the API. A created container that never started is removed. */
export async function nextAttempt(
  pod: Pod,
  name: string,
  runtime: RuntimePod,
  last: ContainerStatus | undefined,
  tools: KubeletTools,
): Promise<number> {
  if (last?.state === 'created') {
    await tools.runtime.removeContainer(last.id);
    return last.attempt;
  }
  // Only the last run of a container is kept, for `logs --previous`.
  for (const old of allNamed(runtime.containers, name))
    if (old !== last && old.state === 'exited') {
      await tools.runtime.removeContainer(old.id);
      if (tools.config.usesFilesystem) await removeLog({ root: tools.config.podLogsDirectory, file: old.logPath });
    }
  const reported = named(pod.status?.containerStatuses, name) ?? named(pod.status?.initContainerStatuses, name);
  if (last) return last.attempt + 1;
  // Without an id it was removed to be started again, and counted then.
  return (reported?.restartCount ?? 0) + (reported?.containerID === undefined ? 0 : 1);
}

export interface RestartWait {
  readonly ms: number;
  /** The container's state meanwhile. */
  readonly waiting: { readonly reason: string; readonly message: string };
}

/** How long a container that ended still waits before it is started again; undefined: it starts now. */
export function restartWait(
  { metadata }: Pod,
  name: string,
  last: ContainerStatus | undefined,
  backoff: Backoff,
  { clock, events }: Pick<KubeletTools, 'clock' | 'events'>,
): RestartWait | undefined {
  if (last?.state !== 'exited') return undefined;
  const ms = backoff.remaining(name, last.finishedAt, clock.now());
  if (ms === 0) {
    backoff.next(name, clock.now());
    return undefined;
  }
  const where = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata } as Pod;
  const fieldPath = `spec.containers{${name}}`;
  events.event(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${name} in pod ${where}`, fieldPath);
  const message = `back-off ${goDuration(backoff.delayMs(name))} restarting failed container=${name} pod=${where}`;
  return { ms, waiting: { reason: 'CrashLoopBackOff', message } };
}
