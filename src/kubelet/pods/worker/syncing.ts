// Pods that are to run: one sync after the other. Each begins with a look, plans the actions that pod-actions.ts
// decides, and ends with a report.

import { type Container, isTerminalPhase } from '../../../api/api.ts';
import { nextDelay, remainingMs } from '../../../machinery/time/backoff.ts';
import { syncFrequencyMs } from '../../config.ts';
import { hashOf } from '../../containers/hash.ts';
import { graceOf, killGrace } from '../grace.ts';
import { deadlineLeftMs, isNothing, newest, type PodActions, podActions } from '../pod-actions.ts';
import { crashLoop, nextRun, restartDelays } from '../restarts.ts';
import { end, reject } from './ended.ts';
import type { Effect, Now, Observation, Plan, Step, Syncing, Task, TaskEvent } from './pod-worker.ts';
import { doing, rest, retryMs, unchanged } from './transitions.ts';

/** A start that takes longer is reported before it is complete. */
const slowStartMs = 250;
/** Volumes that cannot be set up are tried again after this long. */
export const volumeRetryMs = 2000;
/** Contents of volumes are read again after this long. */
const volumeRefreshMs = syncFrequencyMs - 5000;
const configRetryMs = 5_000;
const startRetryMs = 10_000;

export function looked(worker: Syncing, seen: Observation, now: Now): Step {
  if (isPastDeadline(worker, now)) return endPastDeadline(worker);
  const actions = podActions(seen.promised, seen.runtime, seen.probes, hashOf, seen.resize.restart);
  const plan = planOf(worker, actions, seen, now);
  const readsVolumes = plan.tasks.some((task) => task.do === 'prepare' || task.do === 'refreshVolumes');
  return proceed({ ...worker, plan, ...(readsVolumes && { volumesMs: now.monotonicMs }) }, plan, now);
}

/** `task` is complete. */
export function stepSyncing(worker: Syncing, task: Task, event: TaskEvent, now: Now): Step {
  if (event.on === 'looked') return looked(worker, event.seen, now);
  const { plan } = worker;
  if (!plan || event.on === 'failed') return rest({ ...worker, plan: undefined }, retryMs);
  switch (event.on) {
    case 'done':
      return proceed(task.do === 'removeContainers' ? { ...worker, waits: new Map() } : worker, plan, now);
    case 'prepared':
      return proceed(worker, { ...plan, runtime: event.runtime }, now);
    case 'unprepared':
      return proceed(worker, { ...plan, starts: [], afterMs: event.retryMs }, now);
    case 'rejected':
      return reject(worker, event.refusal);
    case 'volumesRefreshed':
      if (event.isComplete) return proceed(worker, plan, now);
      return proceed({ ...worker, volumesMs: Number.NEGATIVE_INFINITY }, { ...plan, afterMs: volumeRetryMs }, now);
    case 'started':
    case 'startFailed':
      return task.do === 'start' ? afterStart(worker, plan, task.container, event, now) : unchanged(worker);
    case 'reported':
      return reported(worker, plan, event.phase, now);
  }
}

function planOf({ pod, volumesMs }: Syncing, actions: PodActions, seen: Observation, now: Now): Plan {
  const { promised, runtime, resize } = seen;
  const graceSeconds = graceOf(pod);
  const plan: Plan = {
    ...{ promised, runtime, tasks: [], starts: [], next: 0, afterMs: syncFrequencyMs, hasReportedStarts: false },
    report: { do: 'report', isFresh: !isNothing(actions), hasEnded: false },
  };
  if (actions.reset.length > 0) {
    const tasks: Task[] = [{ do: 'removeContainers', ids: actions.reset, graceSeconds }];
    return { ...plan, tasks, report: { ...plan.report, restartsAll: true }, afterMs: 0 };
  }
  const tasks: Task[] = [];
  if (actions.killPod) tasks.push({ do: 'stopPod', graceSeconds });
  if (actions.killPod && !actions.createSandbox) return { ...plan, tasks };
  const kills = actions.kill.map((kill) => ({ ...kill, graceSeconds: killGrace(pod, kill) }));
  if (kills.length > 0) tasks.push({ do: 'stopContainers', kills });
  if (resize.pod) tasks.push({ do: 'resize', promised, resize });
  if (actions.start.length > 0 || actions.createSandbox) {
    tasks.push({ do: 'prepare', promised, attempt: actions.attempt, createsSandbox: actions.createSandbox });
    return { ...plan, tasks, starts: actions.start.map(({ container }) => container) };
  }
  if (!seen.refreshesVolumes) return { ...plan, tasks };
  const leftMs = volumeRefreshMs - (now.monotonicMs - volumesMs);
  if (leftMs > 0) return { ...plan, tasks, afterMs: Math.max(volumeRetryMs, leftMs) };
  return { ...plan, tasks: [...tasks, { do: 'refreshVolumes' }] };
}

