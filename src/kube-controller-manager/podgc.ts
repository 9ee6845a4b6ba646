// Deletes pods that no other component deletes: finished ones beyond a limit, those of deleted nodes, those deleted
// before they were scheduled, and those on out-of-service nodes.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection

import { isConditionTrue, isNotFound, isPodTerminal, type Node, type Pod } from '../api/api.ts';
import { type Controller, keyOf, type Tools, timestamp } from '../client/client.ts';

const everyMs = 20_000;
/** A node that vanished may be one that is just being made again. */
const quarantineMs = 40_000;
const terminatedPodThreshold = 12_500;
const outOfServiceTaint = 'node.kubernetes.io/out-of-service';
const everything = 'pods';

export function podgc(): Controller {
  /** Since when a node that pods name has been missing. */
  const missingSince = new Map<string, number>();
  return {
    name: 'podgc',
    component: 'pod-garbage-collector',
    watches: [],
    reads: ['pods', 'nodes'],
    workers: 1,
    start: (_, enqueue) => enqueue(everything, everyMs),
    async reconcile(_, tools) {
      const pods = tools.lister('pods').list();
      await collectTerminated(pods, tools);
      await collectOutOfService(pods, tools);
      await collectOrphaned(pods, missingSince, tools);
      const unscheduled = pods.filter((pod) => pod.metadata.deletionTimestamp && !pod.spec.nodeName);
      for (const pod of unscheduled) await remove(pod, tools);
      return { after: everyMs };
    },
  };
}

async function collectTerminated(pods: readonly Pod[], tools: Tools): Promise<void> {
  const finished = pods.filter((pod) => isPodTerminal(pod) && !pod.metadata.deletionTimestamp);
  const surplus = finished.length - terminatedPodThreshold;
  if (surplus <= 0) return;
  const age = (a: Pod, b: Pod) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1);
  for (const pod of finished.sort(age).slice(0, surplus)) await remove(pod, tools);
}

async function collectOutOfService(pods: readonly Pod[], tools: Tools): Promise<void> {
  const isOut = (node: Node | undefined) =>
    node?.spec.taints?.some((taint) => taint.key === outOfServiceTaint) && !isConditionTrue(node, 'Ready');
  for (const pod of pods)
    if (pod.metadata.deletionTimestamp && pod.spec.nodeName && isOut(tools.lister('nodes').get(pod.spec.nodeName)))
      await remove(pod, tools);
}

async function collectOrphaned(pods: readonly Pod[], missingSince: Map<string, number>, tools: Tools): Promise<void> {
  const now = tools.clock.monotonic();
  // Users may create pods that each name another node.
  const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? '');
  const missing = [...byNode.keys()].filter((name) => name && !tools.lister('nodes').get(name));
  const isMissing = new Set(missing);
  for (const name of missingSince.keys()) if (!isMissing.has(name)) missingSince.delete(name);
  for (const name of missing) {
    if (!missingSince.has(name)) missingSince.set(name, now);
    if (now - (missingSince.get(name) as number) < quarantineMs || (await exists(name, tools))) continue;
    const message = 'PodGC: node no longer exists';
    for (const pod of byNode.get(name) ?? []) await remove(await disrupt(pod, message, tools), tools);
  }
}

async function exists(name: string, { client }: Tools): Promise<boolean> {
  return client.get('nodes', { name }).then(
    () => true,
    (error) => {
      if (isNotFound(error)) return false;
      throw error;
    },
  );
}

/** A pod whose node is gone is failed, with a condition that names this controller. */
async function disrupt(pod: Pod, message: string, { client, clock }: Tools): Promise<Pod> {
  if (isPodTerminal(pod)) return pod;
  const { name, namespace } = pod.metadata;
  const conditions = [
    ...(pod.status?.conditions ?? []).filter((condition) => condition.type !== 'DisruptionTarget'),
    {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message,
      lastTransitionTime: timestamp(clock.now()),
    },
  ];
  const body = { status: { phase: 'Failed', conditions } };
  return client
    .patch('pods', { name, namespace }, { type: 'strategic', body }, { subresource: 'status' })
    .catch(() => pod);
}

/** A refused deletion does not delay those of other pods. */
async function remove(pod: Pod, { client, logger }: Tools): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  await client.delete('pods', { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } }).catch((error) => {
    if (!isNotFound(error)) logger.warn('pod not deleted', { pod: keyOf(pod), error: String(error) });
  });
}
