// The scheduling queue: pods that are active, backing off, or waiting for a cluster event.
// https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/#scheduling-queue

import { must } from '../machinery/must.ts';
import type { Clock, Timer } from '../machinery/time/clock.ts';
import type { ClusterEvent } from './cluster-events.ts';
import type { Plugin, Snapshot } from './framework.ts';
import type { PodInfo } from './pod-info.ts';

export interface BackOff {
  readonly firstMs: number;
  readonly longestMs: number;
}

const defaultBackOff: BackOff = { firstMs: 1_000, longestMs: 10_000 };
/** A pod is retried after this time even without an event. */
const longestWaitMs = 5 * 60_000;

export interface QueuedPod {
  info: PodInfo;
  /** Times that it was tried. */
  attempts: number;
  /** When it was first queued. */
  readonly sinceMs: number;
  /** Plugins that refused it last. */
  refusedBy: ReadonlySet<string>;
  order: number;
}

interface QueueInput {
  /** By name: those of the pod's profile. */
  readonly pluginsOf: (pod: PodInfo) => ReadonlyMap<string, Plugin>;
  readonly snapshot: Snapshot;
  readonly clock: Clock;
  /** Called when there is a pod to try. */
  readonly ready: () => void;
  readonly backOff?: BackOff;
}

interface Waiting {
  readonly queued: QueuedPod;
  readonly untilMs: number;
}

