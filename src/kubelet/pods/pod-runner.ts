// Runs one pod: feeds its worker (worker/step.ts) with events, and performs the effects. Decides nothing itself.

import type { Pod } from '../../api/api.ts';
import { errorText } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import { isTurnOver, nextTurn, ownTurn } from '../../machinery/time/turn.ts';
import type { EvictionManner } from '../eviction/local-storage.ts';
import type { TerminationReader } from '../machine/machine.ts';
import { noResize, PodResize } from '../resources/pod-resize.ts';
import { isStatic } from '../static-pods/pod-source.ts';
import type { CountedPod } from '../stats/pod-counts.ts';
import { StatusCache } from '../status/status-cache.ts';
import type { KubeletTools } from '../tools.ts';
import { podVolumes } from '../volumes/pod-volumes.ts';
import type { RuntimePod } from './pod-actions.ts';
import { manyContainers } from './pod-cache.ts';
import { type PreparedPod, preparePod } from './prepare-pod.ts';
import type { Refusal } from './refusal.ts';
import { clearPod, deletePod, releasePod } from './remove-pod.ts';
import { reportPod } from './report-pod.ts';
import { StartError, startContainer } from './start-container.ts';
import { stopContainer, stopPod, stopSooner } from './stop-containers.ts';
import type { Observation, Report, Step, Task, TaskEvent } from './worker/pod-worker.ts';
import { type Effect, failureOf, isActive, newWorker, type PodEvent, type PodWorker } from './worker/pod-worker.ts';
import { step } from './worker/step.ts';

/** Grace period of pods that use more than they may, as Kubernetes has it. */
const atOnce: EvictionManner = { graceSeconds: 1, isDisruption: false };
/** Starts in a row without a turn of the event loop. */
const startsInRow = 32;
const meanwhile: Report = { do: 'report', isFresh: true, hasEnded: false };

type TaskOf<Name extends Task['do']> = Extract<Task, { readonly do: Name }>;

/** There may be a hundred thousand of these: fields are made when they are needed. */
export class PodRunner {
  readonly #tools: KubeletTools;
  readonly #resize: PodResize;
  readonly #messages: TerminationReader;
  readonly #finished: () => void;
  #worker: PodWorker;
  #task: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isStopped = false;
  /** Of the starts in progress, and of the wait for volumes. */
  #abort: AbortController | undefined;
  #prepared: PreparedPod | undefined;
  #startsSinceTurn = 0;
  #cache: StatusCache | undefined;
  /** A report beside the task in progress. */
  #meanwhile: Promise<void> | undefined;
  /** Something changed since that report began. */
  #isMeanwhileStale = false;

  /** `finished` is called when the node has nothing of the pod any more. */
  constructor(pod: Pod, tools: KubeletTools, finished: () => void) {
    this.#worker = newWorker(pod);
    this.#tools = tools;
    this.#messages = tools.machine.files.terminationMessages();
    this.#resize = new PodResize(pod.metadata.uid, tools);
    this.#finished = finished;
  }

  get pod(): Pod {
    return this.#worker.pod;
  }

  /** The pod with the resources that the node promised: not the requested ones while a resize waits. */
  get promised(): Pod {
    return this.#resize.promised(this.pod);
  }

  get waitsForResize(): boolean {
    return this.#resize.isDeferred;
  }

  /** The pod is to run, and nothing has ended it. */
  get isActive(): boolean {
    return isActive(this.#worker);
  }

  /** It has its share of the node: it was admitted, by this kubelet or by the one before. */
  get isCounted(): boolean {
    const worker = this.#worker;
    if (worker.state === 'terminated' || failureOf(worker)?.isRefused) return false;
    return worker.admittedMs !== undefined || this.#runtime.sandboxes.length > 0;
  }

  /** It ended, its volumes are gone, and the API still has it. */
  get hasEnded(): boolean {
    return this.#worker.state === 'ended' && this.#worker.isReleased;
  }

  get counted(): CountedPod {
    const worker = this.#worker;
    const { metadata, spec } = this.pod;
    const isOrphan =
      worker.state === 'terminating' && (isStatic(this.pod) || !worker.isInApi || !metadata.deletionTimestamp);
    return {
      isStatic: isStatic(this.pod),
      config: !isOrphan ? 'desired' : spec.containers.length === 0 ? 'runtime_only' : 'orphan',
      lifecycle: isActive(worker) ? 'sync' : this.isFinished || this.hasEnded ? 'terminated' : 'terminating',
    };
  }

  get isFinished(): boolean {
    return this.#worker.state === 'terminated';
  }

  get #runtime() {
    return this.#tools.cache.get(this.pod.metadata.uid);
  }

