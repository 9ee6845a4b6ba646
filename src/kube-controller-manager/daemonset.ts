// Runs one pod on every node that a DaemonSet selects.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/

import {
  type DaemonSet,
  type DaemonSetStatus,
  isNamespaceTerminating,
  isPodAvailable,
  isPodReady,
  matchesNode,
  type Node,
  type Pod,
  type Taint,
  type Toleration,
} from '../api/api.ts';
import { type Controller, keyOf, own, ownedBy, slowStart, type Tools } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { must } from '../machinery/must.ts';
import { type Delay, type DelayLimits, nextDelay, remainingMs } from '../machinery/time/backoff.ts';
import { resolveIntOrPercent } from './deployment/scale.ts';
import { toleratedSeconds } from './nodes/taints.ts';
import { claim, orphanIndex, orphansOf } from './shared/claim.ts';
import { burstPods, createPod, deletePods } from './shared/create-pods.ts';
import { type History, hashOf, revisionHashLabel, syncHistory, trimHistory } from './shared/revisions.ts';

const generationAnnotation = 'deprecated.daemonset.template.generation';
const generationLabel = 'pod-template-generation';

const everySet = function* (_: unknown, { lister }: Tools) {
  for (const set of lister('daemonsets').list()) yield keyOf(set);
};

/** A new controller for each start: it has the back-off of failed pods. */
export const daemonset = (delays: Delays = new Map()): Controller => ({
  name: 'daemonset',
  component: 'daemonset-controller',
  watches: [
    own('daemonsets'),
    ownedBy('pods', 'DaemonSet'),
    orphansOf('pods', 'daemonsets'),
    { resource: 'nodes', keys: everySet, matters: concernsPlacement },
  ],
  reads: ['controllerrevisions'],
  indexes: [orphanIndex('pods'), orphanIndex('controllerrevisions')],
  async reconcile(key, tools) {
    const set = tools.lister('daemonsets').get(key);
    dropOld(delays, tools.clock.now());
    if (!set || set.metadata.deletionTimestamp) return;
    const history = await syncHistory(set, 'daemonsets', tools);
    const pods = await claim<Pod>(set, 'daemonsets', 'pods', tools);
    const { failure, waitMs } = await manage(set, pods, hashOf(history.update), delays, tools);
    await updateStatus(set, pods, history, tools);
    const inUse = new Set(pods.map((pod) => pod.metadata.labels?.[revisionHashLabel]));
    await trimHistory(history, set.spec.revisionHistoryLimit, (revision) => inUse.has(hashOf(revision)), tools);
    if (failure && !isNamespaceTerminating(failure)) throw failure;
    const minReadySeconds = set.spec.minReadySeconds ?? 0;
    const isPending = (pod: Pod) => isPodReady(pod) && !isPodAvailable(pod, minReadySeconds, tools.clock.now());
    const readyMs = minReadySeconds > 0 && pods.some(isPending) ? minReadySeconds * 1000 : Number.POSITIVE_INFINITY;
    const after = Math.min(readyMs, waitMs);
    if (Number.isFinite(after)) return { after };
  },
});

/** By set, generation and node. */
type Delays = Map<string, Delay>;
const failedPodDelays: DelayLimits = { firstMs: 1_000, longestMs: 15 * 60_000 };

function dropOld(delays: Delays, nowMs: number): void {
  for (const [key, { sinceMs }] of delays) if (nowMs - sinceMs > 2 * failedPodDelays.longestMs) delays.delete(key);
}

/** Milliseconds until a failed pod may be deleted; 0 begins a longer delay. The kubelet may refuse each new pod at once. */
function failureDelayMs(delays: Delays, set: DaemonSet, node: string, nowMs: number): number {
  const key = `${set.metadata.uid}/${set.status?.observedGeneration ?? 0}/${node}`;
  const delay = delays.get(key);
  const leftMs = remainingMs(delay, delay?.sinceMs ?? nowMs, nowMs, failedPodDelays);
  if (leftMs === 0) delays.set(key, nextDelay(delay, nowMs, failedPodDelays));
  return leftMs;
}

function concernsPlacement(next: Node, old: Node): boolean {
  return (
    !deepEqual(next.metadata.labels, old.metadata.labels) ||
    !deepEqual(next.spec.taints ?? [], old.spec.taints ?? []) ||
    next.spec.unschedulable !== old.spec.unschedulable
  );
}

const tolerate = (name: string, effect: 'NoExecute' | 'NoSchedule'): Toleration => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect,
});

