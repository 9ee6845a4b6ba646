// Affinity between pods: the pods to share a node, a zone or another domain with, and those to avoid.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity

import type { Pod, PodAffinityTerm } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { type LabelSelector, labelSelector } from '../../machinery/selectors/label-selector.ts';
import { maxScore, type Plugin, type Rejection, type Snapshot } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const noAffinity: Rejection = { reason: "node(s) didn't match pod affinity rules", resolvable: false };
const antiAffinity: Rejection = { reason: "node(s) didn't match pod anti-affinity rules", resolvable: true };
const refusedByOthers: Rejection = {
  reason: "node(s) didn't satisfy existing pods anti-affinity rules",
  resolvable: true,
};
/** Weight of an existing pod's required rule that matches the new pod. */
const hardWeight = 1;

interface Term {
  readonly key: string;
  readonly weight: number;
  matches(pod: Pod): boolean;
}

/** Compiles a term to a test of pods. Its namespaces: the named ones, the selected ones, or by default the pod's. */
function compile(owner: Pod, term: PodAffinityTerm, weight: number, snapshot: Snapshot): Term {
  const own = owner.metadata.labels ?? {};
  const fromKeys = (keys: readonly string[] | undefined, operator: 'In' | 'NotIn') =>
    (keys ?? []).flatMap((key) => (own[key] === undefined ? [] : [{ key, operator, values: [own[key]] }]));
  const added = [...fromKeys(term.matchLabelKeys, 'In'), ...fromKeys(term.mismatchLabelKeys, 'NotIn')];
  const selector = labelSelector(
    term.labelSelector && {
      ...term.labelSelector,
      matchExpressions: [...(term.labelSelector.matchExpressions ?? []), ...added],
    },
  );
  const namespaces = namespacesOf(owner, term, snapshot);
  return {
    key: term.topologyKey,
    weight,
    matches: ({ metadata }) => namespaces(metadata.namespace ?? '') && selector.matches(metadata.labels ?? {}),
  };
}

function namespacesOf(
  owner: Pod,
  { namespaces = [], namespaceSelector }: PodAffinityTerm,
  snapshot: Snapshot,
): (name: string) => boolean {
  if (namespaces.length === 0 && !namespaceSelector) return (name) => name === owner.metadata.namespace;
  const selector: LabelSelector | undefined = namespaceSelector && labelSelector(namespaceSelector);
  return (name) => namespaces.includes(name) || (selector?.matches(snapshot.namespaceLabels(name) ?? {}) ?? false);
}

type Kind = 'podAffinity' | 'podAntiAffinity';

const required = (pod: Pod, kind: Kind, snapshot: Snapshot): Term[] =>
  (pod.spec.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) =>
    compile(pod, term, hardWeight, snapshot),
  );

