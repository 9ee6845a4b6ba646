// One step of a pod worker: a state and an event become the next state and its effects. Pure.
//
//   waiting --admitted--> syncing --completed, failed, evicted--> ended
//      |                     |                                      |
//      +--refused--> ended   +-------------- deleted ---------------+--> terminating --> terminated

import { isTerminalPhase, type Pod } from '../../../api/api.ts';
import type { EvictionManner } from '../../eviction/local-storage.ts';
import { nodeAffinity } from '../admission.ts';
import { manyContainers } from '../pod-cache.ts';
import { end, reject, stepEnded } from './ended.ts';
import type { Interrupted, Step, Syncing, Task, TaskEvent, Waiting } from './pod-worker.ts';
import { isActive, type Now, type Observation, type PodEvent, type PodWorker } from './pod-worker.ts';
import { looked, measureStart, stepSyncing, timerDuringStart } from './syncing.ts';
import { begin, stepTerminating, terminate } from './terminating.ts';
import { doing, type LiveWorker, look, rest, retryMs, unchanged } from './transitions.ts';

/** A refusal is final after this long: controllers replace a refused pod at once, and must not do so without end. */
const refusalMs = 1000;

export function step(worker: PodWorker, event: PodEvent, now: Now): Step {
  if (worker.state === 'terminated') return unchanged(worker);
  switch (event.on) {
    case 'updated': {
      const next = { ...worker, pod: withFormerSpec(event.pod, worker.pod) };
      return event.pod.metadata.deletionTimestamp ? terminate(next, true, now) : changed(next);
    }
    case 'removed':
      return terminate(worker, false, now);
    case 'changed':
      return changed(worker);
    case 'timer':
      return timer(worker, now);
    case 'evicted':
      return evict(worker, event.message, event.manner);
    case 'reportedMeanwhile':
      return worker.state === 'syncing' ? measureStart(worker, event.phase, now) : unchanged(worker);
    default: {
      const { task } = worker;
      return task ? afterTask({ ...worker, task: undefined }, task, event, now) : unchanged(worker);
    }
  }
}

/** Much is kept by the identity of a large spec, which changes only with the generation. */
function withFormerSpec(pod: Pod, { metadata, spec }: Pod): Pod {
  const isSame = pod.metadata.generation !== undefined && pod.metadata.generation === metadata.generation;
  return isSame && spec.containers.length > manyContainers ? { ...pod, spec } : pod;
}

function changed(worker: LiveWorker): Step {
  if (worker.task) {
    // Endpoints of services follow the readiness of a pod until it has stopped.
    const isStopping = worker.state === 'terminating' && worker.isInApi && worker.task.do === 'stopPod';
    return { worker: { ...worker, isDirty: true }, effects: isStopping ? [{ do: 'reportMeanwhile' }] : [] };
  }
  return worker.state === 'terminating' ? begin(worker) : look(worker);
}

function timer(worker: LiveWorker, now: Now): Step {
  const { task } = worker;
  if (!task) return changed(worker);
  const isStarting = task.do === 'prepare' || task.do === 'start';
  if (worker.state !== 'syncing' || !worker.plan || !isStarting) return unchanged(worker);
  return timerDuringStart(worker, worker.plan, now);
}

function evict(worker: LiveWorker, message: string, manner: EvictionManner): Step {
  if ((worker.state !== 'waiting' && worker.state !== 'syncing') || !isActive(worker)) return unchanged(worker);
  const reason = manner.reason ?? 'Evicted';
  return end(worker, { ...manner, reason, message }, [{ do: 'recordEvent', type: 'Warning', reason, message }]);
}

/** `task` is complete, and no other is in progress. */
function afterTask(worker: LiveWorker, task: Task | Interrupted, event: TaskEvent, now: Now): Step {
  switch (worker.state) {
    case 'waiting':
      return stepWaiting(worker, event, now);
    case 'syncing':
      return task.do === 'interrupted' ? look(worker) : stepSyncing(worker, task, event, now);
    case 'ended':
      return stepEnded(worker, task, event);
    case 'terminating':
      return stepTerminating(worker, task, event, now);
  }
}

function stepWaiting(worker: Waiting, event: TaskEvent, now: Now): Step {
  switch (event.on) {
    case 'looked':
      return decide(worker, event.seen, now);
    case 'done':
      return look({ ...worker, hasReadNode: true });
    default:
      return rest(worker, retryMs);
  }
}

/** A pod that runs was admitted before, by this kubelet or by the one before. */
function decide(worker: Waiting, seen: Observation, now: Now): Step {
  if (isTerminalPhase(worker.pod.status?.phase)) return end(worker, undefined);
  const isRunning = seen.runtime.sandboxes.length > 0;
  const firstSeenMs = isRunning ? undefined : (worker.firstSeenMs ?? now.monotonicMs);
  const { refusal } = seen;
  if (isRunning || !refusal) return looked(admitted(worker, firstSeenMs, now), seen, now);
  if (refusal.reason === nodeAffinity && !worker.hasReadNode)
    return doing({ ...worker, firstSeenMs }, { do: 'readNode' });
  if (refusal.preempts) return rest({ ...worker, firstSeenMs }, retryMs, [{ do: 'preempt', uids: refusal.preempts }]);
  const refusedMs = worker.refusedMs ?? now.monotonicMs;
  const leftMs = refusedMs + refusalMs - now.monotonicMs;
  if (leftMs > 0) return rest({ ...worker, firstSeenMs, refusedMs, hasReadNode: false }, leftMs);
  return reject({ ...worker, admittedMs: now.epochMs }, refusal);
}

const admitted = ({ pod, isDirty, waits }: Waiting, firstSeenMs: number | undefined, now: Now): Syncing => ({
  state: 'syncing',
  ...{ pod, isDirty, waits, admittedMs: now.epochMs, delays: new Map(), volumesMs: Number.NEGATIVE_INFINITY },
  ...(firstSeenMs !== undefined && { firstSeenMs }),
});