  /** The API's newest version of the pod; undefined once it is gone from the API. */
  update(pod: Pod | undefined): void {
    this.#step(pod ? { on: 'updated', pod } : { on: 'removed' });
  }

  /** Containers, probes or the node changed. */
  wake(): void {
    this.#step({ on: 'changed' });
  }

  /** Ends the pod because the node cannot bear it any more. */
  evict(message: string, manner: EvictionManner = atOnce): void {
    this.#step({ on: 'evicted', message, manner });
  }

  /** Stops the runner, not the pod: the next kubelet repeats an unfinished pull. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#abort?.abort();
    this.#timer?.cancel();
    await this.#task;
    await this.#meanwhile;
  }

  #step(event: PodEvent): void {
    if (!this.#isStopped) this.#apply(this.#next(event));
  }

  #next(event: PodEvent): Step {
    const { clock } = this.#tools;
    const now = { epochMs: clock.now(), monotonicMs: clock.monotonic() };
    return step(this.#worker, event.on === 'looked' ? this.#withRefusal(event.seen) : event, now);
  }

  #apply({ worker, effects }: Step): void {
    this.#worker = worker;
    for (const effect of effects) this.#perform(effect);
  }

  /** Evaluated at the time of the step, which admits the pod: the next pod is admitted beside this one. */
  #withRefusal(seen: Observation): PodEvent {
    const mayRefuse = this.#worker.state === 'waiting' && seen.runtime.sandboxes.length === 0;
    if (!mayRefuse) return { on: 'looked', seen };
    const refusal = this.#tools.refuse(this.pod) ?? seen.refusal;
    return { on: 'looked', seen: refusal ? { ...seen, refusal } : seen };
  }

  #perform(effect: Effect): void {
    const { pod } = this;
    const tools = this.#tools;
    switch (effect.do) {
      case 'reportMeanwhile':
        this.#isMeanwhileStale = this.#meanwhile !== undefined;
        this.#meanwhile ??= this.#reportMeanwhile();
        return;
      case 'abortStarts':
        return this.#abort?.abort();
      case 'stopSooner':
        return void stopSooner(pod.metadata.uid, effect.graceSeconds, tools);
      case 'preempt':
        return tools.preempt(effect.uids);
      case 'keepReadiness':
        return tools.probes.keepReadinessOfPod(pod.metadata.uid);
      case 'setTimer':
        this.#timer?.cancel();
        this.#timer = tools.clock.after(effect.afterMs, () => this.#step({ on: 'timer' }));
        return;
      case 'recordEvent': {
        const fieldPath = effect.container && `spec.containers{${effect.container}}`;
        return tools.events.event(pod, effect.type, effect.reason, effect.message, fieldPath);
      }
      case 'measureStart':
        return tools.podStarted(effect.seconds);
      case 'finish':
        this.#timer?.cancel();
        tools.probes.removePod(pod.metadata.uid);
        return this.#finished();
      default:
        this.#task = this.#run(effect);
    }
  }

  async #run(task: Task): Promise<void> {
    let next: Step;
    // Simulated nodes have thousands of pods, whose steps would follow each other in one turn.
    if (isTurnOver(this.#tools.clock)) await ownTurn();
    try {
      next = this.#next(await this.#eventOf(task));
    } catch (error) {
      const { name, namespace } = this.pod.metadata;
      this.#tools.logger.error('pod sync failed', { pod: name, namespace, task: task.do, error: errorText(error) });
      next = this.#next({ on: 'failed' });
    }
    if (!this.#isStopped) this.#apply(next);
  }

  async #reportMeanwhile(): Promise<void> {
    try {
      do {
        this.#isMeanwhileStale = false;
        const phase = await this.#report(meanwhile);
        this.#step({ on: 'reportedMeanwhile', phase });
      } while (this.#isMeanwhileStale && !this.#isStopped);
    } catch (error) {
      this.#tools.logger.warn('pod status not reported', { error: String(error) });
    } finally {
      this.#meanwhile = undefined;
    }
  }

  #report(task: Report) {
    if (this.pod.spec.containers.length > manyContainers) this.#cache ??= new StatusCache();
    const parts = { tools: this.#tools, resize: this.#resize, messages: this.#messages, cache: this.#cache };
    return reportPod(() => this.#worker, task, parts);
  }

  async #eventOf(task: Task): Promise<TaskEvent> {
    const { pod } = this;
    const tools = this.#tools;
    switch (task.do) {
      case 'look':
        return { on: 'looked', seen: await this.#look() };
      case 'prepare':
        return this.#prepare(task);
      case 'start':
        return this.#start(task);
      case 'refreshVolumes':
        this.#abort = new AbortController();
        return { on: 'volumesRefreshed', isComplete: (await podVolumes(pod, tools, this.#abort.signal)) !== undefined };
      case 'report':
        // Before the API has the end: its controllers free the devices of an ended pod.
        if (task.hasEnded) await tools.dynamicResources?.unprepare(pod.metadata.uid);
        await this.#meanwhile; // the newer report is the last
        return { on: 'reported', phase: await this.#report(task) };
      case 'readNode':
        await tools.readNode();
        break;
      case 'stopPod':
        await stopPod(pod, task.graceSeconds, tools);
        break;
      case 'stopContainers':
        for (const { id, graceSeconds, message } of task.kills) await this.#stopContainer(id, graceSeconds, message);
        break;
      case 'removeContainers':
        await this.#removeContainers(task);
        break;
      case 'resize':
        await this.#resize.apply(task.promised, task.resize, this.#runtime.sandboxes[0]?.id);
        break;
      case 'releaseVolumes':
        await releasePod(pod, tools);
        break;
      case 'deletePod':
        await deletePod(pod, tools);
        break;
      case 'clear':
        await clearPod(pod, tools);
    }
    return { on: 'done' };
  }

  async #look(): Promise<Observation> {
    const tools = this.#tools;
    this.#timer?.cancel();
    await tools.cache.refresh(this.pod.metadata.uid);
    const runtime = this.#runtime;
    const seen = { runtime, probes: tools.probes, refreshesVolumes: tools.machine.files.refreshesVolumes };
    const mayResize = this.#worker.state === 'syncing' || (isActive(this.#worker) && runtime.sandboxes.length > 0);
    if (mayResize) {
      const promised = await this.#resize.admit(this.pod, runtime);
      return { ...seen, promised, resize: this.#resize.actions(promised, runtime) };
    }
    const refusal = await this.#allocate(runtime);
    return { ...seen, promised: this.pod, resize: noResize, ...(refusal && { refusal }) };
  }

  /** Before the node admits the pod. */
  async #allocate({ sandboxes }: RuntimePod): Promise<Refusal | undefined> {
    const { resources, refuse } = this.#tools;
    if (!resources || this.#worker.state !== 'waiting' || sandboxes.length > 0 || refuse(this.pod)) return undefined;
    return resources.admit(this.pod);
  }

  async #prepare(task: TaskOf<'prepare'>): Promise<TaskEvent> {
    this.#abort = new AbortController();
    this.#prepared = undefined;
    const prepared = await preparePod(task.promised, task, this.#tools, this.#abort.signal);
    if ('refusal' in prepared) return { on: 'rejected', refusal: prepared.refusal };
    if ('retryMs' in prepared) return { on: 'unprepared', retryMs: prepared.retryMs };
    this.#prepared = prepared;
    return { on: 'prepared', runtime: prepared.runtime };
  }

  async #start({ promised: pod, container, attempt, removes }: TaskOf<'start'>): Promise<TaskEvent> {
    const tools = this.#tools;
    const { signal } = must(this.#abort, 'abort controller');
    if (++this.#startsSinceTurn % startsInRow === 0) await nextTurn();
    for (const { id, state, logPath } of removes) {
      await tools.runtime.removeContainer(id);
      if (state === 'exited') await tools.machine.files.removeLog(logPath);
    }
    try {
      await startContainer({ ...must(this.#prepared, 'prepared pod'), pod, container, attempt, signal }, tools);
      return { on: 'started' };
    } catch (error) {
      if (signal.aborted) return { on: 'done' };
      if (!(error instanceof StartError)) throw error;
      const { reason, message } = error;
      return { on: 'startFailed', reason, message, retryMs: tools.images.retryAfterMs(pod) };
    }
  }

  async #removeContainers({ ids, graceSeconds }: TaskOf<'removeContainers'>): Promise<void> {
    for (const id of ids) {
      await this.#stopContainer(id, graceSeconds);
      await this.#tools.runtime.removeContainer(id);
    }
  }

  async #stopContainer(id: string, graceSeconds: number, message?: string): Promise<void> {
    const status = this.#runtime.containers.find((c) => c.id === id);
    if (status?.state !== 'running') return;
    await stopContainer(this.pod, status, graceSeconds, message ?? `Stopping container ${status.name}`, this.#tools);
  }
}