const preferred = (pod: Pod, kind: Kind, sign: 1 | -1, snapshot: Snapshot): Term[] =>
  (pod.spec.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((p) =>
    compile(pod, p.podAffinityTerm, sign * p.weight, snapshot),
  );

/** Counts by "key value" of a domain. */
class Domains {
  readonly #counts = new Map<string, number>();

  add(key: string, { node }: NodeInfo, by: number): void {
    const value = node.metadata.labels?.[key];
    if (value === undefined) return;
    const domain = `${key} ${value}`;
    this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + by);
  }

  at(key: string, { node }: NodeInfo): number {
    const value = node.metadata.labels?.[key];
    return value === undefined ? 0 : (this.#counts.get(`${key} ${value}`) ?? 0);
  }

  /** Sum over all keys with a count. */
  sumAt(keys: Iterable<string>, node: NodeInfo): number {
    let sum = 0;
    for (const key of keys) sum += this.at(key, node);
    return sum;
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
}

/** Domains in which pods that match all (for affinity) of the terms run. */
function domainsOf(terms: readonly Term[], snapshot: Snapshot): Domains {
  const domains = new Domains();
  for (const node of snapshot.nodes)
    for (const { pod } of node.pods.values())
      if (terms.every((term) => term.matches(pod))) for (const { key } of terms) domains.add(key, node, 1);
  return domains;
}

/** Domains of existing pods whose required anti-affinity matches this pod. */
function forbiddenDomains(pod: Pod, snapshot: Snapshot): { domains: Domains; keys: Set<string> } {
  const domains = new Domains();
  const keys = new Set<string>();
  for (const name of snapshot.nodesWithPodAffinity) {
    const node = snapshot.node(name);
    for (const { pod: other } of node?.pods.values() ?? [])
      for (const term of required(other, 'podAntiAffinity', snapshot))
        if (term.matches(pod)) {
          keys.add(term.key);
          domains.add(term.key, must(node, 'node'), 1);
        }
  }
  return { domains, keys };
}

export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  prepareFilter({ pod }, snapshot) {
    const wanted = required(pod, 'podAffinity', snapshot);
    const unwanted = required(pod, 'podAntiAffinity', snapshot);
    if (wanted.length === 0 && unwanted.length === 0 && snapshot.nodesWithPodAffinity.size === 0) return 'skip';
    const forbidden = forbiddenDomains(pod, snapshot);
    const near = wanted.length > 0 ? domainsOf(wanted, snapshot) : undefined;
    const far = unwanted.map((term) => domainsOf([term], snapshot));
    // The first pod of a group with affinity to itself has no match yet.
    const isFirst = near?.isEmpty && wanted.every((term) => term.matches(pod));
    return {
      filter(node) {
        if (
          near &&
          !wanted.every(
            ({ key }) => node.node.metadata.labels?.[key] !== undefined && (isFirst || near.at(key, node) > 0),
          )
        )
          return noAffinity;
        if (unwanted.some(({ key }, i) => far[i].at(key, node) > 0)) return antiAffinity;
        return forbidden.domains.sumAt(forbidden.keys, node) > 0 ? refusedByOthers : undefined;
      },
    };
  },
  prepareScore({ pod }, _nodes, snapshot) {
    const own = [...preferred(pod, 'podAffinity', 1, snapshot), ...preferred(pod, 'podAntiAffinity', -1, snapshot)];
    if (own.length === 0 && snapshot.nodesWithPodAffinity.size === 0) return 'skip';
    const domains = new Domains();
    const keys = new Set<string>();
    const count = (term: Term, node: NodeInfo) => {
      keys.add(term.key);
      domains.add(term.key, node, term.weight);
    };
    // For a pod without rules, only pods with rules matter.
    const looked =
      own.length > 0 ? snapshot.nodes : [...snapshot.nodesWithPodAffinity].flatMap((name) => snapshot.node(name) ?? []);
    for (const node of looked)
      for (const { pod: other } of node.pods.values()) {
        for (const term of own) if (term.matches(other)) count(term, node);
        if (!other.spec.affinity) continue;
        const theirs = [
          ...required(other, 'podAffinity', snapshot),
          ...preferred(other, 'podAffinity', 1, snapshot),
          ...preferred(other, 'podAntiAffinity', -1, snapshot),
        ];
        for (const term of theirs) if (term.matches(pod)) count(term, node);
      }
    if (domains.isEmpty) return 'skip';
    return {
      score: (node) => domains.sumAt(keys, node),
      normalize(scores: Float64Array) {
        const max = Math.max(...scores);
        const min = Math.min(...scores);
        for (let i = 0; i < scores.length; i++)
          scores[i] = max > min ? Math.floor((maxScore * (scores[i] - min)) / (max - min)) : 0;
      },
    };
  },
  wakes: (event) =>
    event.type === 'node-added' ||
    (event.type === 'node-changed' && event.aspects.includes('labels')) ||
    event.type === 'pod-gone' ||
    event.type === 'pod-assigned' ||
    event.type === 'pod-relabelled' ||
    event.type === 'pod-updated',
};
