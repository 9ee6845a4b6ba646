// For tests of a pod's steps: a node in memory that performs the effects and checks the invariants.

import type { Container, Pod } from '../../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../../container-runtime/container-runtime.ts';
import { noResize, type ResizeActions } from '../../resources/pod-resize.ts';
import { podStatus } from '../../status/pod-status.ts';
import type { Phase } from '../../status/status-inputs.ts';
import type { Refusal } from '../refusal.ts';
import type { Report, Task } from './pod-worker.ts';
import { type Effect, failureOf, type Now, newWorker, type PodEvent, type PodWorker } from './pod-worker.ts';
import { step } from './step.ts';

export const podOf = (spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}): Pod =>
  ({
    metadata: { name: 'web', namespace: 'default', uid: 'u', ...metadata },
    spec: { restartPolicy: 'Always', containers: [{ name: 'a', image: 'a:1' }], ...spec },
    status: {},
  }) as Pod;

export const deleted = (pod: Pod, deletionGracePeriodSeconds = 30): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds },
});

const startedMs = Date.parse('2026-01-01T00:00:00Z');
type Change<T> = { -readonly [K in keyof T]: T[K] };

/** The outcome of the task in progress: it works, it throws, or it ends as a start or a preparation can. */
export type Outcome = 'works' | 'throws' | 'fails' | 'rejects';

export class TestNode {
  worker: PodWorker;
  pod: Pod;
  isInApi = true;
  refusal: Refusal | undefined;
  resize: ResizeActions = noResize;
  failsLiveness = new Set<string>();
  sandboxes: Change<Sandbox>[] = [];
  containers: Change<ContainerStatus>[] = [];
  /** In progress. */
  task: Task | undefined;
  /** When the timer fires. */
  timerMs: number | undefined;
  elapsedMs = 0;
  isFinished = false;
  /** All effects so far. */
  readonly effects: Effect[] = [];
  #isAborted = false;
  #ids = 0;

  constructor(pod: Pod) {
    this.pod = pod;
    this.worker = newWorker(pod);
  }

  get now(): Now {
    return { epochMs: startedMs + this.elapsedMs, monotonicMs: this.elapsedMs };
  }

  running(name?: string): ContainerStatus[] {
    return this.containers.filter((c) => c.state === 'running' && (name === undefined || c.name === name));
  }

  /** Sends the event. Returns the effects in short. */
  send(event: PodEvent): string[] {
    const before = this.worker;
    const { worker, effects } = step(before, event, this.now);
    check(before.state !== 'terminated' || (worker === before && effects.length === 0), 'a terminated pod changes');
    if (before.state === 'terminating' && worker.state === 'terminating')
      check(worker.deadlineMs <= before.deadlineMs, 'the deadline moves later');
    check(order[worker.state] >= order[before.state], `the pod goes back from ${before.state} to ${worker.state}`);
    this.worker = worker;
    for (const effect of effects) this.#perform(effect);
    return effects.map(brief);
  }

  update(pod: Pod): string[] {
    this.pod = pod;
    return this.send({ on: 'updated', pod });
  }

  remove(): string[] {
    this.isInApi = false;
    return this.send({ on: 'removed' });
  }

