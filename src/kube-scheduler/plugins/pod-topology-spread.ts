// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/

import { matchesNode, type Pod, type TopologySpreadConstraint, tolerates } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { type LabelSelector, labelSelector } from '../../machinery/selectors/label-selector.ts';
import {
  type FilterCycle,
  maxScore,
  type Plugin,
  type Rejection,
  type ScoreCycle,
  type Snapshot,
} from '../framework.ts';
import { type NodeInfo, zoneKey } from '../node-info.ts';
import { controllerUid } from '../pod-info.ts';

const skewed: Rejection = { reason: "node(s) didn't match pod topology spread constraints", resolvable: true };
const noLabel: Rejection = {
  reason: "node(s) didn't match pod topology spread constraints (missing required label)",
  resolvable: false,
};

interface Constraint {
  readonly key: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelSelector;
  /** Whether the pod itself counts once it is placed. */
  readonly countsItself: boolean;
  readonly source: TopologySpreadConstraint;
  /** Matching pods by value of the key. */
  readonly counts: Map<string, number>;
}

function constraintsOf(
  pod: Pod,
  when: TopologySpreadConstraint['whenUnsatisfiable'],
  snapshot: Snapshot,
): Constraint[] {
  const wanted = (pod.spec.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === when);
  return wanted.map((source) => {
    const own = Object.fromEntries(
      (source.matchLabelKeys ?? []).flatMap((key) =>
        pod.metadata.labels?.[key] === undefined ? [] : [[key, pod.metadata.labels[key]]],
      ),
    );
    const spec = source.labelSelector && {
      ...source.labelSelector,
      matchLabels: { ...source.labelSelector.matchLabels, ...own },
    };
    const selector = labelSelector(spec);
    const constraint: Constraint = {
      key: source.topologyKey,
      maxSkew: source.maxSkew,
      minDomains: source.minDomains ?? 1,
      selector,
      countsItself: selector.matches(pod.metadata.labels ?? {}),
      source,
      counts: new Map(),
    };
    for (const node of snapshot.nodes) countNode(pod, constraint, node);
    return constraint;
  });
}

function countNode(pod: Pod, { key, selector, counts, source }: Constraint, { node, pods }: NodeInfo): void {
  const value = node.metadata.labels?.[key];
  if (value === undefined || !isEligible(pod, source, node)) return;
  let count = counts.get(value) ?? 0;
  for (const { pod: other } of pods.values())
    if (
      other.metadata.namespace === pod.metadata.namespace &&
      !other.metadata.deletionTimestamp &&
      selector.matches(other.metadata.labels ?? {})
    )
      count++;
  counts.set(value, count);
}

/** Nodes that reject the pod anyway do not count as a domain, unless the constraint says otherwise. */
function isEligible(pod: Pod, source: TopologySpreadConstraint, node: NodeInfo['node']): boolean {
  if ((source.nodeAffinityPolicy ?? 'Honor') === 'Honor' && !matchesNode(pod.spec, node)) return false;
  if ((source.nodeTaintsPolicy ?? 'Ignore') === 'Ignore') return true;
  return !node.spec?.taints?.some((t) => t.effect !== 'PreferNoSchedule' && !tolerates(pod.spec.tolerations, t));
}

function filterBy(constraints: readonly Constraint[]): FilterCycle {
  const least = constraints.map(({ counts, minDomains }) =>
    counts.size < minDomains ? 0 : Math.min(...counts.values()),
  );
  return {
    filter({ node }) {
      for (const [index, { key, maxSkew, countsItself, counts }] of constraints.entries()) {
        const value = node.metadata.labels?.[key];
        if (value === undefined) return noLabel;
        if ((counts.get(value) ?? 0) + (countsItself ? 1 : 0) - least[index] > maxSkew) return skewed;
      }
      return undefined;
    },
  };
}

export const podTopologySpread: Plugin = {
  name: 'PodTopologySpread',
  weight: 2,
  prepareFilter({ pod }, snapshot) {
    const constraints = constraintsOf(pod, 'DoNotSchedule', snapshot);
    return constraints.length === 0 ? 'skip' : filterBy(constraints);
  },
  prepareScore({ pod }, nodes, snapshot) {
    if (!pod.spec.topologySpreadConstraints?.length) return defaultSpread(pod, nodes, snapshot);
    const constraints = constraintsOf(pod, 'ScheduleAnyway', snapshot);
    if (constraints.length === 0) return 'skip';
    // Domains of a finer key have fewer pods each: without the weight, the coarser key would always decide.
    const weights = constraints.map(({ key, counts }) =>
      Math.log((key === 'kubernetes.io/hostname' ? nodes.length : counts.size) + 2),
    );
    const lacksLabel = (node: NodeInfo) =>
      constraints.some(({ key }) => node.node.metadata.labels?.[key] === undefined);
    return {
      score(node) {
        if (lacksLabel(node)) return Number.NaN;
        return Math.round(
          constraints.reduce(
            (sum, { key, counts, maxSkew }, i) =>
              sum + (counts.get(must(node.node.metadata.labels, 'labels')[key]) ?? 0) * weights[i] + (maxSkew - 1),
            0,
          ),
        );
      },
      normalize: fewestFirst,
    };
  },
  wakes: (event, { pod }) =>
    event.type === 'node-added' ||
    (event.type === 'node-changed' && event.aspects.includes('labels')) ||
    ((event.type === 'pod-gone' || event.type === 'pod-assigned' || event.type === 'pod-relabelled') &&
      event.pod.metadata.namespace === pod.metadata.namespace),
};

/** A lower count is better; nodes that do not count (NaN) come last. */
function fewestFirst(scores: Float64Array): void {
  let max = 0;
  let min = Number.POSITIVE_INFINITY;
  for (const score of scores) {
    if (score > max) max = score;
    if (score < min) min = score;
  }
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i])) scores[i] = 0;
    else scores[i] = max === 0 ? maxScore : Math.floor((maxScore * (max + min - scores[i])) / max);
  }
}

/** Kubernetes' default constraints: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints */
const defaultHostSkew = 3;
const defaultZoneSkew = 5;

/** Pods without constraints spread over hosts and zones, away from pods of the same controller. */
function defaultSpread(pod: Pod, nodes: readonly NodeInfo[], snapshot: Snapshot): ScoreCycle | 'skip' {
  const uid = controllerUid(pod);
  const onHosts = uid === undefined ? undefined : snapshot.siblings(uid);
  if (!onHosts?.size) return 'skip';
  const inZones = new Map<string, number>();
  for (const [name, count] of snapshot.hasZones ? onHosts : []) {
    const zone = snapshot.node(name)?.node.metadata.labels?.[zoneKey];
    if (zone !== undefined) inZones.set(zone, (inZones.get(zone) ?? 0) + count);
  }
  const hostWeight = Math.log(nodes.length + 2);
  const zoneWeight = Math.log(inZones.size + 2);
  return {
    score({ name, node }) {
      const zone = node.metadata.labels?.[zoneKey];
      const byHost = (onHosts.get(name) ?? 0) * hostWeight + defaultHostSkew - 1;
      return Math.round(
        byHost + (zone === undefined ? 0 : (inZones.get(zone) ?? 0) * zoneWeight + defaultZoneSkew - 1),
      );
    },
    normalize: fewestFirst,
  };
}