/** Runs the next step of the plan. */
function proceed(worker: Syncing, plan: Plan, now: Now): Step {
  const [task, ...tasks] = plan.tasks;
  if (!task) return startNext(worker, plan, now);
  const next = { ...worker, plan: { ...plan, tasks } };
  if (task.do !== 'prepare') return doing(next, task);
  const afterMs = Math.min(slowStartMs, deadlineLeftMs(worker.pod, now.epochMs));
  return doing(next, task, [{ do: 'setTimer', afterMs }]);
}

/** Starts the next container whose delay is over; reports when there is none. */
function startNext(worker: Syncing, plan: Plan, now: Now): Step {
  const effects: Effect[] = [];
  let { delays, waits } = worker;
  let { next, afterMs } = plan;
  for (; next < plan.starts.length; next++) {
    const container = plan.starts[next];
    const { name } = container;
    const last = newest(plan.runtime.containers, name);
    const definition = JSON.stringify([container.image, container.resources]);
    const former = delays.get(name);
    const delay = former?.definition === definition ? former : undefined;
    const hasEnded = last?.state === 'exited';
    const leftMs = hasEnded ? remainingMs(delay, last.finishedAt, now.epochMs, restartDelays) : 0;
    if (!delay || leftMs === 0) {
      if (hasEnded) delays = new Map(delays).set(name, { ...nextDelay(delay, now.epochMs, restartDelays), definition });
      const run = nextRun(plan.promised, name, plan.runtime, last);
      const start: Task = { do: 'start', promised: plan.promised, container, ...run };
      return doing({ ...worker, delays, waits, plan: { ...plan, next: next + 1, afterMs } }, start, effects);
    }
    const { wait, message } = crashLoop(worker.pod, name, delay);
    waits = waits === worker.waits ? new Map(waits) : waits;
    (waits as Map<string, typeof wait>).set(name, wait);
    effects.push({ do: 'recordEvent', type: 'Warning', reason: 'BackOff', message, container: name });
    afterMs = Math.min(afterMs, leftMs);
  }
  return doing({ ...worker, delays, waits, plan: { ...plan, next, afterMs } }, plan.report, effects);
}

function afterStart(
  worker: Syncing,
  plan: Plan,
  { name }: Container,
  event: Extract<TaskEvent, { on: 'started' | 'startFailed' }>,
  now: Now,
): Step {
  if (event.on === 'startFailed') {
    const { reason, message } = event;
    const againMs = event.retryMs || (reason === 'CreateContainerConfigError' ? configRetryMs : startRetryMs);
    const waits = new Map(worker.waits).set(name, { reason, message });
    return startNext({ ...worker, waits }, { ...plan, afterMs: Math.min(plan.afterMs, againMs) }, now);
  }
  if (!worker.waits.has(name)) return startNext(worker, plan, now);
  const waits = new Map(worker.waits);
  waits.delete(name);
  return startNext({ ...worker, waits }, plan, now);
}

function reported(worker: Syncing, { afterMs }: Plan, phase: string, now: Now): Step {
  const { worker: measured, effects } = measureStart({ ...worker, plan: undefined }, phase, now);
  if (isTerminalPhase(phase)) return end(measured, undefined, effects);
  const leftMs = Math.max(1, deadlineLeftMs(worker.pod, now.epochMs));
  return rest(measured, Math.min(afterMs, leftMs), effects);
}

/** Once, when the pod runs for the first time. */
export function measureStart(
  worker: Syncing,
  phase: string,
  now: Now,
): { readonly worker: Syncing; readonly effects: readonly Effect[] } {
  if (phase !== 'Running' || worker.firstSeenMs === undefined) return { worker, effects: [] };
  const seconds = (now.monotonicMs - worker.firstSeenMs) / 1000;
  return { worker: { ...worker, firstSeenMs: undefined }, effects: [{ do: 'measureStart', seconds }] };
}

/** A start is slow, or the pod has reached its deadline. */
export function timerDuringStart(worker: Syncing, plan: Plan, now: Now): Step {
  if (isPastDeadline(worker, now)) return endPastDeadline(worker);
  if (plan.hasReportedStarts) return unchanged(worker);
  const leftMs = deadlineLeftMs(worker.pod, now.epochMs);
  const timer: Effect[] = Number.isFinite(leftMs) ? [{ do: 'setTimer', afterMs: leftMs }] : [];
  return {
    worker: { ...worker, plan: { ...plan, hasReportedStarts: true } },
    effects: [{ do: 'reportMeanwhile' }, ...timer],
  };
}

const isPastDeadline = ({ pod }: Syncing, { epochMs }: Now) => deadlineLeftMs(pod, epochMs) <= 0;

function endPastDeadline(worker: Syncing): Step {
  const reason = 'DeadlineExceeded';
  const message = 'Pod was active on the node longer than the specified deadline';
  return end(worker, { reason, message }, [{ do: 'recordEvent', type: 'Normal', reason, message }]);
}
