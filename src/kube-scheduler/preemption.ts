// Finds pods of lower priority whose removal makes a pod schedulable.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

import type { Pod, PodDisruptionBudget } from '../api/api.ts';
import { labelSelector } from '../machinery/selectors/label-selector.ts';
import { TooMuchEffort } from '../machinery/time/effort.ts';
import { defaultArguments, type PluginArguments } from './configuration/arguments.ts';
import { refusalOn, withNode } from './filtering.ts';
import type { Candidate, PostFilterInput, Preemption, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

/** The reason for no preemption. `waits`: this pod's victims still terminate, or it may not preempt. */
interface NoPreemption {
  readonly why: string;
  readonly waits: boolean;
}

type Request = PostFilterInput;

const noVictims = 'No preemption victims found for incoming pod';
const tooMuchWork = 'The search for preemption victims takes too much work';
const notHelpful = 'Preemption is not helpful for scheduling';

/** Which pods of which node to remove, or why none, in Kubernetes' words. */
export function findPreemption(
  request: Request,
  args: PluginArguments['DefaultPreemption'] = defaultArguments.DefaultPreemption,
): Preemption | NoPreemption {
  const { pod, failure, snapshot } = request;
  const ineligible = whyNotEligible(request);
  if (ineligible) return { why: `preemption: ${ineligible}`, waits: true };
  const potential = failure.filtered.filter(({ resolvable }) => resolvable);
  const reasons: string[] = Array.from({ length: snapshot.nodes.length - potential.length }, () => notHelpful);
  const candidates: Candidate[] = [];
  const enough = enoughCandidates(potential.length, args);
  // In a cluster with one priority only there are no victims: skip the search.
  const hopeless = snapshot.lowestPriority() >= pod.priority;
  for (const filtered of potential) {
    const found = hopeless ? [noVictims] : boundedVictims(request, snapshot.node(filtered.node) as NodeInfo);
    if ('victims' in found) candidates.push(found);
    else reasons.push(...found);
    if (candidates.length >= enough && candidates.some(({ violations }) => violations === 0)) break;
  }
  return bestOf(candidates, pod, snapshot) ?? { why: messageOf(snapshot.nodes.length, reasons), waits: false };
}

export function bestOf(
  candidates: readonly Candidate[],
  pod: PodInfo,
  { nominations }: Pick<Snapshot, 'nominations'>,
): Preemption | undefined {
  const [best] = candidates.toSorted(compare);
  if (!best) return undefined;
  const { node, victims } = best;
  const displaced = [...nominations.on(node).values()].filter((other) => other.priority < pod.priority);
  return {
    node,
    victims: victims.map((victim) => victim.pod),
    displaced: displaced.map((other) => other.pod),
    candidates,
  };
}

/** How many nodes are tried out: a share of those that could help, and at least some. */
const enoughCandidates = (
  total: number,
  { minCandidateNodesPercentage: percentage, minCandidateNodesAbsolute: least }: PluginArguments['DefaultPreemption'],
): number => Math.max(Math.floor((total * percentage) / 100), least);

/** A pod whose victims still terminate gets no more victims. */
function whyNotEligible({ pod, failure, snapshot }: Request): string | undefined {
  if (pod.pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = snapshot.nominations.nodeOf(pod.pod.metadata.uid);
  if (nominated === undefined) return undefined;
  if (failure.filtered.some(({ node, resolvable }) => node === nominated && !resolvable)) return undefined;
  for (const other of snapshot.node(nominated)?.pods.values() ?? [])
    if (other.priority < pod.priority && leavesByPreemption(other.pod, snapshot))
      return 'not eligible due to a terminating pod on the nominated node.';
  return undefined;
}

const leavesByPreemption = ({ metadata, status }: Pod, snapshot: Snapshot): boolean =>
  snapshot.isPreempted(metadata.uid) ||
  (metadata.deletionTimestamp !== undefined &&
    (status?.conditions ?? []).some(
      ({ type, status, reason }) =>
        type === 'DisruptionTarget' && status === 'True' && reason === 'PreemptionByScheduler',
    ));

function messageOf(total: number, reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `preemption: 0/${total} nodes are available: ${texts.join(', ')}.`;
}

/** The effort is that of all nodes: once it is spent, the search ends with the candidates that were found. */
function boundedVictims(request: Request, node: NodeInfo): Candidate | readonly string[] {
  try {
    return victimsOn(request, node);
  } catch (error) {
    if (error instanceof TooMuchEffort) return [tooMuchWork];
    throw error;
  }
}

/** The fewest and least important pods whose removal makes the pod fit, or the reason why there are none. */
function victimsOn({ plugins, pod, snapshot, budgets }: Request, node: NodeInfo): Candidate | readonly string[] {
  const lower = [...node.pods.values()].filter((p) => p.priority < pod.priority);
  if (lower.length === 0) return [noVictims];
  const tried = node.copy();
  for (const victim of lower) tried.remove(victim.pod.metadata.uid);
  const changed = withNode(snapshot, tried);
  const refusal = refusalOn(plugins, pod, tried, changed);
  if (refusal) return refusal.reasons;
  // More important pods are kept first, and pods with a budget before those without.
  lower.sort(byImportance);
  const { violating, others } = splitByBudget(lower, budgets);
  const mustGo = (candidate: PodInfo): boolean => {
    tried.add(candidate);
    if (!refusalOn(plugins, pod, tried, changed)) return false;
    tried.remove(candidate.pod.metadata.uid);
    return true;
  };
  const violations = violating.filter(mustGo);
  const victims = [...violations, ...others.filter(mustGo)].sort(byImportance);
  return { node: node.name, victims, violations: violations.length };
}

/** The pods, most important first, whose removal would violate a disruption budget if all were removed. */
function splitByBudget(pods: readonly PodInfo[], budgets: readonly PodDisruptionBudget[]) {
  const left = budgets.map(({ metadata, spec, status }) => {
    const { matchLabels = {}, matchExpressions = [] } = spec?.selector ?? {};
    const isEmpty = Object.keys(matchLabels).length + matchExpressions.length === 0;
    return {
      namespace: metadata.namespace,
      selector: isEmpty ? undefined : labelSelector(spec?.selector),
      disrupted: status?.disruptedPods ?? {},
      allowed: status?.disruptionsAllowed ?? 0,
    };
  });
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of pods) {
    const { name, namespace, labels } = info.pod.metadata;
    // The first budget that is used up decides; later ones are not charged for this pod.
    const violates = left.some((budget) => {
      if (budget.namespace !== namespace || !labels || !budget.selector?.matches(labels)) return false;
      if (Object.hasOwn(budget.disrupted, name)) return false;
      budget.allowed--;
      return budget.allowed < 0;
    });
    (violates ? violating : others).push(info);
  }
  return { violating, others };
}

const startOf = (info: PodInfo) => info.pod.status?.startTime ?? '9999';
const byImportance = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || startOf(a).localeCompare(startOf(b));
const highest = (victims: readonly PodInfo[]) => Math.max(...victims.map((v) => v.priority));
/** Priorities are shifted to positive, so that victims of negative priority do not count as less than none. */
const sum = (victims: readonly PodInfo[]) => victims.reduce((total, v) => total + v.priority + 2 ** 31, 0);

/** Fewest broken budgets, least important victims, fewest victims, then those that have run for the shortest time. */
function compare(a: Candidate, b: Candidate): number {
  return (
    a.violations - b.violations ||
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
