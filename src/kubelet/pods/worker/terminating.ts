// Deleted pods: stop by the deadline, report the end, remove everything.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination

import { graceOf, shortestGraceSeconds } from '../grace.ts';
import type { Task, TaskEvent, Terminating } from './pod-worker.ts';
import { type Effect, failureOf, type Interrupted, type Now, type Report, type Step } from './pod-worker.ts';
import { doing, interrupt, type LiveWorker, look, retryMs } from './transitions.ts';

/** `isInApi`: the pod is marked as deleted; otherwise the API no longer has it. */
export function terminate(worker: LiveWorker, isInApi: boolean, now: Now): Step {
  if (worker.state === 'terminating') return shorten(worker, isInApi, now);
  const { pod, waits, admittedMs } = worker;
  const asked = graceOf(pod);
  const graceSeconds = isInApi ? asked : Math.min(asked, shortestGraceSeconds);
  const { task, effects } = interrupt(worker.task);
  const failure = failureOf(worker);
  const facts = { pod, waits, ...(admittedMs !== undefined && { admittedMs }), ...(failure && { failure }) };
  const next: Terminating = {
    state: 'terminating',
    ...facts,
    ...{ task, isDirty: false, isInApi, graceSeconds, deadlineMs: now.monotonicMs + graceSeconds * 1000 },
  };
  const isSooner = task?.graceSeconds !== undefined && graceSeconds < task.graceSeconds;
  const all: Effect[] = [{ do: 'keepReadiness' }, ...effects];
  if (task) return { worker: next, effects: isSooner ? [...all, { do: 'stopSooner', graceSeconds }] : all };
  return begin(next, all);
}

/** A grace period only ever becomes shorter. */
function shorten(worker: Terminating, isInApi: boolean, now: Now): Step {
  const { task } = worker;
  const isStopping = task?.do === 'stopPod' || (task?.do === 'interrupted' && task.graceSeconds !== undefined);
  const asked = isInApi ? graceOf(worker.pod) : isStopping ? 0 : shortestGraceSeconds;
  const next = { ...worker, isInApi: worker.isInApi && isInApi };
  const isShorter = asked < worker.graceSeconds;
  if (isShorter) {
    next.graceSeconds = asked;
    next.deadlineMs = Math.min(worker.deadlineMs, now.monotonicMs + asked * 1000);
  }
  if (!task) return begin(next);
  return { worker: next, effects: isShorter && isStopping ? [{ do: 'stopSooner', graceSeconds: asked }] : [] };
}

/** Also after a failure: each part of it can be repeated. */
export const begin = (worker: Terminating, before: readonly Effect[] = []): Step =>
  worker.isInApi ? doing(worker, report(false), before) : look(worker, before);

export function stepTerminating(worker: Terminating, task: Task | Interrupted, event: TaskEvent, now: Now): Step {
  if (task.do === 'interrupted') return begin(worker);
  if (event.on === 'failed') return { worker, effects: [{ do: 'setTimer', afterMs: retryMs }] };
  switch (task.do) {
    case 'stopPod':
      return worker.isInApi ? doing(worker, report(true)) : doing(worker, { do: 'clear' });
    case 'report':
      return task.hasEnded ? doing(worker, { do: 'deletePod' }) : stop(worker, now);
    case 'deletePod':
      return doing(worker, { do: 'clear' });
    case 'clear':
      return { worker: { state: 'terminated', pod: worker.pod }, effects: [{ do: 'finish' }] };
    default:
      return stop(worker, now);
  }
}

const report = (hasEnded: boolean): Report => ({ do: 'report', isFresh: true, hasEnded });

function stop(worker: Terminating, { monotonicMs }: Now): Step {
  const leftSeconds = Math.ceil((worker.deadlineMs - monotonicMs) / 1000);
  const graceSeconds = worker.graceSeconds === 0 ? 0 : Math.max(shortestGraceSeconds, leftSeconds);
  return doing(worker, { do: 'stopPod', graceSeconds });
}
