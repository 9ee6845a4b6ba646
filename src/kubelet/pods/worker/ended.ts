// Pods that have completed, or that the node ended: stop, report, release the volumes.

import { syncFrequencyMs } from '../../config.ts';
import type { PodFailure } from '../../status/status-inputs.ts';
import { graceOf } from '../grace.ts';
import type { Refusal } from '../refusal.ts';
import type { Effect, Ended, Interrupted, Report, Step, Syncing, Task, TaskEvent, Waiting } from './pod-worker.ts';
import { doing, interrupt, look, rest, retryMs, unchanged } from './transitions.ts';

export function end(
  { pod, waits, admittedMs, task: former }: Waiting | Syncing,
  failure: PodFailure | undefined,
  before: readonly Effect[] = [],
): Step {
  const { task, effects } = interrupt(former);
  const facts = { pod, waits, ...(admittedMs !== undefined && { admittedMs }), ...(failure && { failure }) };
  const worker: Ended = { state: 'ended', ...facts, task, isDirty: false, isStopped: false, isReleased: false };
  return task ? { worker, effects: [...before, ...effects] } : look(worker, before);
}

/** The node does not take the pod, and has started nothing of it. */
export function reject(worker: Waiting | Syncing, { reason, message }: Refusal): Step {
  const failure = { reason, message: `Pod was rejected: ${message}`, isRefused: true };
  return end(worker, failure, [{ do: 'recordEvent', type: 'Warning', reason, message }]);
}

export function stepEnded(worker: Ended, task: Task | Interrupted, event: TaskEvent): Step {
  if (task.do === 'interrupted') return look(worker);
  switch (event.on) {
    case 'failed':
      return rest(worker, retryMs);
    case 'looked': {
      const { sandboxes, containers } = event.seen.runtime;
      // A start that an eviction came too late for may have run in a sandbox that has died.
      const isLive = sandboxes.some((s) => s.state === 'ready') || containers.some((c) => c.state === 'running');
      if (!worker.isStopped && isLive) return doing(worker, report(false));
      // Ended containers may have been removed since: then the API's status is the last there is.
      if (containers.length > 0 || !worker.isReleased) return doing(worker, report(true));
      return restEnded(worker);
    }
    case 'reported':
      if (!(task as Report).hasEnded)
        return doing(worker, { do: 'stopPod', graceSeconds: worker.failure?.graceSeconds ?? graceOf(worker.pod) });
      return worker.isReleased ? restEnded(worker) : doing(worker, { do: 'releaseVolumes' });
    case 'done':
      if (task.do === 'stopPod') return look({ ...worker, isStopped: true });
      return restEnded({ ...worker, isReleased: true });
    default:
      return unchanged(worker);
  }
}

const report = (hasEnded: boolean): Report => ({ do: 'report', isFresh: false, hasEnded });

const restEnded = (worker: Ended): Step => rest({ ...worker, isStopped: false }, syncFrequencyMs);
