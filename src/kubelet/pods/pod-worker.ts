// Manages one pod, one sync at a time: moves its containers to the desired state, and ends it.
// pod-actions.ts decides the actions; pod-status.ts computes the status.

import { rm } from 'node:fs/promises';
import { isNotFound, type Pod } from '../../api/api.ts';
import { errorText } from '../../client/client.ts';
import { named } from '../../machinery/collections/by-name.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import { syncFrequencyMs } from '../config.ts';
import { hashOf, logDirectory } from '../containers/container-config.ts';
import type { EvictionManner } from '../eviction/local-storage.ts';
import { probePod } from '../probes/probe-pod.ts';
import { PodResize, type ResizeActions } from '../resources/pod-resize.ts';
import { withKnownStatus } from '../status/pod-conditions.ts';
import { disruptionOf, podStatus } from '../status/pod-status.ts';
import type { PodFailure } from '../status/status-inputs.ts';
import { TerminationMessages } from '../status/termination-messages.ts';
import type { KubeletTools } from '../tools.ts';
import { podVolumes, volumeRefreshMs, volumeRetryMs } from '../volumes/pod-volumes.ts';
import { type MountedVolume, podDirectories, releaseVolumes, tearDownVolumes } from '../volumes/volumes.ts';
import { nodeAffinity } from './admission.ts';
import { ContainerStarts } from './container-starts.ts';
import {
  allContainers,
  deadlineLeftMs,
  isNothing,
  type PodActions,
  podActions,
  type RuntimePod,
} from './pod-actions.ts';
import { manyContainers } from './pod-cache.ts';
import { graceOf } from './start-container.ts';
import { killGrace, stopContainer, stopPod, stopSooner } from './stop-containers.ts';

const retryMs = 1000;
/** A start that takes longer is reported before it is complete. */
const slowStartMs = 250;
/** Kubernetes' grace of pods that use more than they may. */
const atOnce: EvictionManner = { graceSeconds: 1, isDisruption: false };
/** A refusal is final after this long: controllers replace such a pod at once, and must not do so without end. */
const refusalMs = 1000;

type State = 'syncing' | 'terminating' | 'finished';

export class PodWorker {
  readonly #tools: KubeletTools;
  readonly #starts: ContainerStarts;
  readonly #terminationMessages: TerminationMessages;
  readonly #resize: PodResize;
  readonly #ended: () => void;
  #pod: Pod;
  #state: State = 'syncing';
  #failure: PodFailure | undefined;
  #volumesMs = 0;
  /** When this kubelet first saw the pod, until the pod runs. */
  #startingMs: number | undefined;
  #admitted = false;
  /** When the node first had no place for it. */
  #refusedMs: number | undefined;
  #admittedAt: number | undefined;
  #restartsAll = false;
  #volumesReleased = false;
  #removedFromApi = false;
  #stopped = false;
  #dirty = false;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #graceStarted: { seconds: number } | undefined;

