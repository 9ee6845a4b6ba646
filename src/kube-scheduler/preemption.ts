// Makes room for a pod by removing pods of lower priority.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

import type { Pod } from '../api/api.ts';
import { type CycleResult, fits } from './cycle.ts';
import type { Plugin, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

export interface Preemption {
  readonly node: string;
  /** To be removed, the most important first. */
  readonly victims: readonly Pod[];
}

type Failure = Extract<CycleResult, { ok: false }>;

/** At most this many nodes are tried out. */
const candidateLimit = 100;

/** Which pods of which node to remove, or in Kubernetes' words why none. */
export function findPreemption(
  plugins: readonly Plugin[],
  pod: PodInfo,
  failure: Failure,
  snapshot: Snapshot,
): Preemption | string {
  const total = snapshot.nodes.length;
  if (pod.pod.spec.preemptionPolicy === 'Never') return `preemption: not eligible due to preemptionPolicy=Never.`;
  const resolvable = failure.filtered.filter((f) => f.resolvable).map((f) => snapshot.node(f.node)!);
  const candidates: { node: NodeInfo; victims: PodInfo[] }[] = [];
  // Most clusters have one priority only: then there are no victims anywhere, and no node need be looked at.
  const isHopeless = snapshot.lowestPriority() >= pod.priority;
  for (const node of isHopeless ? [] : resolvable) {
    if (candidates.length >= candidateLimit) break;
    const victims = victimsOn(plugins, pod, node, snapshot);
    if (victims) candidates.push({ node, victims });
  }
  if (candidates.length === 0) return whyNot(total, failure, resolvable.length);
  const [best] = candidates.sort(compare);
  return { node: best.node.name, victims: best.victims.map((v) => v.pod) };
}

function whyNot(total: number, failure: Failure, resolvable: number): string {
  const counts = [
    [resolvable, 'No preemption victims found for incoming pod'],
    [failure.filtered.length - resolvable, 'Preemption is not helpful for scheduling'],
  ] as const;
  const texts = counts.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`);
  return `preemption: 0/${total} nodes are available: ${texts.join(', ')}.`;
}

/** The fewest and least important pods whose removal lets the pod in; undefined when there are none. */
function victimsOn(
  plugins: readonly Plugin[],
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
): PodInfo[] | undefined {
  const lower = [...node.pods.values()].filter((p) => p.priority < pod.priority);
  if (lower.length === 0) return undefined;
  const tried = node.copy();
  for (const victim of lower) tried.remove(victim.pod.metadata.uid);
  const changed: Snapshot = {
    // Few plugins look at all nodes, and there may be thousands.
    get nodes() {
      return snapshot.nodes.map((n) => (n.name === node.name ? tried : n));
    },
    node: (name) => (name === node.name ? tried : snapshot.node(name)),
    nodesWithPodAffinity: snapshot.nodesWithPodAffinity,
    siblings: (uid) => snapshot.siblings(uid),
    hasZones: snapshot.hasZones,
    nodesWithImage: (name) => snapshot.nodesWithImage(name),
    lowestPriority: () => snapshot.lowestPriority(),
    namespaceLabels: (name) => snapshot.namespaceLabels(name),
  };
  if (!fits(plugins, pod, tried, changed)) return undefined;
  // The more important ones get their place back first.
  lower.sort((a, b) => b.priority - a.priority || startOf(a).localeCompare(startOf(b)));
  return lower.filter((candidate) => {
    tried.add(candidate);
    if (fits(plugins, pod, tried, changed)) return false;
    tried.remove(candidate.pod.metadata.uid);
    return true;
  });
}

const startOf = (info: PodInfo) => info.pod.status?.startTime ?? '9999';
const highest = (victims: readonly PodInfo[]) => Math.max(...victims.map((v) => v.priority));
const sum = (victims: readonly PodInfo[]) => victims.reduce((total, v) => total + v.priority, 0);

/** The least important victims, then the fewest, then those that ran for the shortest time. */
function compare(a: { victims: PodInfo[] }, b: { victims: PodInfo[] }): number {
  return (
    highest(a.victims) - highest(b.victims) ||
    sum(a.victims) - sum(b.victims) ||
    a.victims.length - b.victims.length ||
    earliestOfMostImportant(b.victims).localeCompare(earliestOfMostImportant(a.victims))
  );
}

function earliestOfMostImportant(victims: readonly PodInfo[]): string {
  const top = highest(victims);
  return victims
    .filter((v) => v.priority === top)
    .map(startOf)
    .sort()[0];
}
