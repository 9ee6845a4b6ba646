// Transitions that all states of a pod worker share: a task begins, is interrupted, or is followed by rest.

import type { Effect, Interrupted, PodWorker, Step, Task, Terminated } from './pod-worker.ts';

export type LiveWorker = Exclude<PodWorker, Terminated>;

/** After a task that failed. */
export const retryMs = 1000;

export const unchanged = (worker: PodWorker): Step => ({ worker, effects: [] });

export const doing = (worker: LiveWorker, task: Task, before: readonly Effect[] = []): Step => ({
  worker: { ...worker, task },
  effects: [...before, task],
});

export const look = (worker: LiveWorker, before: readonly Effect[] = []): Step =>
  doing({ ...worker, isDirty: false }, { do: 'look' }, before);

/** Nothing is left to do until something changes, at the latest after this time. */
export function rest(worker: LiveWorker, afterMs: number, before: readonly Effect[] = []): Step {
  if (worker.isDirty) return look(worker, before);
  return { worker: { ...worker, task: undefined }, effects: [...before, { do: 'setTimer', afterMs }] };
}

/** The task in progress as the next state has it, and the effects that end it early. */
export function interrupt(task: Task | Interrupted | undefined): {
  readonly task: Interrupted | undefined;
  readonly effects: readonly Effect[];
} {
  if (!task || task.do === 'interrupted') return { task, effects: [] };
  const graceSeconds = graceOfTask(task);
  return {
    task: { do: 'interrupted', ...(graceSeconds !== undefined && { graceSeconds }) },
    effects: abortable.includes(task.do) ? [{ do: 'abortStarts' }] : [],
  };
}

const abortable: readonly Task['do'][] = ['prepare', 'start', 'refreshVolumes'];

function graceOfTask(task: Task): number | undefined {
  if (task.do === 'stopContainers') return Math.max(...task.kills.map((kill) => kill.graceSeconds));
  return task.do === 'stopPod' || task.do === 'removeContainers' ? task.graceSeconds : undefined;
}