  /** `ended` is called when the pod has no remains on this node. */
  constructor(pod: Pod, tools: KubeletTools, ended: () => void) {
    this.#pod = pod;
    this.#tools = tools;
    this.#terminationMessages = new TerminationMessages(tools.config, tools.clock);
    this.#starts = new ContainerStarts(tools);
    this.#resize = new PodResize(pod.metadata.uid, tools);
    this.#ended = ended;
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** The pod with its allocated resources: they differ from its requests while a resize is pending. */
  get promised(): Pod {
    return this.#resize.promised(this.#pod);
  }

  get waitsForResize(): boolean {
    return this.#resize.isDeferred;
  }

  /** It should run, and has not ended. */
  get isActive(): boolean {
    return this.#state === 'syncing' && !this.#failure && !this.#isTerminal;
  }

  /** It has its share of the node: it was admitted, now or by the kubelet before. */
  get isCounted(): boolean {
    if (this.#state === 'finished' || this.#failure?.isRefused) return false;
    return this.#admitted || this.#runsAlready;
  }

  get #runsAlready(): boolean {
    return this.#tools.cache.get(this.#pod.metadata.uid).sandboxes.length > 0;
  }

  get hasEnded(): boolean {
    return this.#state === 'syncing' && this.#isTerminal && this.#volumesReleased;
  }

  get isFinished(): boolean {
    return this.#state === 'finished';
  }

  /** The API's newest version of the pod; undefined once the API no longer has it. */
  update(pod: Pod | undefined): void {
    if (pod) this.#pod = pod;
    else this.#removedFromApi = true;
    if ((!pod || pod.metadata.deletionTimestamp) && this.#state === 'syncing') {
      this.#state = 'terminating';
      this.#starts.abort();
    }
    // A shorter grace period during termination: containers are stopped again with it.
    const grace = pod ? graceOf(pod) : 0;
    if (this.#graceStarted && grace < this.#graceStarted.seconds) {
      this.#graceStarted.seconds = grace;
      void stopSooner(this.#pod.metadata.uid, grace, this.#tools);
    }
    this.wake();
  }

  /** Something changed: sync soon. Many wakes make one sync. */
  wake(): void {
    this.#dirty = true;
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends the worker, not the pod: the next kubelet repeats cancelled pulls. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#starts.abort();
    this.#timer?.cancel();
    await this.#running;
  }

  async #loop(): Promise<void> {
    await Promise.resolve();
    while (this.#dirty && !this.#stopped && this.#state !== 'finished') {
      this.#dirty = false;
      this.#timer?.cancel();
      let afterMs: number;
      try {
        afterMs = this.#state === 'syncing' ? await this.#sync() : await this.#terminate();
      } catch (error) {
        this.#tools.logger.error('pod sync failed', {
          pod: this.#pod.metadata.name,
          error: errorText(error),
        });
        afterMs = retryMs;
      }
      if (!this.#stopped && !this.isFinished) this.#timer = this.#tools.clock.after(afterMs, () => this.wake());
    }
  }

