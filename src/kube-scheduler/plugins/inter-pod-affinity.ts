// Affinity between pods: the pods to share a node, a zone or another domain with, and those to avoid.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity

import type { Node, Pod, PodAffinityTerm } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { type LabelSelector, labelSelector } from '../../machinery/selectors/label-selector.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { ClusterEvent } from '../cluster-events.ts';
import { defaultArguments, type PluginArguments } from '../configuration/arguments.ts';
import { maxScore, type Plugin, type Rejection, type Snapshot } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const noAffinity: Rejection = { reason: "node(s) didn't match pod affinity rules", resolvable: false };
const antiAffinity: Rejection = { reason: "node(s) didn't match pod anti-affinity rules", resolvable: true };
const refusedByOthers: Rejection = {
  reason: "node(s) didn't satisfy existing pods anti-affinity rules",
  resolvable: true,
};
interface Term {
  readonly key: string;
  readonly weight: number;
  /** The same for the same `matches`. Undefined: labels of namespaces count, too. */
  readonly condition: string | undefined;
  matches(pod: Pod, snapshot: Snapshot): boolean;
}

/** The rules of one pod. */
interface Rules {
  readonly affinity: readonly Term[];
  readonly antiAffinity: readonly Term[];
  /** With negative weights for those to avoid. */
  readonly preferred: readonly Term[];
}

/** Compiles a term to a test of pods. Its namespaces: the named ones, the selected ones, or by default the pod's. */
function compile(owner: Pod, term: PodAffinityTerm, weight: number): Term {
  const own = owner.metadata.labels ?? {};
  const fromKeys = (keys: readonly string[] | undefined, operator: 'In' | 'NotIn') =>
    (keys ?? []).flatMap((key) => (own[key] === undefined ? [] : [{ key, operator, values: [own[key]] }]));
  const added = [...fromKeys(term.matchLabelKeys, 'In'), ...fromKeys(term.mismatchLabelKeys, 'NotIn')];
  // Most pods are in other namespaces than the rules of placed pods: these need no selector.
  let compiledSelector: LabelSelector | undefined;
  const selector = () =>
    (compiledSelector ??= labelSelector(
      term.labelSelector && {
        ...term.labelSelector,
        matchExpressions: [...(term.labelSelector.matchExpressions ?? []), ...added],
      },
    ));
  const isNamespace = namespacesOf(owner, term);
  const { namespaces } = term;
  let condition: string | undefined;
  return {
    key: term.topologyKey,
    weight,
    get condition() {
      if (term.namespaceSelector) return undefined;
      return (condition ??= JSON.stringify([
        namespaces?.length ? namespaces : owner.metadata.namespace,
        term.labelSelector ? selector().toString() : null,
      ]));
    },
    matches: ({ metadata }, snapshot) =>
      isNamespace(metadata.namespace ?? '', snapshot) && selector().matches(metadata.labels ?? {}),
  };
}

function namespacesOf(
  owner: Pod,
  { namespaces = [], namespaceSelector }: PodAffinityTerm,
): (name: string, snapshot: Snapshot) => boolean {
  if (namespaces.length === 0 && !namespaceSelector) return (name) => name === owner.metadata.namespace;
  const selector: LabelSelector | undefined = namespaceSelector && labelSelector(namespaceSelector);
  return (name, snapshot) =>
    namespaces.includes(name) || (selector?.matches(snapshot.namespaceLabels(name) ?? {}) ?? false);
}

const noRules: Rules = { affinity: [], antiAffinity: [], preferred: [] };
/** Compiling costs more than matching, and each pod is matched with many others. */
const compiled = new WeakMap<Pod, Rules>();

function rulesOf(pod: Pod): Rules {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return noRules;
  const cached = compiled.get(pod);
  if (cached) return cached;
  const required = (rules: typeof podAffinity) =>
    (rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => compile(pod, term, 1));
  const preferred = (rules: typeof podAffinity, sign: 1 | -1) =>
    (rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm, weight }) =>
      compile(pod, podAffinityTerm, sign * weight),
    );
  const rules = {
    affinity: required(podAffinity),
    antiAffinity: required(podAntiAffinity),
    preferred: [...preferred(podAffinity, 1), ...preferred(podAntiAffinity, -1)],
  };
  compiled.set(pod, rules);
  return rules;
}

const matchesAll = (terms: readonly Term[], pod: Pod, snapshot: Snapshot): boolean =>
  terms.length > 0 && terms.every((term) => term.matches(pod, snapshot));

/** Counts by key and value of a domain. */
class Domains {
  readonly #counts = new Map<string, Map<string, number>>();

  add(key: string, { node }: NodeInfo, by: number): void {
    const value = node.metadata.labels?.[key];
    if (value === undefined) return;
    let counts = this.#counts.get(key);
    if (!counts) this.#counts.set(key, (counts = new Map()));
    counts.set(value, (counts.get(value) ?? 0) + by);
  }