/** A daemon tolerates all node problems: often it repairs them. */
function tolerationsOf(set: DaemonSet): Toleration[] {
  const always = [
    tolerate('not-ready', 'NoExecute'),
    tolerate('unreachable', 'NoExecute'),
    tolerate('disk-pressure', 'NoSchedule'),
    tolerate('memory-pressure', 'NoSchedule'),
    tolerate('pid-pressure', 'NoSchedule'),
    tolerate('unschedulable', 'NoSchedule'),
    ...(set.spec.template.spec?.hostNetwork ? [tolerate('network-unavailable', 'NoSchedule')] : []),
  ];
  const asked = set.spec.template.spec?.tolerations ?? [];
  return [...asked, ...always.filter((one) => !asked.some((other) => deepEqual(one, other)))];
}

/** Whether a pod belongs on the node, and whether one that is there may stay. */
function placementOn(set: DaemonSet, node: Node): { shouldRun: boolean; mayStay: boolean } {
  const spec = must(set.spec.template.spec, 'spec');
  if ((spec.nodeName && spec.nodeName !== node.metadata.name) || !matchesNode(spec, node))
    return { shouldRun: false, mayStay: false };
  const tolerant = { spec: { tolerations: tolerationsOf(set) } } as Pod;
  const tolerates = (effects: readonly Taint['effect'][]) =>
    toleratedSeconds(
      tolerant,
      (node.spec.taints ?? []).filter((taint) => effects.includes(taint.effect)),
    ) > 0;
  return { shouldRun: tolerates(['NoSchedule', 'NoExecute']), mayStay: tolerates(['NoExecute']) };
}

/** The node of a pod, or, before it is scheduled, its target node. */
function nodeOf(pod: Pod): string {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms)
    for (const { key, values } of matchFields) if (key === 'metadata.name' && values?.[0]) return values[0];
  return '';
}

function byNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) groups.set(nodeOf(pod), [...(groups.get(nodeOf(pod)) ?? []), pod]);
  return groups;
}

async function manage(
  set: DaemonSet,
  pods: readonly Pod[],
  hash: string,
  delays: Delays,
  tools: Tools,
): Promise<{ readonly failure?: unknown; readonly waitMs: number }> {
  const { lister, events, clock } = tools;
  const groups = byNode(pods);
  const missing: string[] = [];
  const doomed = new Set<Pod>();
  const delayed = new Set<Pod>();
  let waitMs = Number.POSITIVE_INFINITY;
  for (const node of lister('nodes').list()) {
    const here = groups.get(node.metadata.name) ?? [];
    groups.delete(node.metadata.name);
    const { shouldRun, mayStay } = placementOn(set, node);
    if (!mayStay) {
      for (const pod of here) if (!pod.metadata.deletionTimestamp) doomed.add(pod);
      continue;
    }
    const live = here.filter((pod) => {
      if (pod.metadata.deletionTimestamp) return true;
      if (pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') return true;
      const failed = pod.status.phase === 'Failed';
      const leftMs = failed ? failureDelayMs(delays, set, node.metadata.name, clock.now()) : 0;
      if (leftMs > 0) {
        waitMs = Math.min(waitMs, leftMs);
        delayed.add(pod);
        return true;
      }
      const text = `Found ${failed ? 'failed' : 'succeeded'} daemon pod ${keyOf(pod)} on node ${node.metadata.name}, will try to ${failed ? 'kill' : 'delete'} it`;
      events.event(set, failed ? 'Warning' : 'Normal', failed ? 'FailedDaemonPod' : 'SucceededDaemonPod', text);
      doomed.add(pod);
      return true;
    });
    if (shouldRun && live.length === 0) missing.push(node.metadata.name);
    const active = live.filter((pod) => !pod.metadata.deletionTimestamp && !doomed.has(pod) && !delayed.has(pod));
    if (active.length > 1) for (const pod of surplusOf(set, active, hash, clock.now())) doomed.add(pod);
  }
  // Pods of deleted nodes: the pod garbage collector would delete them later.
  for (const orphaned of groups.values())
    for (const pod of orphaned) if (!pod.metadata.deletionTimestamp && pod.spec.nodeName === undefined) doomed.add(pod);
  const rolled = planUpdate(set, pods, hash, doomed, tools);
  const { error } = await slowStart(Math.min(missing.length + rolled.surge.length, burstPods), (i) =>
    createOn(set, [...missing, ...rolled.surge][i], hash, tools),
  );
  return { failure: error ?? (await deletePods(set, [...doomed, ...rolled.remove], tools)), waitMs };
}

/** Two on one node: during a surge, the old pod stays until the new one is available. */
function surplusOf(set: DaemonSet, active: readonly Pod[], hash: string, nowMs: number): Pod[] {
  const fresh = active.filter((pod) => pod.metadata.labels?.[revisionHashLabel] === hash);
  const old = active.filter((pod) => pod.metadata.labels?.[revisionHashLabel] !== hash);
  const ageOrder = (a: Pod, b: Pod) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1);
  if (fresh.length > 0 && old.length > 0) {
    const ready = fresh.some((pod) => isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs));
    return ready ? old : [...old].sort(ageOrder).slice(1);
  }
  return [...active].sort(ageOrder).slice(1);
}

