// The room's front door. The scheduler assigns nodes to pods without one.
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

import { formatTime, isConflict, isNotFound, type Node, type Pod, type PodDisruptionBudget } from '../api/api.ts';
import {
  type ComponentContext,
  createEventRecorder,
  createInformer,
  type EventRecorder,
  errorText,
  fencedClient,
  type LeaderElection,
  type RunningComponent,
  runLeaderElection,
} from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { must } from '../machinery/must.ts';
import { SchedulerCache } from './cache.ts';
import type { NodeAspect } from './cluster-events.ts';
import { type CycleResult, type HeldReservation, SchedulingCycle, unschedulableMessage } from './cycle.ts';
import { type Decision, Decisions, type RecordedDecision } from './decisions.ts';
import type { Plugin } from './framework.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { type PodInfo, podInfo } from './pod-info.ts';
import { PodStatusWriter } from './pod-status-writer.ts';
import { findPreemption, type Preemption } from './preemption.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { openStorage } from './storage.ts';

export type { RankedNode } from './cycle.ts';
export type { Decision } from './decisions.ts';
export type { FilteredNode } from './filtering.ts';

export interface KubeSchedulerConfig {
  /** Schedules pods of this schedulerName. Default: default-scheduler. */
  readonly schedulerName?: string;
  readonly plugins?: readonly Plugin[];
  /** With it, only the holder of the Lease schedules. */
  readonly leaderElection?: { readonly identity: string };
}

export interface RunningScheduler extends RunningComponent {
  /** The last decision about the pod (namespace/name); undefined if evicted. */
  explain(pod: string): Decision | undefined;
}

/** Bindings that may be under way at one time. */
const maxBindings = 256;
/** Pods scheduled before other work of the process gets its turn. */
const turnPods = 32;

export async function startKubeScheduler(
  context: ComponentContext,
  config: KubeSchedulerConfig,
): Promise<RunningScheduler> {
  if (!config.leaderElection) return startLeading(context, config);
  let running: Promise<RunningScheduler> | undefined;
  let current: RunningScheduler | undefined;
  const election: LeaderElection = runLeaderElection(context, {
    name: 'kube-scheduler',
    identity: config.leaderElection.identity,
    onStartedLeading() {
      // No pod is bound after the lead is lost.
      running = startLeading({ ...context, client: fencedClient(context.client, () => election.holds) }, config);
      void running.then((scheduler) => {
        current = scheduler;
      });
    },
    onStoppedLeading: () => context.fatal(new Error('kube-scheduler lost its lead')),
  });
  return {
    explain: (pod) => current?.explain(pod),
    async stop() {
      await (await running)?.stop();
      await election.stop();
    },
  };
}

async function startLeading(context: ComponentContext, config: KubeSchedulerConfig): Promise<RunningScheduler> {
  const scheduler = new Scheduler(context, config);
  await scheduler.start();
  return scheduler;
}

class Scheduler implements RunningScheduler {
  readonly #context: ComponentContext;
  readonly #name: string;
  readonly #plugins: readonly Plugin[];
  readonly #cache = new SchedulerCache();
  readonly #queue: SchedulingQueue;
  readonly #cycle: SchedulingCycle;
  readonly #events: EventRecorder;
  readonly #decisions = new Decisions();
  readonly #status: PodStatusWriter;
  readonly #writes = new Set<Promise<void>>();
  /** Pods that have a node and wait for something else, such as a volume. */
  readonly #reserving = new Map<string, AbortController>();
  readonly #attempts;
  #informers: { stop(): Promise<void> }[] = [];
  #budgets: () => readonly PodDisruptionBudget[] = () => [];
  #bindings = 0;
  #turnPlanned = false;
  #stopped = false;

