// Topology spread constraints of a pod, or the defaults for a pod without any.

import { controllerOf, type Node, type Pod, type TopologySpreadConstraint, tolerates } from '../../api/api.ts';
import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import type { Snapshot } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

export interface SpreadRule {
  readonly key: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
  /** Whether the pod itself counts once it is placed. */
  readonly countsItself: boolean;
  /** No placed pod counts. */
  readonly isUnused?: boolean;
  matches(pod: Pod): boolean;
  /** The number of pods on the node that count. */
  podsOn(node: NodeInfo): number;
  /** Nodes that may have such pods. */
  occupied(snapshot: Snapshot): Iterable<NodeInfo>;
}

type Counting = Pick<SpreadRule, 'countsItself' | 'isUnused' | 'matches' | 'podsOn' | 'occupied'>;

const ruleOf = ({ spec }: Pod, source: TopologySpreadConstraint, counting: Counting): SpreadRule => ({
  key: source.topologyKey,
  maxSkew: source.maxSkew,
  minDomains: source.minDomains ?? 1,
  honorsAffinity:
    (source.nodeAffinityPolicy ?? 'Honor') === 'Honor' &&
    (spec.nodeSelector !== undefined || spec.affinity?.nodeAffinity !== undefined),
  honorsTaints: source.nodeTaintsPolicy === 'Honor',
  ...counting,
});

export function rulesOf(
  pod: Pod,
  when: TopologySpreadConstraint['whenUnsatisfiable'],
  defaults: readonly TopologySpreadConstraint[],
  snapshot: Snapshot,
): readonly SpreadRule[] {
  const own = pod.spec.topologySpreadConstraints;
  if (own?.length)
    return own
      .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when)
      .map((source) => ruleOf(pod, source, bySelector(pod, source)));
  const wanted = defaults.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when);
  if (wanted.length === 0) return [];
  const counting = byOwner(pod, snapshot) ?? byServices(pod, snapshot);
  return counting ? wanted.map((source) => ruleOf(pod, source, counting)) : [];
}

function bySelector(pod: Pod, { labelSelector: spec, matchLabelKeys = [] }: TopologySpreadConstraint): Counting {
  const { labels = {} } = pod.metadata;
  const own = Object.fromEntries(matchLabelKeys.flatMap((key) => (key in labels ? [[key, labels[key]]] : [])));
  const selector = labelSelector(spec && { ...spec, matchLabels: { ...spec.matchLabels, ...own } });
  return {
    ...countingBy(pod, spec ? selector.toString() : '!', (other) => selector.matches(other.metadata.labels ?? {})),
    // A selector without requirements matches the pod, and counts no other.
    ...(selector.everything && { podsOn: () => 0 }),
  };
}

function countingBy(pod: Pod, condition: string, matches: (other: Pod) => boolean): Counting {
  const { namespace } = pod.metadata;
  const text = `${namespace} ${condition}`;
  const counts = (other: Pod) =>
    other.metadata.namespace === namespace && !other.metadata.deletionTimestamp && matches(other);
  return {
    countsItself: matches(pod),
    matches,
    podsOn: (node) => node.matching(text, counts),
    occupied: ({ nodes }) => nodes,
  };
}

/** Controllers whose pods spread by default; those of others, such as jobs, do not. */
const spreadKinds = new Set(['ReplicationController', 'ReplicaSet', 'StatefulSet']);

/** Pods of one controller have the same labels: they are counted when they are placed, not for each new pod. */
function byOwner({ metadata }: Pod, snapshot: Snapshot): Counting | undefined {
  const owner = controllerOf({ metadata });
  if (!owner || !spreadKinds.has(owner.kind)) return undefined;
  const siblings = snapshot.siblings(owner.uid);
  return {
    countsItself: true,
    isUnused: siblings.size === 0,
    matches: (other) => controllerOf(other)?.uid === owner.uid,
    podsOn: ({ name }) => siblings.get(name) ?? 0,
    *occupied(current) {
      for (const name of siblings.keys()) {
        const info = current.node(name);
        if (info) yield info;
      }
    },
  };
}

function byServices(pod: Pod, snapshot: Snapshot): Counting | undefined {
  const wanted = Object.entries(snapshot.serviceSelector(pod));
  if (wanted.length === 0) return undefined;
  return countingBy(pod, JSON.stringify(wanted), ({ metadata }) =>
    wanted.every(([key, value]) => metadata.labels?.[key] === value),
  );
}

export const toleratesNode = ({ tolerations }: Pod['spec'], { spec }: Node): boolean =>
  !spec?.taints?.some((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(tolerations, taint));