  #perform(effect: Effect): void {
    this.effects.push(effect);
    switch (effect.do) {
      case 'setTimer':
        this.timerMs = this.elapsedMs + effect.afterMs;
        return;
      case 'abortStarts':
        check(['prepare', 'start', 'refreshVolumes'].includes(this.task?.do ?? ''), 'an abort without a start');
        this.#isAborted = true;
        return;
      case 'stopSooner':
        check(['stopPod', 'stopContainers', 'removeContainers'].includes(this.task?.do ?? ''), 'no stop to shorten');
        return;
      case 'finish':
        check(this.containers.length + this.sandboxes.length === 0, 'the pod ends and leaves containers');
        this.isFinished = true;
        return;
      case 'reportMeanwhile':
      case 'keepReadiness':
      case 'preempt':
      case 'recordEvent':
      case 'measureStart':
        return;
      default:
        check(this.task === undefined, `${effect.do} begins before ${this.task?.do} is complete`);
        if (effect.do === 'look') this.timerMs = undefined;
        this.task = effect;
        this.#isAborted = false;
    }
  }

  /** Ends the task in progress. Returns the effects that follow, in short. */
  complete(outcome: Outcome = 'works'): string[] {
    const { task } = this;
    if (!task) return [];
    this.task = undefined;
    if (outcome === 'rejects')
      return this.send({ on: 'rejected', refusal: { reason: 'VolumeLimit', message: 'full' } });
    return this.send(outcome === 'throws' ? { on: 'failed' } : this.#result(task, outcome === 'fails'));
  }

  /** Completes tasks until none is in progress, at most so many. */
  settle(most = 100): void {
    for (let i = 0; this.task && i < most; i++) this.complete();
  }

  fireTimer(): string[] {
    if (this.timerMs === undefined) return [];
    this.elapsedMs = Math.max(this.elapsedMs, this.timerMs);
    this.timerMs = undefined;
    return this.send({ on: 'timer' });
  }

  /** The container ends by itself. */
  exit(name: string, exitCode: number): void {
    for (const container of this.containers)
      if (container.name === name && container.state === 'running') this.#end(container, exitCode);
    this.send({ on: 'changed' });
  }

  /** The kubelet is killed and starts again: the runtime, and a task that it began, go on. */
  crash(): void {
    const { task } = this;
    this.task = undefined;
    this.timerMs = undefined;
    if (task && !this.isFinished) this.#result(task, false);
    this.worker = newWorker(this.pod);
    this.isFinished = false;
    if (this.isInApi) this.update(this.pod);
    else if (this.sandboxes.length + this.containers.length > 0) this.remove();
    else {
      // No kubelet has to do with the pod any more.
      this.worker = { state: 'terminated', pod: this.pod };
      this.isFinished = true;
    }
  }

  #result(task: Task, fails: boolean): PodEvent {
    switch (task.do) {
      case 'look':
        return { on: 'looked', seen: this.#seen() };
      case 'prepare':
        return this.#prepare(task.attempt, task.createsSandbox, fails);
      case 'start':
        return this.#start(task, fails);
      case 'refreshVolumes':
        return { on: 'volumesRefreshed', isComplete: !fails };
      case 'report':
        return { on: 'reported', phase: this.#report(task) };
      case 'stopPod':
        for (const container of this.running()) this.#end(container as Change<ContainerStatus>, 143);
        for (const sandbox of this.sandboxes) sandbox.state = 'notready';
        break;
      case 'stopContainers':
        for (const { id } of task.kills) this.#end(this.#container(id), 137);
        break;
      case 'removeContainers':
        this.containers = this.containers.filter(({ id }) => !task.ids.includes(id));
        break;
      case 'deletePod':
        check(this.running().length === 0, 'the API loses a pod that runs');
        this.isInApi = false;
        break;
      case 'clear':
        this.containers = [];
        this.sandboxes = [];
    }
    return { on: 'done' };
  }

  #seen() {
    const { refusal, resize, failsLiveness } = this;
    return {
      runtime: { sandboxes: [...this.sandboxes], containers: [...this.containers] },
      promised: this.pod,
      resize,
      probes: { liveness: (id: string) => (failsLiveness.has(id) ? false : undefined), startup: () => undefined },
      refreshesVolumes: true,
      ...(refusal && this.worker.state === 'waiting' && this.sandboxes.length === 0 && { refusal }),
    };
  }

  #prepare(attempt: number, createsSandbox: boolean, fails: boolean): PodEvent {
    if (fails) return { on: 'unprepared', retryMs: 1000 };
    if (createsSandbox) {
      check(!this.sandboxes.some((s) => s.state === 'ready'), 'a second sandbox');
      const config = { name: 'web', namespace: 'default', uid: 'u', attempt, labels: {}, annotations: {} };
      this.sandboxes.unshift({
        id: `s${++this.#ids}`,
        config,
        state: 'ready',
        createdAt: this.#ids,
        ips: ['10.0.0.1'],
      });
    }
    return { on: 'prepared', runtime: this.#seen().runtime };
  }

  #start({ container, attempt, removes }: Extract<Task, { do: 'start' }>, fails: boolean): PodEvent {
    if (this.#isAborted) return { on: 'done' };
    check(this.worker.state === 'syncing', `a container starts while the pod is ${this.worker.state}`);
    check(this.running(container.name).length === 0, `${container.name} runs twice`);
    for (const { state } of removes) check(state !== 'running', 'a running container is removed');
    this.containers = this.containers.filter(({ id }) => !removes.some((each) => each.id === id));
    const others = this.containers.filter((c) => c.name === container.name && c.state !== 'created');
    check(!others.some((c) => c.attempt >= attempt), `${container.name} runs again as number ${attempt}`);
    if (fails) return { on: 'startFailed', reason: 'ErrImagePull', message: 'no such image', retryMs: 0 };
    this.containers.unshift({
      ...({ id: `c${++this.#ids}`, sandboxId: this.sandboxes[0].id, name: container.name, attempt } as ContainerStatus),
      ...{ state: 'running', createdAt: this.#ids, startedAt: this.now.epochMs, finishedAt: 0, exitCode: 0 },
      ...{ reason: '', message: '', image: 'a:1', imageRef: 'a:1', labels: {}, annotations: {}, logPath: '' },
    });
    return { on: 'started' };
  }

  #report({ hasEnded, restartsAll }: Report): Phase {
    const { worker } = this;
    const failure = failureOf(worker);
    const status = podStatus(this.pod, this.#seen().runtime, {
      waiting: worker.state === 'terminated' ? new Map() : worker.waits,
      ...{ isReady: () => true, isStarted: () => true, hostIPs: ['10.9.9.9'], runtimeName: 'test' },
      ...{ now: this.now.epochMs, hasEnded, restartsAll },
      ...(failure && { failure }),
    });
    this.pod = { ...this.pod, status };
    return status.phase as Phase;
  }

  #container(id: string): Change<ContainerStatus> {
    const found = this.containers.find((c) => c.id === id);
    check(found !== undefined, `there is no container ${id}`);
    return found as ContainerStatus;
  }

  #end(container: Change<ContainerStatus>, exitCode: number): void {
    Object.assign(container, { state: 'exited', exitCode, finishedAt: this.now.epochMs });
    this.failsLiveness.delete(container.id);
  }
}

const order = { waiting: 0, syncing: 1, ended: 2, terminating: 3, terminated: 4 };

function check(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

/** An effect as a few words. */
export function brief(effect: Effect): string {
  switch (effect.do) {
    case 'setTimer':
      return `setTimer ${effect.afterMs}`;
    case 'stopPod':
    case 'stopSooner':
      return `${effect.do} ${effect.graceSeconds}`;
    case 'stopContainers':
      return `stopContainers ${effect.kills.map((k) => `${k.name} ${k.graceSeconds}`).join()}`;
    case 'removeContainers':
      return `removeContainers ${effect.ids.join()}`;
    case 'prepare':
      return effect.createsSandbox ? `prepare sandbox ${effect.attempt}` : 'prepare';
    case 'start':
      return `start ${effect.container.name} ${effect.attempt}`;
    case 'report':
      return `report${effect.hasEnded ? ' end' : ''}${effect.restartsAll ? ' restart' : ''}`;
    case 'recordEvent':
      return `event ${effect.reason}`;
    case 'measureStart':
      return `measureStart ${effect.seconds}`;
    default:
      return effect.do;
  }
}

export const containersOf = (...names: string[]): Container[] =>
  names.map((name) => ({ name, image: 'a:1' }) as Container);