  constructor(context: ComponentContext, config: KubeSchedulerConfig) {
    this.#context = context;
    this.#name = config.schedulerName ?? 'default-scheduler';
    this.#plugins = config.plugins ?? defaultPlugins;
    this.#queue = new SchedulingQueue(this.#plugins, context.clock, () => this.#planTurn());
    this.#cycle = new SchedulingCycle(this.#plugins, context.random);
    this.#events = createEventRecorder(context, { component: this.#name });
    this.#status = new PodStatusWriter(context, this.#name, this.#events);
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
    this.#budgets = () => budgets.list();
    const opening = openStorage(this.#context);
    this.#informers = [nodes, pods, namespaces, budgets];
    await Promise.all([nodes, pods, namespaces, budgets].map((informer) => informer.synced()));
    const storage = await opening;
    this.#informers.push(storage);
    this.#cache.storage = storage.storage;
    storage.start((event) => this.#queue.wake(event));
    namespaces.handle((next, old) =>
      this.#cache.setNamespace(must(next ?? old, 'namespace').metadata.name, next && (next.metadata.labels ?? {})),
    );
    nodes.handle((next, old) => this.#nodeChanged(next, old));
    pods.handle((next, old) => this.#podChanged(next, old));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.stop();
    for (const reserving of this.#reserving.values()) reserving.abort();
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    await Promise.allSettled(this.#writes);
    await this.#events.flush();
  }

  explain(pod: string): Decision | undefined {
    return this.#decisions.get(pod);
  }

  #nodeChanged(next: Node | undefined, old: Node | undefined): void {
    if (!next) return this.#cache.removeNode(must(old, 'node').metadata.name);
    this.#cache.setNode(next);
    if (!old) return this.#queue.wake({ type: 'node-added', node: next });
    const aspects = aspectsChanged(next, old);
    if (aspects.length > 0) this.#queue.wake({ type: 'node-changed', node: next, old, aspects });
  }

  #podDeleted(pod: Pod): void {
    const { uid, namespace, name } = pod.metadata;
    this.#queue.remove(uid);
    this.#reserving.get(uid)?.abort();
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
    if ((next.spec.schedulerName ?? 'default-scheduler') !== this.#name || this.#cache.isPlaced(uid)) return;
    const info = podInfo(next);
    this.#followNomination(info, old);
    const onlyStatus = old && deepEqual(next.spec, old.spec) && deepEqual(next.metadata.labels, old.metadata.labels);
    const gate =
      old && !onlyStatus ? this.#queue.update(info, { type: 'pod-updated', pod: next, old }) : this.#queue.add(info);
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
    // A status change does not affect the pod's requests.
    if (isPlaced && old?.spec.nodeName && old.spec === pod.spec && old.metadata.labels === pod.metadata.labels) return;
    this.#queue.remove(pod.metadata.uid);
    this.#cache.place(podInfo(pod), must(pod.spec.nodeName, 'nodeName'));
    if (!old?.spec.nodeName) this.#queue.wake({ type: 'pod-assigned', pod });
    else if (!deepEqual(old.metadata.labels, pod.metadata.labels)) this.#queue.wake({ type: 'pod-relabelled', pod });
  }

  #planTurn(): void {
    if (this.#turnPlanned || this.#stopped) return;
    this.#turnPlanned = true;
    setImmediate(() => {
      this.#turnPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    for (let count = 0; count < turnPods && this.#bindings < maxBindings && !this.#stopped; count++) {
      const queued = this.#queue.pop();
      if (!queued) return;
      this.#schedule(queued);
    }
    if (this.#bindings < maxBindings) this.#planTurn();
  }

  #schedule(queued: QueuedPod): void {
    const { info } = queued;
    let result: CycleResult;
    try {
      result = this.#cycle.run(info, this.#cache);
    } catch (error) {
      this.#context.logger.error('scheduling cycle failed', { pod: info.key, error: errorText(error) });
      this.#attempts.add(1, { profile: this.#name, result: 'error' });
      return this.#queue.failed(queued);
    }
    if (result.ok) {
      this.#cache.place(info, result.node);
      this.#record(info, result, `assigned to ${result.node}`);
      this.#track(this.#bindReserved(queued, result.node, result.reserve()));
    } else this.#refused(queued, result);
  }

  /** Reservations may take minutes: other pods are scheduled and bound meanwhile. */
  async #bindReserved(queued: QueuedPod, node: string, held: readonly HeldReservation[]): Promise<void> {
    if (held.length === 0) return this.#bind(queued, node);
    const { info } = queued;
    const { uid } = info.pod.metadata;
    const { client, clock } = this.#context;
    const stop = new AbortController();
    this.#reserving.set(uid, stop);
    this.#queue.binding(uid);
    try {
      for (const { plugin, preBind } of held)
        await preBind({ client, clock, signal: stop.signal }).catch((error: Error) => {
          throw new Error(`running PreBind plugin "${plugin}": ${error.message}`);
        });
      if (!stop.signal.aborted) await this.#bind(queued, node);
    } catch (error) {
      this.#cache.remove(uid);
      if (stop.signal.aborted) return;
      const { message } = error as Error;
      this.#context.logger.warn('binding failed', { pod: info.key, node, error: message });
      this.#attempts.add(1, { profile: this.#name, result: 'error' });
      this.#events.event(info.pod, 'Warning', 'FailedScheduling', message);
      this.#track(this.#status.report(info.pod, message, undefined, 'SchedulerError'));
      this.#queue.failed(queued);
    } finally {
      this.#reserving.delete(uid);
      for (const reservation of held) reservation.release();
    }
  }

  async #bind(queued: QueuedPod, node: string): Promise<void> {
    const { info } = queued;
    this.#bindings++;
    const { name, namespace, uid } = info.pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { kind: 'Node', name: node },
    };
    try {
      await this.#context.client.createSubresource('pods', { name, namespace }, 'binding', binding);
      this.#queue.done(uid);
      this.#attempts.add(1, { profile: this.#name, result: 'scheduled' });
      this.#events.event(info.pod, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${node}`);
    } catch (error) {
      this.#cache.remove(uid);
      if (isNotFound(error)) this.#queue.remove(uid);
      else {
        // Another writer bound it, or the API server failed: the informer or the next attempt decides.
        if (!isConflict(error))
          this.#context.logger.warn('binding failed', { pod: info.key, node, error: String(error) });
        this.#attempts.add(1, { profile: this.#name, result: 'error' });
        this.#queue.failed(queued);
      }
    } finally {
      this.#bindings--;
      this.#planTurn();
    }
  }

  #refused(queued: QueuedPod, result: Extract<CycleResult, { ok: false }>): void {
    const { info } = queued;
    const snapshot = this.#cache;
    const total = snapshot.nodes.length;
    const found =
      total > 0 && !result.everywhere
        ? findPreemption({ plugins: this.#plugins, pod: info, failure: result, snapshot, budgets: this.#budgets() })
        : undefined;
    const message = unschedulableMessage(total, result, found && 'why' in found ? found.why : undefined);
    this.#attempts.add(1, { profile: this.#name, result: 'unschedulable' });
    this.#record(info, result, message);
    this.#events.event(info.pod, 'Warning', 'FailedScheduling', message);
    if (found && 'victims' in found) return this.#preempt(queued, result, message, found);
    this.#queue.refused(queued, result.plugins);
    const keeps = found === undefined || found.waits;
    if (!keeps) this.#cache.nominations.delete(info.pod.metadata.uid);
    this.#track(this.#status.report(info.pod, message, keeps ? undefined : null));
  }

  /** Nominates the node, and deletes the victims. The pod is requeued when they are gone. */
  #preempt(queued: QueuedPod, { plugins }: { plugins: ReadonlySet<string> }, message: string, found: Preemption): void {
    const { info } = queued;
    this.#cache.nominations.set(info, found.node);
    for (const { metadata } of found.victims) this.#cache.setPreempted(metadata.uid, true);
    for (const { metadata } of found.displaced) this.#cache.nominations.delete(metadata.uid);
    const work = async () => {
      for (const pod of found.displaced) await this.#status.clearNomination(pod);
      await this.#status.report(info.pod, message, found.node);
      for (const victim of found.victims)
        if (!(await this.#status.preempt(victim, info.pod))) this.#cache.setPreempted(victim.metadata.uid, false);
      this.#queue.refused(queued, plugins);
    };
    this.#track(work());
  }

  #blank(info: PodInfo): RecordedDecision {
    const time = formatTime(this.#context.clock.now());
    return {
      pod: info.key,
      time,
      message: '',
      filtered: [],

      evaluated: 0,
      total: this.#cache.nodes.length,
    };
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

function aspectsChanged(next: Node, old: Node): NodeAspect[] {
  const aspects: NodeAspect[] = [];
  if (!deepEqual(next.status?.allocatable, old.status?.allocatable)) aspects.push('allocatable');
  if (!deepEqual(next.metadata.labels, old.metadata.labels)) aspects.push('labels');
  if (!deepEqual(next.spec?.taints, old.spec?.taints) || next.spec?.unschedulable !== old.spec?.unschedulable)
    aspects.push('taints');
  const conditions = (node: Node) => node.status?.conditions?.map((c) => [c.type, c.status]);
  if (!deepEqual(conditions(next), conditions(old))) aspects.push('conditions');
  return aspects;
}