/** The old pods to delete now, and the nodes that get a new pod beside the old one. */
function planUpdate(
  set: DaemonSet,
  pods: readonly Pod[],
  hash: string,
  doomed: ReadonlySet<Pod>,
  { lister, clock }: Tools,
) {
  const none = { remove: [] as Pod[], surge: [] as string[] };
  if (set.spec.updateStrategy?.type === 'OnDelete') return none;
  const nodes = lister('nodes')
    .list()
    .filter((node) => placementOn(set, node).shouldRun);
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = resolveIntOrPercent(maxSurge, nodes.length, 'up');
  const groups = byNode(pods.filter((pod) => !doomed.has(pod)));
  const available = (pod: Pod) =>
    !pod.metadata.deletionTimestamp && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, clock.now());
  let budget = surge > 0 ? surge : Math.max(1, resolveIntOrPercent(maxUnavailable, nodes.length, 'up'));
  const old: { node: string; pod: Pod }[] = [];
  for (const {
    metadata: { name },
  } of nodes) {
    const here = (groups.get(name) ?? []).filter((pod) => !pod.metadata.deletionTimestamp);
    const stale = here.filter((pod) => pod.metadata.labels?.[revisionHashLabel] !== hash);
    if (stale.length === 1 && here.length === 1) old.push({ node: name, pod: stale[0] });
    if (surge > 0 ? here.length > 1 : !here.some(available)) budget--;
  }
  if (surge > 0) return { remove: [], surge: old.slice(0, Math.max(0, budget)).map(({ node }) => node) };
  // Unavailable pods can be replaced without harm: the budget already counts them.
  const broken = old.filter(({ pod }) => !available(pod));
  const working = old.filter(({ pod }) => available(pod)).slice(0, Math.max(0, budget));
  return { remove: [...broken, ...working].map(({ pod }) => pod), surge: [] };
}

async function createOn(set: DaemonSet, node: string, hash: string, tools: Tools): Promise<void> {
  const generation = set.metadata.annotations?.[generationAnnotation];
  await createPod(set, 'daemonsets', set.spec.template, tools, {
    change(pod) {
      pod.metadata.labels = {
        ...pod.metadata.labels,
        [revisionHashLabel]: hash,
        ...(generation && { [generationLabel]: generation }),
      };
      pod.spec.tolerations = tolerationsOf(set);
      const affinity = (pod.spec.affinity ??= {});
      const nodeAffinity = (affinity.nodeAffinity ??= {});
      const matchFields = [{ key: 'metadata.name', operator: 'In' as const, values: [node] }];
      const asked = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [{}];
      nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution = {
        nodeSelectorTerms: asked.map(() => ({ matchFields })),
      };
    },
  });
}

async function updateStatus(set: DaemonSet, pods: readonly Pod[], history: History, { lister, client, clock }: Tools) {
  const hash = hashOf(history.update);
  const groups = byNode(pods);
  const status: DaemonSetStatus & { numberAvailable: number; updatedNumberScheduled: number } = {
    ...set.status,
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
    updatedNumberScheduled: 0,
    numberAvailable: 0,
    observedGeneration: set.metadata.generation,
    ...(history.collisionCount !== undefined && { collisionCount: history.collisionCount }),
  };
  for (const node of lister('nodes').list()) {
    const [pod] = (groups.get(node.metadata.name) ?? []).sort((a, b) =>
      a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1,
    );
    if (!placementOn(set, node).shouldRun) {
      if (pod) status.numberMisscheduled++;
      continue;
    }
    status.desiredNumberScheduled++;
    if (!pod) continue;
    status.currentNumberScheduled++;
    if (isPodReady(pod)) status.numberReady++;
    if (isPodAvailable(pod, set.spec.minReadySeconds ?? 0, clock.now())) status.numberAvailable++;
    if (pod.metadata.labels?.[revisionHashLabel] === hash) status.updatedNumberScheduled++;
  }
  status.numberUnavailable = status.desiredNumberScheduled - status.numberAvailable;
  const plain = (value: object) =>
    Object.fromEntries(Object.entries(value).filter(([, count]) => count !== 0 && count !== undefined));
  if (deepEqual(plain(status), plain(set.status ?? {}))) return;
  await client.update('daemonsets', { ...set, status }, { subresource: 'status' });
}
