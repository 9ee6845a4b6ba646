// Removes pods from nodes with NoExecute taints once they have tolerated them for as long as they may.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions

import { isNotFound, type Node, type Pod } from '../../api/api.ts';
import { type Controller, keyOf, type Tools, timestamp } from '../../client/client.ts';
import { toleratedSeconds } from './taints.ts';

const byNode = 'by node';
const noExecute = (node: Node | undefined) => (node?.spec.taints ?? []).filter((taint) => taint.effect === 'NoExecute');

export function taintEviction(): Controller {
  /** Pods to be evicted, by uid, with the time when the eviction was first due. */
  const marked = new Map<string, number>();
  return {
    name: 'taint-eviction',
    component: 'taint-eviction-controller',
    watches: [
      {
        resource: 'nodes',
        matters: (next: Node, old: Node) => JSON.stringify(noExecute(next)) !== JSON.stringify(noExecute(old)),
        keys: (node: Node, { lister }) =>
          noExecute(node).length > 0 || marked.size > 0 ? lister('pods').by(byNode, node.metadata.name).map(keyOf) : [],
      },
      {
        resource: 'pods',
        matters: (next: Pod, old: Pod) =>
          next.spec.nodeName !== old.spec.nodeName || next.spec.tolerations !== old.spec.tolerations,
        keys: (pod: Pod, { lister }) =>
          pod.spec.nodeName &&
          (noExecute(lister('nodes').get(pod.spec.nodeName)).length > 0 || marked.has(pod.metadata.uid))
            ? [keyOf(pod)]
            : [],
      },
    ],
    indexes: [{ resource: 'pods', name: byNode, valuesOf: ({ spec }: Pod) => (spec.nodeName ? [spec.nodeName] : []) }],
    workers: 8,
    async reconcile(key, tools) {
      const pod = tools.lister('pods').get(key);
      if (!pod?.spec.nodeName || pod.metadata.deletionTimestamp) return;
      const taints = noExecute(tools.lister('nodes').get(pod.spec.nodeName));
      const seconds = taints.length === 0 ? Number.POSITIVE_INFINITY : toleratedSeconds(pod, taints);
      if (seconds === Number.POSITIVE_INFINITY) return cancel(pod, marked, tools);
      const now = tools.clock.now();
      // Counts from the recorded time, so that a restart does not extend it.
      const added = Math.max(0, ...taints.map((taint) => Date.parse(taint.timeAdded ?? '') || 0));
      const started = Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp) || 0;
      const since = added > 0 ? Math.max(added, started) : (marked.get(pod.metadata.uid) ?? now);
      marked.set(pod.metadata.uid, since);
      const rest = since + seconds * 1000 - now;
      if (rest > 0) return { after: rest };
      marked.delete(pod.metadata.uid);
      await evict(pod, tools);
    },
  };
}

function cancel(pod: Pod, marked: Map<string, number>, { events }: Tools): void {
  if (!marked.delete(pod.metadata.uid)) return;
  events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${keyOf(pod)}`);
}

async function evict(pod: Pod, { client, clock, events }: Tools): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${keyOf(pod)}`);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByTaintManager',
    message: 'Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: timestamp(clock.now()),
  };
  try {
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    await client.patch('pods', { name, namespace }, { type: 'strategic', body }, { subresource: 'status' });
    await client.delete('pods', { name, namespace }, { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
