// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/

import { matchesNode, type Node, type Pod, type TopologySpreadConstraint } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { ClusterEvent } from '../cluster-events.ts';
import type { PluginArguments } from '../configuration/arguments.ts';
import {
  type FilterCycle,
  maxScore,
  type Plugin,
  type Rejection,
  type ScoreCycle,
  type Snapshot,
} from '../framework.ts';
import { type NodeInfo, zoneKey } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import { rulesOf, type SpreadRule, toleratesNode } from './spread-rules.ts';

type Arguments = PluginArguments['PodTopologySpread'];

const skewed: Rejection = { reason: "node(s) didn't match pod topology spread constraints", resolvable: true };
const noLabel: Rejection = {
  reason: "node(s) didn't match pod topology spread constraints (missing required label)",
  resolvable: false,
};
const hostnameKey = 'kubernetes.io/hostname';

const labelOf = ({ metadata }: Node, key: string): string | undefined => metadata.labels?.[key];
const hasKeys = (node: Node, rules: readonly SpreadRule[]): boolean =>
  rules.every(({ key }) => labelOf(node, key) !== undefined);

/** Nodes that reject the pod anyway do not count as a domain, unless the constraint says otherwise. */
function eligibility({ spec }: Pod, node: Node): (rule: SpreadRule) => boolean {
  let matches: boolean | undefined;
  let tolerates: boolean | undefined;
  return ({ honorsAffinity, honorsTaints }) =>
    (!honorsAffinity || (matches ??= matchesNode(spec, node))) &&
    (!honorsTaints || (tolerates ??= toleratesNode(spec, node)));
}

function filterBy(pod: Pod, rules: readonly SpreadRule[], snapshot: Snapshot): FilterCycle {
  const counts = rules.map(() => new Map<string, number>());
  for (const info of snapshot.nodes) {
    spendEffort(rules.length);
    if (!hasKeys(info.node, rules)) continue;
    const isEligible = eligibility(pod, info.node);
    for (const [i, rule] of rules.entries()) {
      if (!isEligible(rule)) continue;
      const value = labelOf(info.node, rule.key) ?? '';
      counts[i].set(value, (counts[i].get(value) ?? 0) + rule.podsOn(info));
    }
  }
  const least = rules.map(({ minDomains }, i) => (counts[i].size < minDomains ? 0 : Math.min(...counts[i].values())));
  return {
    filter({ node }) {
      for (const [index, { key, maxSkew, countsItself }] of rules.entries()) {
        const value = labelOf(node, key);
        if (value === undefined) return noLabel;
        if ((counts[index].get(value) ?? 0) + (countsItself ? 1 : 0) - least[index] > maxSkew) return skewed;
      }
      return undefined;
    },
  };
}

/** `needsAllKeys`: nodes without a key do not count at all. */
function scoreBy(
  pod: Pod,
  rules: readonly SpreadRule[],
  nodes: readonly NodeInfo[],
  snapshot: Snapshot,
  needsAllKeys: boolean,
): ScoreCycle {
  // Each is read once a rule.
  const ignored = new Map<Node, boolean>();
  const isIgnored = ({ node }: NodeInfo): boolean => {
    if (!needsAllKeys) return false;
    let isLeftOut = ignored.get(node);
    if (isLeftOut === undefined) {
      spendEffort(rules.length);
      ignored.set(node, (isLeftOut = !hasKeys(node, rules)));
    }
    return isLeftOut;
  };
  const counted = needsAllKeys ? nodes.filter((node) => !isIgnored(node)) : nodes;
  spendEffort(rules.length * counted.length);
  const domains = rules.map(({ key }) =>
    key === hostnameKey ? undefined : new Map<string, number>(counted.map(({ node }) => [labelOf(node, key) ?? '', 0])),
  );
  const found = new Map<Node, ReturnType<typeof eligibility>>();
  const eligible = (node: Node) => {
    let cached = found.get(node);
    if (!cached) found.set(node, (cached = eligibility(pod, node)));
    return cached;
  };
  for (const [i, rule] of rules.entries()) {
    const counts = domains[i];
    for (const info of counts ? rule.occupied(snapshot) : []) {
      spendEffort(1);
      if (isIgnored(info) || !eligible(info.node)(rule)) continue;
      const value = labelOf(info.node, rule.key) ?? '';
      const count = counts?.get(value);
      if (count !== undefined) counts?.set(value, count + rule.podsOn(info));
    }
  }
  // Domains of a finer key have fewer pods each: without the weight, the coarser key would always decide.
  const weights = domains.map((counts) => Math.log((counts?.size ?? counted.length) + 2));
  return {
    score(info) {
      spendEffort(rules.length);
      if (isIgnored(info)) return Number.NaN;
      let sum = 0;
      for (const [i, rule] of rules.entries()) {
        const value = labelOf(info.node, rule.key);
        if (value === undefined) continue;
        const count = domains[i] ? (domains[i].get(value) ?? 0) : rule.podsOn(info);
        sum += count * weights[i] + rule.maxSkew - 1;
      }
      return Math.round(sum);
    },
    normalize: fewestFirst,
  };
}

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