  at(key: string, { node }: NodeInfo): number {
    const value = node.metadata.labels?.[key];
    return value === undefined ? 0 : (this.#counts.get(key)?.get(value) ?? 0);
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
  const conditions = terms.flatMap(({ condition }) => condition ?? []);
  if (conditions.length === terms.length) {
    const condition = conditions.join(' ');
    const matches = (pod: Pod) => matchesAll(terms, pod, snapshot);
    for (const node of snapshot.nodes) {
      const count = node.matching(condition, matches);
      if (count > 0) for (const { key } of terms) domains.add(key, node, count);
    }
    return domains;
  }
  for (const node of snapshot.nodes)
    for (const { pod } of node.pods.values()) {
      spendEffort(terms.length);
      if (matchesAll(terms, pod, snapshot)) for (const { key } of terms) domains.add(key, node, 1);
    }
  return domains;
}

/** Domains of existing pods whose required anti-affinity matches this pod. */
function forbiddenDomains(pod: Pod, snapshot: Snapshot): { domains: Domains; keys: Set<string> } {
  const domains = new Domains();
  const keys = new Set<string>();
  for (const name of snapshot.nodesWithPodAffinity) {
    const node = snapshot.node(name);
    for (const { pod: other } of node?.pods.values() ?? []) {
      const { antiAffinity } = rulesOf(other);
      spendEffort(antiAffinity.length);
      for (const term of antiAffinity)
        if (term.matches(pod, snapshot)) {
          keys.add(term.key);
          domains.add(term.key, must(node, 'node'), 1);
        }
    }
  }
  return { domains, keys };
}

/** The sum of the weights of matching terms, by domain. */
function weighDomains(pod: Pod, hardWeight: number, snapshot: Snapshot): { domains: Domains; keys: Set<string> } {
  const own = rulesOf(pod).preferred;
  const domains = new Domains();
  const keys = new Set<string>();
  const count = ({ key, weight }: Term, node: NodeInfo, times = 1) => {
    keys.add(key);
    domains.add(key, node, weight * times);
  };
  // For a pod without rules, only pods with rules matter.
  const looked =
    own.length > 0 ? snapshot.nodes : [...snapshot.nodesWithPodAffinity].flatMap((name) => snapshot.node(name) ?? []);
  for (const node of looked)
    for (const { pod: other } of node.pods.values()) {
      spendEffort(own.length);
      for (const term of own) if (term.matches(other, snapshot)) count(term, node);
      const { affinity, preferred } = rulesOf(other);
      // A weight of 0 leaves out the required rules of existing pods.
      if (hardWeight > 0) for (const term of affinity) if (term.matches(pod, snapshot)) count(term, node, hardWeight);
      for (const term of preferred) if (term.matches(pod, snapshot)) count(term, node);
    }
  return { domains, keys };
}

export const interPodAffinityWith = ({
  hardPodAffinityWeight,
  ignorePreferredTermsOfExistingPods,
}: PluginArguments['InterPodAffinity']): Plugin => ({
  name: 'InterPodAffinity',
  weight: 2,
  prepareFilter({ pod }, snapshot) {
    const { affinity: wanted, antiAffinity: unwanted } = rulesOf(pod);
    if (wanted.length === 0 && unwanted.length === 0 && snapshot.nodesWithPodAffinity.size === 0) return 'skip';
    const forbidden = forbiddenDomains(pod, snapshot);
    if (wanted.length === 0 && unwanted.length === 0 && forbidden.domains.isEmpty) return 'skip';
    const near = wanted.length > 0 ? domainsOf(wanted, snapshot) : undefined;
    const far = unwanted.map((term) => domainsOf([term], snapshot));
    // The first pod of a group with affinity to itself has no match yet.
    const isFirst = near?.isEmpty && matchesAll(wanted, pod, snapshot);
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
    const hasOwn = rulesOf(pod).preferred.length > 0;
    if (!hasOwn && (ignorePreferredTermsOfExistingPods || snapshot.nodesWithPodAffinity.size === 0)) return 'skip';
    const { domains, keys } = weighDomains(pod, hardPodAffinityWeight, snapshot);
    if (domains.isEmpty) return 'skip';
    return {
      score(node) {
        spendEffort(keys.size);
        return domains.sumAt(keys, node);
      },
      normalize(scores: Float64Array) {
        const max = Math.max(...scores);
        const min = Math.min(...scores);
        for (let i = 0; i < scores.length; i++)
          scores[i] = max > min ? Math.floor(maxScore * ((scores[i] - min) / (max - min))) : 0;
      },
    };
  },
  wakes: (event, { pod }, snapshot) => couldHelp(event, pod, snapshot),
});

export const interPodAffinity = interPodAffinityWith(defaultArguments.InterPodAffinity);

function couldHelp(event: ClusterEvent, pod: Pod, snapshot: Snapshot): boolean {
  const { affinity, antiAffinity } = rulesOf(pod);
  switch (event.type) {
    case 'pod-updated':
      return true;
    case 'pod-assigned':
      return matchesAll(affinity, event.pod, snapshot);
    case 'pod-gone':
      return (
        matchesAll(antiAffinity, event.pod, snapshot) || matchesAll(rulesOf(event.pod).antiAffinity, pod, snapshot)
      );
    case 'pod-relabelled': {
      const { pod: next, old } = event;
      return (
        (!matchesAll(affinity, old, snapshot) && matchesAll(affinity, next, snapshot)) ||
        (matchesAll(antiAffinity, old, snapshot) && !matchesAll(antiAffinity, next, snapshot))
      );
    }
    case 'node-added':
      return true;
    case 'node-changed': {
      if (!event.aspects.includes('labels')) return false;
      const terms = [...affinity, ...antiAffinity];
      const domainOf = (node: Node, key: string) => node.metadata.labels?.[key];
      // Without terms, rules of other pods refused it.
      return terms.length === 0 || terms.some(({ key }) => domainOf(event.node, key) !== domainOf(event.old, key));
    }
    default:
      return false;
  }
}