  get #isTerminal(): boolean {
    const phase = this.#tools.statuses.get(this.#pod.metadata.uid)?.phase ?? this.#pod.status?.phase;
    return phase === 'Succeeded' || phase === 'Failed';
  }

  /** One sync of a running pod. Returns when to sync again, in milliseconds. */
  async #sync(): Promise<number> {
    const { tools, runtime } = await this.#look();
    if (!this.#admitted) {
      const waitMs = await this.#admit();
      if (waitMs > 0) return waitMs;
    }
    this.#checkDeadline();
    if (this.#failure || this.#isTerminal) return this.#end(runtime);
    const promised = await this.#resize.admit(this.#pod, runtime);
    const resize = this.#resize.actions(promised, runtime);
    const actions = podActions(promised, runtime, tools.probes, hashOf, resize.restart);
    const waitMs = await this.#act(promised, actions, resize, runtime);
    await this.#report(isNothing(actions) ? runtime : undefined);
    return Math.min(waitMs, Math.max(1, deadlineLeftMs(this.#pod, this.#tools.clock.now())));
  }

  /** Ends a pod that stays in the API: it has completed, or the node ended it. Its containers stay for their logs. */
  async #end(runtime: RuntimePod): Promise<number> {
    const tools = this.#tools;
    if (runtime.sandboxes.some((s) => s.state === 'ready')) {
      await this.#report(runtime);
      await stopPod(this.#pod, this.#failure?.graceSeconds ?? graceOf(this.#pod), tools);
    }
    // Containers of ended pods may have been removed since: then the API's status is the last record.
    const ended = (await this.#look()).runtime;
    if (ended.containers.length > 0 || !this.#volumesReleased) await this.#report(ended, true);
    if (!tools.config.usesFilesystem || this.#volumesReleased) return syncFrequencyMs;
    tools.cgroups?.remove(this.#pod.metadata.uid);
    await releaseVolumes(podDirectories(tools.config.rootDirectory, this.#pod.metadata.uid));
    this.#volumesReleased = true;
    return syncFrequencyMs;
  }

  /** Ends the pod because the node cannot bear it any more. */
  evict(message: string, how: EvictionManner = atOnce): void {
    if (!this.isActive) return;
    this.#failure = { reason: 'Evicted', message, ...how };
    this.#tools.events.event(this.#pod, 'Warning', 'Evicted', message);
    this.#starts.abort();
    this.wake();
  }

  async #look(): Promise<{ tools: KubeletTools; runtime: RuntimePod }> {
    await this.#tools.cache.refresh(this.#pod.metadata.uid);
    return { tools: this.#tools, runtime: this.#tools.cache.get(this.#pod.metadata.uid) };
  }

  /** Returns after how many milliseconds to try again; 0: it is decided. */
  async #admit(): Promise<number> {
    const runsAlready = this.#runsAlready;
    const now = this.#tools.clock.monotonic();
    if (!runsAlready) this.#startingMs ??= now;
    let refusal = runsAlready ? undefined : this.#tools.refuse(this.#pod);
    if (refusal?.reason === nodeAffinity) {
      await this.#tools.readNode();
      refusal = this.#tools.refuse(this.#pod);
    }
    if (refusal) {
      const waitMs = (this.#refusedMs ??= now) + refusalMs - now;
      if (waitMs > 0) return waitMs;
    }
    // From here on other admissions see it: no await since their state was read.
    this.#admitted = true;
    this.#admittedAt = this.#tools.clock.now();
    if (!refusal) return 0;
    this.#failure = { reason: refusal.reason, message: `Pod was rejected: ${refusal.message}`, isRefused: true };
    this.#tools.events.event(this.#pod, 'Warning', refusal.reason, refusal.message);
    return 0;
  }

  #checkDeadline(): void {
    if (this.#isTerminal || deadlineLeftMs(this.#pod, this.#tools.clock.now()) > 0) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    if (!this.#failure) this.#tools.events.event(this.#pod, 'Normal', 'DeadlineExceeded', message);
    this.#failure = { reason: 'DeadlineExceeded', message };
  }

  /** Runs the decided actions. Returns when to sync again. */
  async #act(promised: Pod, actions: PodActions, resize: ResizeActions, runtime: RuntimePod): Promise<number> {
    const tools = this.#tools;
    if (actions.killPod) {
      await stopPod(this.#pod, graceOf(this.#pod), tools);
      if (!actions.createSandbox) return syncFrequencyMs;
    }
    if (actions.reset.length > 0) return this.#reset(actions.reset, runtime);
    for (const kill of actions.kill) {
      const status = runtime.containers.find((c) => c.id === kill.id);
      if (status) await stopContainer(this.#pod, status, killGrace(this.#pod, kill), kill.message, tools);
    }
    if (resize.pod) await this.#resize.apply(promised, resize, runtime.sandboxes[0]?.id);
    if (actions.start.length > 0 || actions.createSandbox) return this.#run(promised, actions);
    if (!tools.config.usesFilesystem) return syncFrequencyMs;
    // ConfigMaps, Secrets and tokens in volumes are updated while the pod runs.
    const staleMs = tools.clock.monotonic() - this.#volumesMs;
    if (staleMs < volumeRefreshMs) return Math.max(volumeRetryMs, volumeRefreshMs - staleMs);
    return (await this.#volumes()) ? syncFrequencyMs : volumeRetryMs;
  }

  /** Removes all containers, so that they restart from the first. */
  async #reset(ids: readonly string[], runtime: RuntimePod): Promise<number> {
    this.#restartsAll = true;
    for (const id of ids) {
      const status = runtime.containers.find((c) => c.id === id)!;
      const message = `Stopping container ${status.name}`;
      if (status.state === 'running') await stopContainer(this.#pod, status, graceOf(this.#pod), message, this.#tools);
      await this.#tools.runtime.removeContainer(id);
    }
    this.#starts.forgetWaits();
    await this.#report();
    this.#restartsAll = false;
    return 0;
  }

  /** Starts containers; reports the status meanwhile if a pull or a hook takes long. */
  async #run(promised: Pod, actions: PodActions): Promise<number> {
    const { clock, logger } = this.#tools;
    const slow = clock.after(slowStartMs, () => {
      this.#report().catch((error) => logger.warn('pod status not reported', { error: String(error) }));
    });
    const leftMs = deadlineLeftMs(this.#pod, clock.now());
    const deadline = Number.isFinite(leftMs) ? clock.after(leftMs, () => this.#starts.abort()) : undefined;
    try {
      const volumes = await this.#volumes();
      if (!volumes) return volumeRetryMs;
      return await this.#starts.run(promised, actions, volumes, async () => (await this.#look()).runtime);
    } finally {
      slow.cancel();
      deadline?.cancel();
    }
  }

  /** Undefined if a volume is not possible yet. */
  #volumes(): Promise<ReadonlyMap<string, MountedVolume> | undefined> {
    this.#volumesMs = this.#tools.clock.monotonic();
    return podVolumes(this.#pod, this.#tools);
  }

  /** Reports the pod's status to the API, and starts or stops probes. */
  async #report(observed?: RuntimePod, hasEnded = false): Promise<void> {
    const tools = this.#tools;
    const runtime = observed ?? (await this.#look()).runtime;
    if (runtime.containers.length > manyContainers) await nextTurn();
    const containers = tools.config.usesFilesystem
      ? await this.#terminationMessages.of(this.#pod, runtime.containers)
      : runtime.containers;
    probePod(this.#pod, this.#state === 'syncing' ? runtime : undefined, tools);
    const names = new Map(runtime.containers.map(({ id, name }) => [id, name]));
    const specs = allContainers(this.#pod);
    const containerOf = (id: string) => named(specs, names.get(id) ?? '');
    const ask = (id: string, question: 'isReady' | 'isStarted') => {
      const container = containerOf(id);
      return container !== undefined && tools.probes[question](id, container);
    };
    const { promised } = this;
    const status = podStatus(
      withKnownStatus(promised, tools.statuses.get(this.#pod.metadata.uid)),
      { ...runtime, containers },
      {
        waiting: this.#starts.waiting,
        isReady: (id) => this.#state === 'syncing' && ask(id, 'isReady'),
        isStarted: (id) => ask(id, 'isStarted'),
        hostIPs: tools.config.nodeIPs,
        runtimeName: tools.runtime.version.split(':')[0],
        now: tools.clock.now(),
        ...(this.#admittedAt && { startedAt: this.#admittedAt }),
        starting: this.#starts.starting,
        hasEnded,
        restartsAll: this.#restartsAll,
        actualResources: this.#resize.actual(promised, runtime),
        conditions: [...(hasEnded ? [] : this.#resize.conditions()), ...disruptionOf(this.#failure)],
        podLimits: tools.cgroups?.limits(promised),
        ...(this.#failure && { failure: this.#failure }),
      },
    );
    if (status.phase === 'Running' && this.#startingMs !== undefined) {
      tools.podStarted((tools.clock.monotonic() - this.#startingMs) / 1000);
      this.#startingMs = undefined;
    }
    tools.statuses.set(this.#pod, status);
  }

  /** Ends the pod, reports it to the API, and removes its remains. */
  async #terminate(): Promise<number> {
    const { tools } = await this.#look();
    const { uid, name, namespace } = this.#pod.metadata;
    tools.probes.removePod(uid);
    const grace = this.#removedFromApi ? Math.min(graceOf(this.#pod), 2) : graceOf(this.#pod);
    this.#graceStarted = { seconds: grace };
    if (!this.#removedFromApi) await this.#report();
    await stopPod(this.#pod, grace, tools);
    tools.cgroups?.remove(uid);
    this.#graceStarted = undefined;
    if (!this.#removedFromApi) {
      await this.#report(undefined, true);
      await tools.statuses.flushed(uid);
      if (tools.config.usesFilesystem) await tearDownVolumes(podDirectories(tools.config.rootDirectory, uid));
      try {
        await tools.client.delete('pods', { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error) && !/precondition/i.test((error as Error).message)) throw error;
      }
    }
    await this.#clear();
    return syncFrequencyMs;
  }

  async #clear(): Promise<void> {
    const { tools, runtime } = await this.#look();
    const { config } = tools;
    for (const container of runtime.containers) await tools.runtime.removeContainer(container.id);
    for (const sandbox of runtime.sandboxes) {
      await tools.runtime.stopPodSandbox(sandbox.id);
      await tools.runtime.removePodSandbox(sandbox.id);
    }
    tools.cgroups?.remove(this.#pod.metadata.uid);
    if (config.usesFilesystem) {
      await tearDownVolumes(podDirectories(config.rootDirectory, this.#pod.metadata.uid));
      await rm(logDirectory(config.podLogsDirectory, this.#pod), { recursive: true, force: true });
    }
    tools.images.forget(this.#pod.metadata.uid);
    tools.statuses.forget(this.#pod.metadata.uid);
    this.#state = 'finished';
    this.#ended();
  }
}
