// The scheduler's loop: informers fill cache and queue, each pod is tried in turn, and bound or refused.

import { formatTime, type Node, type Pod, type PodDisruptionBudget } from '../api/api.ts';
import { type ComponentContext, createInformer, errorText } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { must } from '../machinery/must.ts';
import { Binder, toolsFor } from './binder.ts';
import { SchedulerCache } from './cache.ts';
import type { NodeAspect } from './cluster-events.ts';
import { type CycleResult, unschedulableMessage } from './cycle.ts';
import { attempt, withinCycle } from './cycle-effort.ts';
import { type Decision, Decisions, type RecordedDecision } from './decisions.ts';
import { openDevices } from './devices/devices.ts';
import { type Asking, cycleWith, preemptionWith } from './extenders/ask-extenders.ts';
import type { Extender } from './extenders/extender.ts';
import { CycleError, type Failure, type Preemption } from './framework.ts';
import { isBeingResized, type PodInfo, podInfo, requestsLess } from './pod-info.ts';
import { type PostFilterResult, runPostFilters } from './post-filter.ts';
import { createProfile, failedScheduling, type Profile, type ProfileConfig } from './profile.ts';
import { type BackOff, type QueuedPod, SchedulingQueue } from './queue.ts';
import { openStorage } from './storage.ts';

export interface SchedulerConfig {
  readonly profiles: readonly ProfileConfig[];
  readonly backOff?: BackOff;
  readonly extenders?: readonly Extender[];
}

/** Most bindings in progress. */
const maxBindings = 256;
/** Pods scheduled before other work of the process gets its turn. */
const turnPods = 32;
/** The time after which it gets its turn even before. */
const turnMs = 30;
const noProfile: Profile['pluginByName'] = new Map();

export class Scheduler {
  readonly #context: ComponentContext;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #cache = new SchedulerCache();
  readonly #queue: SchedulingQueue;
  readonly #binder: Binder;
  readonly #decisions = new Decisions();
  readonly #writes = new Set<Promise<void>>();
  readonly #extenders: readonly Extender[];
  /** Pods that wait for extenders: the next pod has its turn after the answers. */
  #asking = 0;
  readonly #attempts;
  #informers: { stop(): Promise<void> }[] = [];
  #budgets: () => readonly PodDisruptionBudget[] = () => [];
  #turnPlanned = false;
  #stopped = false;

