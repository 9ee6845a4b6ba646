// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/

import {
  matchesNode,
  matchesNodeSelector,
  matchesTerm,
  type Node,
  type NodeSelectorTerm,
  type Pod,
  type PreferredSchedulingTerm,
} from '../../api/api.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { PluginArguments } from '../configuration/arguments.ts';
import { type Plugin, scaleToMax, unresolvable } from '../framework.ts';

const mismatch = unresolvable("node(s) didn't match Pod's node affinity/selector");
const enforced = unresolvable("node(s) didn't match scheduler-enforced node affinity");
const conflict = unresolvable('pod affinity terms conflict');

const requiredOf = ({ spec }: Pod) => spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
const preferredOf = ({ spec }: Pod) =>
  spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];

/** The names that a term permits; undefined if it permits any. */
function namesOf({ matchFields = [] }: NodeSelectorTerm): readonly string[] | undefined {
  const lists = matchFields
    .filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
    .map(({ values = [] }) => values);
  const [first, ...others] = lists;
  return first?.filter((name) => others.every((list) => list.includes(name)));
}

/** The only nodes that the pod may have, by name, as pods of DaemonSets do; undefined if it may have any. */
function namedNodes(pod: Pod): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  const terms = requiredOf(pod)?.nodeSelectorTerms ?? [];
  if (terms.length === 0) return undefined;
  for (const term of terms) {
    const found = namesOf(term);
    if (!found) return undefined;
    for (const name of found) names.add(name);
  }
  return names;
}

function scoreOf(terms: readonly PreferredSchedulingTerm[], node: Node): number {
  spendEffort(terms.length);
  return terms.reduce((sum, { weight, preference }) => sum + (weight && matchesTerm(preference, node) ? weight : 0), 0);
}

export function nodeAffinityWith({ addedAffinity }: PluginArguments['NodeAffinity']): Plugin {
  const added = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const addedTerms = addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const isEnforced = (node: Node) => !added || matchesNodeSelector(added, node);
  return {
    name: 'NodeAffinity',
    weight: 2,
    prepareFilter({ pod }) {
      if (!requiredOf(pod) && !added && Object.keys(pod.spec.nodeSelector ?? {}).length === 0) return 'skip';
      const nodes = namedNodes(pod);
      if (nodes?.size === 0) return conflict;
      const requiredTerms = requiredOf(pod)?.nodeSelectorTerms.length ?? 0;
      return {
        ...(nodes && { nodes }),
        filter({ node }) {
          spendEffort(requiredTerms);
          if (!isEnforced(node)) return enforced;
          return matchesNode(pod.spec, node) ? undefined : mismatch;
        },
      };
    },
    prepareScore({ pod }) {
      const terms = [...addedTerms, ...preferredOf(pod)];
      if (terms.length === 0) return 'skip';
      return { score: ({ node }) => scoreOf(terms, node), normalize: scaleToMax };
    },
    wakes(event, { pod }) {
      if (event.type === 'node-added') return isEnforced(event.node) && matchesNode(pod.spec, event.node);
      if (event.type === 'node-changed')
        return (
          event.aspects.includes('labels') &&
          isEnforced(event.node) &&
          matchesNode(pod.spec, event.node) &&
          !(isEnforced(event.old) && matchesNode(pod.spec, event.old))
        );
      return event.type === 'pod-updated';
    },
  };
}

export const nodeAffinity = nodeAffinityWith({});
