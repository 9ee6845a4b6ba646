// NodeSelector terms over a node's labels and fields.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity

import { meetsRequirement } from '../../machinery/selectors/requirement.ts';
import type { Node, NodeSelector, NodeSelectorTerm, PodSpec } from '../generated/types.ts';

/** Whether a pod's nodeSelector and its required node affinity, both, take the node. */
export function matchesNode(spec: PodSpec, node: Node): boolean {
  for (const key in spec.nodeSelector) if (node.metadata.labels?.[key] !== spec.nodeSelector[key]) return false;
  const selector = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !selector || matchesNodeSelector(selector, node);
}

/** Terms are alternatives, and all requirements of a term must match; an empty term matches nothing. */
export function matchesNodeSelector(selector: NodeSelector, node: Node): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((r) => meetsRequirement(r, node.metadata.labels?.[r.key])) &&
    matchFields.every((r) => r.key === 'metadata.name' && meetsRequirement(r, node.metadata.name))
  );
}