  constructor(context: ComponentContext, { profiles, backOff, extenders = [] }: SchedulerConfig) {
    this.#context = context;
    this.#extenders = extenders;
    this.#profiles = new Map(profiles.map((config) => [config.schedulerName, createProfile(context, config)]));
    this.#queue = new SchedulingQueue({
      pluginsOf: ({ pod }) => this.#profileOf(pod)?.pluginByName ?? noProfile,
      snapshot: this.#cache,
      clock: context.clock,
      ready: () => this.#planTurn(),
      ...(backOff && { backOff }),
    });
    this.#binder = new Binder({
      context,
      cache: this.#cache,
      queue: this.#queue,
      extenders,
      done: () => this.#planTurn(),
      count: (profile, result) => this.#count(profile, result),
      failed: (profile, queued, message, node) => this.#failed(profile, queued, message, node),
    });
    this.#attempts = context.metrics.counter(
      'scheduler_schedule_attempts_total',
      'Number of attempts to schedule pods, by the result.',
    );
    const pending = context.metrics.gauge('scheduler_pending_pods', 'Number of pending pods, by the queue type.');
    context.metrics.onCollect(() => {
      for (const [queue, count] of Object.entries(this.#queue.counts)) pending.set(count, { queue });
    });
  }

  async start(): Promise<void> {
    const nodes = createInformer(this.#context, 'nodes');
    const pods = createInformer(this.#context, 'pods', {
      fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
    });
    const namespaces = createInformer(this.#context, 'namespaces');
    const budgets = createInformer(this.#context, 'poddisruptionbudgets');
    const services = createInformer(this.#context, 'services');
    this.#budgets = () => budgets.list();
    const opening = Promise.all([openStorage(this.#context), openDevices(this.#context)]);
    this.#informers = [nodes, pods, namespaces, budgets, services];
    await Promise.all([nodes, pods, namespaces, budgets, services].map((informer) => informer.synced()));
    const [storage, devices] = await opening;
    this.#informers.push(storage, devices);
    this.#cache.storage = storage.storage;
    this.#cache.devices = devices.devices;
    storage.start((event) => this.#queue.wake(event));
    devices.start((event) => this.#queue.wake(event));
    namespaces.handle((next, old) =>
      this.#cache.setNamespace(must(next ?? old, 'namespace').metadata.name, next && (next.metadata.labels ?? {})),
    );
    services.handle((next, old) => this.#cache.setService(must(next ?? old, 'service'), !next));
    nodes.handle((next, old) => this.#nodeChanged(next, old));
    pods.handle((next, old) => this.#podChanged(next, old));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.stop();
    this.#binder.stop();
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    await Promise.allSettled(this.#writes);
    for (const { events } of this.#profiles.values()) await events.stop();
  }

  explain(pod: string): Decision | undefined {
    return this.#decisions.get(pod);
  }

  #profileOf({ spec }: Pod): Profile | undefined {
    return this.#profiles.get(spec.schedulerName ?? 'default-scheduler');
  }

  #nodeChanged(next: Node | undefined, old: Node | undefined): void {
    if (!next) return this.#nodeRemoved(must(old, 'node'));
    this.#cache.setNode(next);
    if (!old) return this.#queue.wake({ type: 'node-added', node: next });
    const aspects = aspectsChanged(next, old);
    if (aspects.length > 0) this.#queue.wake({ type: 'node-changed', node: next, old, aspects });
  }

  #nodeRemoved(node: Node): void {
    this.#cache.removeNode(node.metadata.name);
    this.#queue.wake({ type: 'node-removed', node });
  }

  #podDeleted(pod: Pod): void {
    const { uid, namespace, name } = pod.metadata;
    this.#queue.remove(uid);
    this.#binder.abort(uid);
    this.#decisions.forget(`${namespace}/${name}`);
    if (!this.#cache.isPlaced(uid)) return this.#withdraw(pod);
    this.#cache.remove(uid);
    this.#queue.wake({ type: 'pod-gone', pod });
  }

  #podChanged(next: Pod | undefined, old: Pod | undefined): void {
    if (!next) return this.#podDeleted(must(old, 'pod'));
    const { uid } = next.metadata;
    if (next.spec.nodeName) return this.#podPlaced(next, old);
    if (next.metadata.deletionTimestamp) {
      this.#queue.remove(uid);
      return this.#withdraw(next);
    }
    if (!this.#profileOf(next) || this.#cache.isPlaced(uid)) return;
    const info = podInfo(next);
    this.#followNomination(info, old);
    const gate =
      old && !isAsBefore(next, old)
        ? this.#queue.update(info, { type: 'pod-updated', pod: next, old })
        : this.#queue.add(info);
    if (gate) this.#decisions.record({ ...this.#blank(info), message: gate });
  }

  /** An update without a nominated node before and after may be older than a local nomination, which stays. */
  #followNomination(info: PodInfo, old: Pod | undefined): void {
    const { nominations } = this.#cache;
    const { uid } = info.pod.metadata;
    const was = old?.status?.nominatedNodeName;
    const node = info.pod.status?.nominatedNodeName || (was ? undefined : nominations.nodeOf(uid));
    if (node) nominations.set(info, node);
    else nominations.delete(uid);
  }

  /** The pod no longer waits: others may have the place that was nominated for it. */
  #withdraw(pod: Pod): void {
    const node = this.#cache.nominations.nodeOf(pod.metadata.uid);
    if (node === undefined) return;
    this.#cache.nominations.delete(pod.metadata.uid);
    this.#queue.wake({ type: 'pod-gone', pod: { ...pod, spec: { ...pod.spec, nodeName: node } } });
  }

  #podPlaced(pod: Pod, old: Pod | undefined): void {
    const isPlaced = this.#cache.isPlaced(pod.metadata.uid);
    // Most status changes do not affect the pod's requests.
    if (isPlaced && old?.spec.nodeName && isSameToOthers(pod, old)) return;
    this.#queue.remove(pod.metadata.uid);
    const info = podInfo(pod);
    const before = old?.spec.nodeName ? this.#cache.requestsOf(pod.metadata.uid) : undefined;
    this.#cache.place(info, must(pod.spec.nodeName, 'nodeName'));
    if (before && requestsLess(info.requests, before))
      this.#queue.wake({ type: 'pod-scaled-down', pod, before, after: info.requests });
    if (!old?.spec.nodeName) this.#queue.wake({ type: 'pod-assigned', pod });
    else if (!deepEqual(old.metadata.labels, pod.metadata.labels))
      this.#queue.wake({ type: 'pod-relabelled', pod, old });
  }

  #planTurn(): void {
    if (this.#turnPlanned || this.#stopped) return;
    this.#turnPlanned = true;
    setImmediate(() => {
      this.#turnPlanned = false;
      this.#turn();
    });
  }

  get #isBusy(): boolean {
    return this.#stopped || this.#asking > 0 || this.#binder.bindings >= maxBindings;
  }

  #turn(): void {
    const { clock } = this.#context;
    const endMs = clock.monotonic() + turnMs;
    for (let count = 0; count < turnPods && clock.monotonic() < endMs && !this.#isBusy; count++) {
      const queued = this.#queue.pop();
      if (!queued) return;
      this.#schedule(queued);
    }
    if (!this.#isBusy) this.#planTurn();
  }

  #schedule(queued: QueuedPod): void {
    const { info } = queued;
    const profile = must(this.#profileOf(info.pod), 'profile');
    const asked = this.#extendersOf(info);
    if (asked) {
      const run = () => cycleWith(profile.cycle, asked);
      return this.#ask(async () => {
        const result = await run().catch((error: Error) => error);
        if (this.#queue.has(queued)) this.#settle(profile, queued, result);
      });
    }
    this.#settle(
      profile,
      queued,
      attempt(this.#cache, () => profile.cycle.run(info, this.#cache)),
    );
  }

  #settle(profile: Profile, queued: QueuedPod, result: CycleResult | Error): void {
    const { info } = queued;
    try {
      if (result instanceof Error) throw result;
      if (!result.ok) return this.#refused(profile, queued, result);
      const held = result.reserve();
      this.#cache.place(info, result.node);
      this.#record(info, result, `assigned to ${result.node}`);
      this.#track(this.#binder.bind(profile, queued, result.node, held));
    } catch (error) {
      if (error instanceof CycleError) return this.#failed(profile, queued, error.message);
      this.#context.logger.error('scheduling cycle failed', { pod: info.key, error: errorText(error) });
      this.#count(profile, 'error');
      this.#queue.failed(queued);
    }
  }

  /** Those that have a say about this pod; undefined when there are none. */
  #extendersOf(pod: PodInfo): Asking | undefined {
    if (this.#extenders.length === 0) return undefined;
    const extenders = this.#extenders.filter((extender) => extender.isInterested(pod.pod));
    return extenders.length === 0 ? undefined : { extenders, pod, snapshot: this.#cache, logger: this.#context.logger };
  }

  #ask(work: () => Promise<void>): void {
    this.#asking++;
    const run = async () => {
      try {
        await work();
      } finally {
        this.#asking--;
        this.#planTurn();
      }
    };
    this.#track(run());
  }

  /** The attempt failed with an error: no event of the cluster is needed for the next one. */
  #failed({ name, events, status }: Profile, queued: QueuedPod, message: string, expected?: string): void {
    const { pod } = queued.info;
    this.#attempts.add(1, { profile: name, result: 'error' });
    events.report(pod, failedScheduling(message));
    this.#cache.nominations.delete(pod.metadata.uid);
    const before = expected ?? pod.status?.nominatedNodeName;
    this.#track(status.report(pod, message, null, 'SchedulerError', before));
    this.#queue.failed(queued);
  }

  #refused(profile: Profile, queued: QueuedPod, failure: Failure): void {
    const { plugins } = profile;
    const isEmpty = this.#cache.nodes.length === 0;
    const input = { plugins, pod: queued.info, failure, snapshot: this.#cache, budgets: this.#budgets() };
    const found = isEmpty
      ? { message: '', clearsNomination: true }
      : withinCycle(this.#cache, () => runPostFilters(input));
    const { work, preemption } = found;
    const asked = preemption && this.#extendersOf(queued.info);
    if (asked) return this.#ask(async () => this.#report(profile, queued, failure, await foundWith(preemption, asked)));
    if (!work) return this.#report(profile, queued, failure, found);
    const run = async () => {
      const tools = toolsFor(this.#context, profile, queued, new AbortController().signal);
      const error = await work(tools).catch(({ message }: Error) => message);
      this.#report(profile, queued, failure, error === undefined ? found : { message: error, clearsNomination: false });
    };
    this.#track(run());
  }

  #report(profile: Profile, queued: QueuedPod, failure: Failure, found: PostFilterResult): void {
    const { info } = queued;
    const message = unschedulableMessage(this.#cache.nodes.length, failure, found.message);
    this.#count(profile, 'unschedulable');
    this.#record(info, failure, message);
    profile.events.report(info.pod, failedScheduling(message));
    if (found.preemption) return this.#preempt(profile, queued, failure, message, found.preemption);
    this.#queue.refused(queued, failure.plugins);
    if (found.clearsNomination) this.#cache.nominations.delete(info.pod.metadata.uid);
    this.#track(profile.status.report(info.pod, message, found.clearsNomination ? null : undefined));
  }

  /** Nominates the node, and deletes the victims. The pod is requeued when they are gone. */
  #preempt({ status }: Profile, queued: QueuedPod, { plugins }: Failure, message: string, found: Preemption): void {
    const { info } = queued;
    this.#cache.nominations.set(info, found.node);
    for (const { metadata } of found.victims) this.#cache.setPreempted(metadata.uid, true);
    for (const { metadata } of found.displaced) this.#cache.nominations.delete(metadata.uid);
    const work = async () => {
      for (const pod of found.displaced) await status.clearNomination(pod);
      await status.report(info.pod, message, found.node);
      for (const victim of found.victims)
        if (!(await status.preempt(victim, info.pod))) this.#cache.setPreempted(victim.metadata.uid, false);
      this.#queue.refused(queued, plugins);
    };
    this.#track(work());
  }

  #count({ name }: Profile, result: 'scheduled' | 'unschedulable' | 'error'): void {
    this.#attempts.add(1, { profile: name, result });
  }

  #blank(info: PodInfo): RecordedDecision {
    const time = formatTime(this.#context.clock.now());
    return { pod: info.key, time, message: '', filtered: [], evaluated: 0, total: this.#cache.nodes.length };
  }

  #record(info: PodInfo, result: CycleResult, message: string): void {
    this.#decisions.record({
      ...this.#blank(info),
      message,
      filtered: result.filtered,
      evaluated: result.evaluated,
      ...(result.ok && { node: result.node, ranked: result.ranked }),
    });
  }

  #track(write: Promise<void>): void {
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }
}