export class SchedulingQueue {
  readonly #pluginsOf: (pod: PodInfo) => ReadonlyMap<string, Plugin>;
  readonly #snapshot: Snapshot;
  readonly #backOffMs: BackOff;
  readonly #clock: Clock;
  readonly #ready: () => void;
  readonly #active = new Heap();
  readonly #queued = new Map<string, QueuedPod>();
  readonly #backingOff = new Map<string, Waiting>();
  readonly #waiting = new Map<string, Waiting>();
  /** Events during a pod's attempt: they may invalidate its rejection. */
  readonly #inFlight = new Map<string, ClusterEvent[]>();
  #order = 0;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor({ pluginsOf, snapshot, clock, ready, backOff = defaultBackOff }: QueueInput) {
    this.#pluginsOf = pluginsOf;
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#ready = ready;
    this.#backOffMs = backOff;
  }

  get counts(): { active: number; backoff: number; unschedulable: number } {
    return { active: this.#active.size, backoff: this.#backingOff.size, unschedulable: this.#waiting.size };
  }

  /** Adds a pod without a node, new or updated. Returns the reason why it is gated, if any. */
  add(info: PodInfo): string | undefined {
    const { uid } = info.pod.metadata;
    const gate = this.#gateOf(info);
    const existing = this.#queued.get(uid);
    const queued = existing ?? {
      info,
      attempts: 0,
      sinceMs: this.#clock.now(),
      refusedBy: new Set<string>(),
      order: this.#order++,
    };
    queued.info = info;
    this.#queued.set(uid, queued);
    if (gate) {
      queued.refusedBy = new Set([gate.plugin]);
      this.#waiting.set(uid, { queued, untilMs: Number.POSITIVE_INFINITY });
      return gate.reason;
    }
    if (!existing) this.#activate(queued);
    return undefined;
  }

  #gateOf(info: PodInfo): { plugin: string; reason: string } | undefined {
    for (const plugin of this.#pluginsOf(info).values()) {
      const reason = plugin.preEnqueue?.(info.pod, this.#snapshot);
      if (reason) return { plugin: plugin.name, reason };
    }
    return undefined;
  }

  /** The waiting pod was changed: it is tried again when that could matter. */
  update(info: PodInfo, event: ClusterEvent): string | undefined {
    const queued = this.#queued.get(info.pod.metadata.uid);
    if (!queued) return this.add(info);
    queued.info = info;
    if (this.#waiting.has(info.pod.metadata.uid)) {
      const gate = this.#gateOf(info);
      if (gate) return gate.reason;
    }
    this.#wakeOne(info.pod.metadata.uid, event);
    return undefined;
  }

  /** False when it was deleted, or another scheduler gave it a node. */
  has(queued: QueuedPod): boolean {
    return this.#queued.get(queued.info.pod.metadata.uid) === queued;
  }

  remove(uid: string): void {
    const queued = this.#queued.get(uid);
    if (!queued) return;
    this.#queued.delete(uid);
    this.#active.remove(queued);
    this.#backingOff.delete(uid);
    this.#waiting.delete(uid);
    this.#inFlight.delete(uid);
  }

  /** The next pod to try: the highest priority, then the longest in the queue. */
  pop(): QueuedPod | undefined {
    const queued = this.#active.pop();
    if (!queued) return undefined;
    queued.attempts++;
    this.#inFlight.set(queued.info.pod.metadata.uid, []);
    return queued;
  }

  /** The pod has a node, and is being bound: no event can change that any more. */
  binding(uid: string): void {
    this.#inFlight.delete(uid);
  }

  /** The attempt ended: the pod has a node. */
  done(uid: string): void {
    this.#inFlight.delete(uid);
    this.#queued.delete(uid);
  }

  /** Rejected: the pod waits for an event that may change the decision of one of the plugins. */
  refused(queued: QueuedPod, plugins: ReadonlySet<string>): void {
    const { uid } = queued.info.pod.metadata;
    const missed = this.#inFlight.get(uid) ?? [];
    this.#inFlight.delete(uid);
    if (this.#queued.get(uid) !== queued) return; // deleted meanwhile
    queued.refusedBy = plugins;
    if (missed.some((event) => this.#matters(queued, event))) return this.#backOff(queued);
    this.#waiting.set(uid, { queued, untilMs: this.#clock.now() + longestWaitMs });
    this.#schedule(this.#clock.now() + longestWaitMs);
  }

  /** An error unrelated to the cluster's state: retries after the back-off. */
  failed(queued: QueuedPod): void {
    const { uid } = queued.info.pod.metadata;
    this.#inFlight.delete(uid);
    if (this.#queued.get(uid) === queued) this.#backOff(queued);
  }

  /** Wakes the pods that the event may help. */
  wake(event: ClusterEvent): void {
    for (const events of this.#inFlight.values()) events.push(event);
    for (const uid of [...this.#waiting.keys()]) this.#wakeOne(uid, event);
  }

  #wakeOne(uid: string, event: ClusterEvent): void {
    const waiting = this.#waiting.get(uid);
    if (!waiting || !this.#matters(waiting.queued, event)) return;
    const gate = this.#gateOf(waiting.queued.info);
    if (gate) {
      waiting.queued.refusedBy = new Set([gate.plugin]);
      return;
    }
    this.#waiting.delete(uid);
    this.#backOff(waiting.queued);
  }

  #matters({ refusedBy, info }: QueuedPod, event: ClusterEvent): boolean {
    if (refusedBy.size === 0) return true;
    const plugins = this.#pluginsOf(info);
    for (const name of refusedBy) {
      const plugin = plugins.get(name);
      if (!plugin?.wakes || plugin.wakes(event, info, this.#snapshot)) return true;
    }
    return false;
  }

  #backOff(queued: QueuedPod): void {
    if (queued.attempts === 0) return this.#activate(queued);
    const { firstMs, longestMs } = this.#backOffMs;
    const delayMs = Math.min(firstMs * 2 ** (queued.attempts - 1), longestMs);
    const untilMs = this.#clock.now() + delayMs;
    this.#backingOff.set(queued.info.pod.metadata.uid, { queued, untilMs });
    this.#schedule(untilMs);
  }

  #activate(queued: QueuedPod): void {
    this.#active.push(queued);
    this.#ready();
  }

  #schedule(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after(atMs - this.#clock.now(), () => this.#flush(), { background: true });
  }

  /** Activates pods whose back-off has ended. */
  #flush(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const set of [this.#backingOff, this.#waiting])
      for (const [uid, { queued, untilMs }] of set) {
        if (untilMs > now) next = Math.min(next, untilMs);
        else if (set === this.#waiting && this.#gateOf(queued.info))
          set.set(uid, { queued, untilMs: Number.POSITIVE_INFINITY });
        else {
          set.delete(uid);
          this.#activate(queued);
        }
      }
    if (next < Number.POSITIVE_INFINITY) this.#schedule(next);
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

/** Ordered by priority, then by order of arrival (plugin PrioritySort). */
class Heap {
  readonly #items: QueuedPod[] = [];
  readonly #members = new Set<QueuedPod>();

  get size(): number {
    return this.#members.size;
  }

  push(item: QueuedPod): void {
    if (this.#members.has(item)) return;
    this.#members.add(item);
    this.#items.push(item);
    this.#up(this.#items.length - 1);
  }

  pop(): QueuedPod | undefined {
    for (;;) {
      const top = this.#items[0];
      if (!top) return undefined;
      const last = must(this.#items.pop(), 'item');
      if (this.#items.length > 0) {
        this.#items[0] = last;
        this.#down(0);
      }
      if (this.#members.delete(top)) return top; // else it was removed meanwhile
    }
  }

  remove(item: QueuedPod): void {
    this.#members.delete(item);
  }

  #before(a: QueuedPod, b: QueuedPod): boolean {
    return a.info.priority !== b.info.priority ? a.info.priority > b.info.priority : a.order < b.order;
  }

  #up(start: number): void {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#before(this.#items[i], this.#items[parent])) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(start: number): void {
    for (let i = start; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#items.length && this.#before(this.#items[child], this.#items[least])) least = child;
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(a: number, b: number): void {
    [this.#items[a], this.#items[b]] = [this.#items[b], this.#items[a]];
  }
}