/** Kubernetes' own: https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/#internal-default-constraints */
const systemConstraints: readonly TopologySpreadConstraint[] = [
  { maxSkew: 3, topologyKey: hostnameKey, whenUnsatisfiable: 'ScheduleAnyway' },
  { maxSkew: 5, topologyKey: zoneKey, whenUnsatisfiable: 'ScheduleAnyway' },
];
const hostOnly = systemConstraints.slice(0, 1);

export function podTopologySpreadWith({ defaultConstraints }: Arguments): Plugin {
  const hard = (pod: Pod, snapshot: Snapshot) =>
    rulesOf(pod, 'DoNotSchedule', defaultConstraints ?? systemConstraints, snapshot);
  return {
    name: 'PodTopologySpread',
    weight: 2,
    prepareFilter({ pod }, snapshot) {
      const rules = hard(pod, snapshot);
      return rules.length === 0 ? 'skip' : filterBy(pod, rules, snapshot);
    },
    prepareScore({ pod }, nodes, snapshot) {
      // Without zones, the second constraint changes no score.
      const defaults = defaultConstraints ?? (snapshot.hasZones ? systemConstraints : hostOnly);
      const rules = rulesOf(pod, 'ScheduleAnyway', defaults, snapshot);
      const [first] = rules;
      if (!first || (defaults === hostOnly && first.isUnused)) return 'skip';
      const isSystem = !pod.spec.topologySpreadConstraints?.length && !defaultConstraints;
      return scoreBy(pod, rules, nodes, snapshot, !isSystem);
    },
    wakes: (event, info, snapshot) => wakes(event, info, () => hard(info.pod, snapshot)),
  };
}

export const podTopologySpread = podTopologySpreadWith({});

function wakes(event: ClusterEvent, { pod }: PodInfo, rules: () => readonly SpreadRule[]): boolean {
  const isNear = (other: Pod) => other.metadata.namespace === pod.metadata.namespace;
  switch (event.type) {
    case 'node-added':
    case 'node-removed':
      return hasKeys(event.node, rules());
    case 'node-changed':
      return changesDomains(event, rules());
    case 'pod-assigned':
    case 'pod-gone':
      return isNear(event.pod) && rules().some((rule) => rule.matches(event.pod));
    case 'pod-relabelled':
      return isNear(event.pod) && rules().some((rule) => rule.matches(event.old) !== rule.matches(event.pod));
    case 'pod-updated':
      return event.pod.metadata.uid === pod.metadata.uid && changesOwn(event, rules());
    default:
      return false;
  }
}

function changesDomains(
  { node, old }: Extract<ClusterEvent, { type: 'node-changed' }>,
  rules: readonly SpreadRule[],
): boolean {
  const counts = hasKeys(node, rules);
  if (counts !== hasKeys(old, rules)) return true;
  if (!counts) return false;
  return (
    rules.some(({ key }) => labelOf(node, key) !== labelOf(old, key)) || !deepEqual(node.spec?.taints, old.spec?.taints)
  );
}

function changesOwn(
  { pod, old }: Extract<ClusterEvent, { type: 'pod-updated' }>,
  rules: readonly SpreadRule[],
): boolean {
  return (
    (rules.some(({ honorsTaints }) => honorsTaints) && !deepEqual(pod.spec.tolerations, old.spec.tolerations)) ||
    rules.some((rule) => rule.matches(old) !== rule.matches(pod))
  );
}
