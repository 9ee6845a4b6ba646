// Runs numbered pods with stable names and storage; creates, replaces and deletes them in order.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/

import {
  type ControllerRevision,
  isNamespaceTerminating,
  isPodAvailable,
  isPodReady,
  isPodTerminal,
  type Pod,
  type StatefulSet,
  type StatefulSetStatus,
} from '../../api/api.ts';
import { type Controller, own, ownedBy, slowStart, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { claim, orphanIndex, orphansOf } from '../shared/claim.ts';
import { burstPods } from '../shared/create-pods.ts';
import { type History, syncHistory, trimHistory } from '../shared/revisions.ts';
import { createMissingClaims, updateOwners } from './claims.ts';
import { createOrdinal, deleteOrdinal, firstOrdinal, isOfRevision, nameOf, ordinalOf } from './pods.ts';

export const statefulset: Controller = {
  name: 'statefulset',
  watches: [own('statefulsets'), ownedBy('pods', 'StatefulSet'), orphansOf('pods', 'statefulsets')],
  reads: ['controllerrevisions', 'persistentvolumeclaims'],
  indexes: [orphanIndex('pods'), orphanIndex('controllerrevisions')],
  async reconcile(key, tools) {
    const set = tools.lister('statefulsets').get(key);
    if (!set) return;
    const claimed = await claim<Pod>(set, 'statefulsets', 'pods', tools);
    const pods = claimed.filter((pod) => ordinalOf(set, pod) >= 0);
    const history = await syncHistory(set, 'statefulsets', tools);
    const current = history.all.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? history.update;
    let failure: unknown;
    try {
      if (!set.metadata.deletionTimestamp) await new Sync(set, pods, current, history.update, tools).run();
    } catch (error) {
      failure = error;
    }
    await updateStatus(set, pods, current, history, tools);
    const inUse = (revision: ControllerRevision) =>
      revision === current || pods.some((pod) => isOfRevision(pod, revision));
    await trimHistory(history, set.spec.revisionHistoryLimit, inUse, tools);
    if (failure && !isNamespaceTerminating(failure)) throw failure;
    const { minReadySeconds = 0 } = set.spec;
    if (
      minReadySeconds > 0 &&
      pods.some((pod) => isPodReady(pod) && !isPodAvailable(pod, minReadySeconds, tools.clock.now()))
    )
      return { after: minReadySeconds * 1000 };
  },
};

const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1;

class Sync {
  readonly #set: StatefulSet;
  readonly #current: ControllerRevision;
  readonly #update: ControllerRevision;
  readonly #tools: Tools;
  readonly #byOrdinal: Map<number, Pod>;
  readonly #first: number;
  readonly #end: number;
  readonly #ordered: boolean;

  constructor(
    set: StatefulSet,
    pods: readonly Pod[],
    current: ControllerRevision,
    update: ControllerRevision,
    tools: Tools,
  ) {
    this.#set = set;
    this.#current = current;
    this.#update = update;
    this.#tools = tools;
    this.#byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
    this.#first = firstOrdinal(set);
    this.#end = this.#first + replicasOf(set);
    this.#ordered = set.spec.podManagementPolicy !== 'Parallel';
  }

  async run(): Promise<void> {
    if (!(await this.#fill())) return;
    if (!(await this.#shrink())) return;
    await this.#roll();
  }

  /** Creates the missing pods, lowest first. False if a pod must change before the next step. */
  async #fill(): Promise<boolean> {
    const missing: number[] = [];
    let blocked = false;
    for (let ordinal = this.#first; ordinal < this.#end; ordinal++) {
      const pod = this.#byOrdinal.get(ordinal);
      if (!pod) {
        if (this.#ordered) {
          await createOrdinal(this.#set, ordinal, this.#revisionFor(ordinal), this.#tools);
          return false;
        }
        missing.push(ordinal);
        // The created pods start the next round. Replicas may be two billion.
        if (missing.length >= burstPods) break;
      } else if (isPodTerminal(pod)) {
        if (!pod.metadata.deletionTimestamp) await deleteOrdinal(this.#set, pod, this.#tools);
        if (this.#ordered) return false;
        blocked = true;
      } else {
        const member = { name: nameOf(this.#set, ordinal), pod, isSurplus: false };
        if (pod.status.phase === 'Pending') await createMissingClaims(this.#set, member, this.#tools);
        await updateOwners(this.#set, member, this.#tools);
        if (this.#ordered && !this.#isHealthy(pod)) return false;
      }
    }
    const { error } = await slowStart(missing.length, (i) =>
      createOrdinal(this.#set, missing[i], this.#revisionFor(missing[i]), this.#tools),
    );
    if (error) throw error;
    return !blocked && missing.length < burstPods;
  }

  /** Ordinals below the partition keep their revision. */
  #revisionFor(ordinal: number): ControllerRevision {
    const { type, rollingUpdate } = this.#set.spec.updateStrategy ?? {};
    const keeps = type !== 'OnDelete' && ordinal < this.#first + (rollingUpdate?.partition ?? 0);
    return keeps ? this.#current : this.#update;
  }

  /**
   * Deletes surplus pods, highest first. An ordered set waits for each deletion, and stops at an unhealthy pod unless
   * it is the lowest unhealthy pod of the set.
   */
  async #shrink(): Promise<boolean> {
    const surplus = [...this.#byOrdinal]
      .filter(([ordinal]) => ordinal >= this.#end || ordinal < this.#first)
      .sort(([a], [b]) => b - a);
    for (const [ordinal, pod] of surplus)
      await updateOwners(this.#set, { name: nameOf(this.#set, ordinal), pod, isSurplus: true }, this.#tools);
    const lowestUnhealthy = this.#lowestUnhealthy(surplus.map(([, pod]) => pod).reverse());
    for (const [, pod] of surplus) {
      const terminating = pod.metadata.deletionTimestamp !== undefined;
      if (this.#ordered && (terminating || (!this.#isHealthy(pod) && pod !== lowestUnhealthy))) return false;
      if (!terminating) await deleteOrdinal(this.#set, pod, this.#tools);
      if (this.#ordered) return false;
    }
    return surplus.length === 0;
  }

  /** The first unhealthy pod: required ones by ordinal, then surplus ones, ascending. */
  #lowestUnhealthy(surplus: readonly Pod[]): Pod | undefined {
    const required = [...this.#byOrdinal].filter(([ordinal]) => ordinal >= this.#first && ordinal < this.#end);
    for (const [, pod] of required.sort(([a], [b]) => a - b)) if (!this.#isHealthy(pod)) return pod;
    return surplus.find((pod) => !this.#isHealthy(pod));
  }

  /** Replaces the highest pod of an older revision, once all pods above it are healthy. */
  async #roll(): Promise<void> {
    const { type, rollingUpdate } = this.#set.spec.updateStrategy ?? {};
    if (type === 'OnDelete') return;
    const partition = this.#first + (rollingUpdate?.partition ?? 0);
    for (let ordinal = this.#end - 1; ordinal >= partition; ordinal--) {
      const pod = this.#byOrdinal.get(ordinal);
      if (!pod) return;
      if (!isOfRevision(pod, this.#update) && !pod.metadata.deletionTimestamp)
        return deleteOrdinal(this.#set, pod, this.#tools);
      if (!this.#isHealthy(pod)) return;
    }
  }

  #isHealthy(pod: Pod): boolean {
    const { minReadySeconds = 0 } = this.#set.spec;
    return (
      !pod.metadata.deletionTimestamp &&
      pod.status?.phase === 'Running' &&
      isPodReady(pod) &&
      isPodAvailable(pod, minReadySeconds, this.#tools.clock.now())
    );
  }
}

async function updateStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  current: ControllerRevision,
  { update, collisionCount }: History,
  { client, clock }: Tools,
): Promise<void> {
  const live = pods.filter((pod) => !isPodTerminal(pod));
  const ready = live.filter((pod) => isPodReady(pod));
  const settled = live.filter((pod) => !pod.metadata.deletionTimestamp);
  const count = (revision: ControllerRevision) => settled.filter((pod) => isOfRevision(pod, revision)).length;
  const rolledOut =
    count(update) === replicasOf(set) && live.length === replicasOf(set) && ready.length === replicasOf(set);
  const stays = set.spec.updateStrategy?.type === 'OnDelete';
  const now = rolledOut && !stays ? update : current;
  const status: StatefulSetStatus = {
    ...set.status,
    observedGeneration: set.metadata.generation,
    replicas: live.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, set.spec.minReadySeconds ?? 0, clock.now())).length,
    currentReplicas: count(now),
    updatedReplicas: count(update),
    currentRevision: now.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: collisionCount ?? set.status?.collisionCount ?? 0,
  };
  const plain = (value: object) =>
    Object.fromEntries(Object.entries(value).filter(([, field]) => field !== 0 && field !== undefined));
  if (deepEqual(plain(status), plain(set.status ?? {}))) return;
  await client.update('statefulsets', { ...set, status }, { subresource: 'status' });
}