async function foundWith(preemption: Preemption, asked: Asking): Promise<PostFilterResult> {
  try {
    const left = await preemptionWith(preemption, asked);
    return left
      ? { message: '', preemption: left, clearsNomination: false }
      : { message: 'no candidate node for preemption', clearsNomination: false };
  } catch (error) {
    return { message: (error as Error).message, clearsNomination: false };
  }
}

/** To the scheduling of other pods. */
const isSameToOthers = (next: Pod, old: Pod): boolean =>
  next.spec === old.spec &&
  next.metadata.labels === old.metadata.labels &&
  next.metadata.deletionTimestamp === old.metadata.deletionTimestamp &&
  !isBeingResized(next) &&
  !isBeingResized(old);

/** Only the status changed, and in it nothing that the pod waits for. */
const isAsBefore = (next: Pod, old: Pod): boolean =>
  deepEqual(next.spec, old.spec) &&
  deepEqual(next.metadata.labels, old.metadata.labels) &&
  deepEqual(next.status?.resourceClaimStatuses, old.status?.resourceClaimStatuses);

function aspectsChanged(next: Node, old: Node): NodeAspect[] {
  const aspects: NodeAspect[] = [];
  if (!deepEqual(next.status?.allocatable, old.status?.allocatable)) aspects.push('allocatable');
  if (!deepEqual(next.metadata.labels, old.metadata.labels)) aspects.push('labels');
  if (!deepEqual(next.spec?.taints, old.spec?.taints) || next.spec?.unschedulable !== old.spec?.unschedulable)
    aspects.push('taints');
  if (!deepEqual(next.status?.declaredFeatures, old.status?.declaredFeatures)) aspects.push('features');
  const conditions = (node: Node) => node.status?.conditions?.map((c) => [c.type, c.status]);
  if (!deepEqual(conditions(next), conditions(old))) aspects.push('conditions');
  return aspects;
}
