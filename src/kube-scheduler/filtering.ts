// Runs the filter plugins: whether a node accepts a pod, and which plugin rejects it.

import type { Filter, FilteredNode, Plugin, Rejection, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import { hasPodAffinity, type PodInfo } from './pod-info.ts';

/** The filters that apply to the pod, or the plugin that rejects it for all nodes. */
export function prepareFilters(
  plugins: readonly Plugin[],
  pod: PodInfo,
  snapshot: Snapshot,
): readonly Filter[] | { readonly plugin: Plugin; readonly rejection: Rejection; readonly filters: readonly Filter[] } {
  const filters: Filter[] = [];
  for (const plugin of plugins) {
    const cycle = plugin.prepareFilter?.(pod, snapshot) ?? 'skip';
    if (cycle === 'skip') continue;
    if ('reason' in cycle) return { plugin, rejection: cycle, filters };
    filters.push({ plugin, cycle });
  }
  return filters;
}

export function refusalOf(filters: readonly Filter[], node: NodeInfo): FilteredNode | undefined {
  for (const { plugin, cycle } of filters) {
    const answer = cycle.filter(node);
    if (!answer) continue;
    const rejections: readonly Rejection[] = Array.isArray(answer) ? answer : [answer as Rejection];
    return {
      node: node.name,
      plugin: plugin.name,
      reasons: rejections.map((r) => r.reason),
      resolvable: rejections.every((r) => r.resolvable),
    };
  }
  return undefined;
}

/**
 * The refusal when pods of the same or a higher priority, for which the node is nominated, were there already.
 * Undefined when there are none, or when the pod fits beside them.
 */
export function refusalBesideNominated(
  plugins: readonly Plugin[],
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
): FilteredNode | undefined {
  const { uid } = pod.pod.metadata;
  const nominated = [...snapshot.nominations.on(node.name).values()].filter(
    (other) => other.priority >= pod.priority && other.pod.metadata.uid !== uid,
  );
  if (nominated.length === 0) return undefined;
  const crowded = node.copy();
  for (const other of nominated) crowded.add(other);
  return refusalAmong(plugins, pod, crowded, withNode(snapshot, crowded, nominated.some(hasPodAffinity)));
}

/** All filters for one node, with and without nominated pods. Preemption runs them on a changed node. */
export function refusalOn(
  plugins: readonly Plugin[],
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
): FilteredNode | undefined {
  return refusalBesideNominated(plugins, pod, node, snapshot) ?? refusalAmong(plugins, pod, node, snapshot);
}

function refusalAmong(
  plugins: readonly Plugin[],
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
): FilteredNode | undefined {
  const filters = prepareFilters(plugins, pod, snapshot);
  if (!('rejection' in filters)) return refusalOf(filters, node);
  const { plugin, rejection } = filters;
  return { node: node.name, plugin: plugin.name, reasons: [rejection.reason], resolvable: rejection.resolvable };
}

function usersOn(node: NodeInfo | undefined, claim: string): number {
  let users = 0;
  for (const { claims } of node?.pods.values() ?? []) if (claims.includes(claim)) users++;
  return users;
}

/** The snapshot with another state of one node. */
export function withNode(snapshot: Snapshot, changed: NodeInfo, addsAffinity = false): Snapshot {
  return {
    // Few plugins read all nodes, and there may be thousands.
    get nodes() {
      return snapshot.nodes.map((node) => (node.name === changed.name ? changed : node));
    },
    node: (name) => (name === changed.name ? changed : snapshot.node(name)),
    nodesWithPodAffinity: addsAffinity
      ? new Set([...snapshot.nodesWithPodAffinity, changed.name])
      : snapshot.nodesWithPodAffinity,
    siblings: (uid) => snapshot.siblings(uid),
    serviceSelector: (pod) => snapshot.serviceSelector(pod),
    hasZones: snapshot.hasZones,
    nodesWithImage: (name) => snapshot.nodesWithImage(name),
    lowestPriority: () => snapshot.lowestPriority(),
    namespaceLabels: (name) => snapshot.namespaceLabels(name),
    storage: snapshot.storage,
    devices: snapshot.devices,
    claimUsers: (key) => snapshot.claimUsers(key) - usersOn(snapshot.node(changed.name), key) + usersOn(changed, key),
    nominations: snapshot.nominations,
    isPreempted: (uid) => snapshot.isPreempted(uid),
  };
}
