// Updates the number of allowed evictions of each PodDisruptionBudget.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets

import {
  conditionOf,
  controllerOf,
  isPodActive,
  isPodReady,
  type KubeObject,
  type Pod,
  type PodDisruptionBudget,
  transitionTime,
  withCondition,
} from '../api/api.ts';
import { type Controller, keyOf, own, type Tools, timestamp } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { parseExact } from '../machinery/text/exact-json.ts';
import { resolveIntOrPercent } from './deployment/scale.ts';
import { selectorOf } from './shared/claim.ts';

/** Time between an allowed eviction and the pod's deletion. */
const deletionTimeoutMs = 120_000;

type Scaled = 'replicasets' | 'replicationcontrollers' | 'statefulsets' | 'deployments';
const resourceOf: Record<string, Scaled> = {
  ReplicaSet: 'replicasets',
  ReplicationController: 'replicationcontrollers',
  StatefulSet: 'statefulsets',
  Deployment: 'deployments',
};

export const disruption: Controller = {
  name: 'disruption',
  component: 'controllermanager',
  watches: [
    own('poddisruptionbudgets'),
    {
      resource: 'pods',
      *keys(pod: Pod, { lister }) {
        for (const budget of lister('poddisruptionbudgets').list(pod.metadata.namespace))
          if (selectorOf(budget).matches(pod.metadata.labels ?? {})) yield keyOf(budget);
      },
    },
  ],
  reads: ['replicasets', 'replicationcontrollers', 'statefulsets', 'deployments'],
  async reconcile(key, tools) {
    const budget = tools.lister('poddisruptionbudgets').get(key);
    if (!budget) return;
    const selector = selectorOf(budget);
    const all = tools.lister('pods').list(budget.metadata.namespace);
    const pods = all.filter((pod) => selector.matches(pod.metadata.labels ?? {}));
    return updateStatus(budget, pods, tools);
  },
};

async function updateStatus(budget: PodDisruptionBudget, pods: readonly Pod[], tools: Tools) {
  const { clock, events } = tools;
  const counted = expectedOf(budget, pods, tools);
  if ('failure' in counted) {
    events.event(
      budget,
      'Warning',
      'CalculateExpectedPodCountFailed',
      `Failed to calculate the number of expected pods: ${counted.failure}`,
    );
    await write(
      budget,
      {
        ...budget.status,
        disruptionsAllowed: 0,
        conditions: conditionsOf(budget, 'SyncFailed', counted.failure, clock.now()),
      },
      tools,
    );
    return;
  }
  const { expectedPods, desiredHealthy } = counted;
  const { disruptedPods, after } = disruptedOf(budget, pods, clock.now());
  const healthy = pods.filter((pod) => isPodActive(pod) && isPodReady(pod) && !disruptedPods[pod.metadata.name]).length;
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, healthy - desiredHealthy);
  const reason = disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods';
  const status = {
    ...budget.status,
    currentHealthy: healthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed,
    disruptedPods: Object.keys(disruptedPods).length > 0 ? disruptedPods : undefined,
    observedGeneration: budget.metadata.generation,
    conditions: conditionsOf(budget, reason, '', clock.now()),
  };
  await write(budget, status, tools);
  return after;
}

async function write(
  budget: PodDisruptionBudget,
  status: PodDisruptionBudget['status'],
  { client }: Tools,
): Promise<void> {
  if (deepEqual(parseExact(JSON.stringify(status)), budget.status ?? {})) return;
  await client.update('poddisruptionbudgets', { ...budget, status }, { subresource: 'status' });
}

/** The expected number of pods, from the size of their controllers, and the number that must stay healthy. */
function expectedOf(
  { spec }: PodDisruptionBudget,
  pods: readonly Pod[],
  tools: Tools,
): { expectedPods: number; desiredHealthy: number } | { failure: string } {
  if (spec.minAvailable !== undefined && typeof spec.minAvailable === 'number')
    return { expectedPods: pods.length, desiredHealthy: spec.minAvailable };
  const sizes = new Map<string, number>();
  for (const pod of pods) {
    const found = sizeFor(pod, tools);
    if (typeof found === 'string') return { failure: found };
    if (found) sizes.set(found.uid, found.size);
  }
  const expectedPods = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (spec.maxUnavailable !== undefined) {
    const unavailable = resolveIntOrPercent(spec.maxUnavailable, expectedPods, 'up');
    return { expectedPods, desiredHealthy: Math.max(0, expectedPods - unavailable) };
  }
  return { expectedPods, desiredHealthy: resolveIntOrPercent(spec.minAvailable, expectedPods, 'up') };
}

type Scalable = KubeObject & { readonly spec?: { readonly replicas?: number } };

function sizeFor(pod: Pod, { lister }: Tools): { uid: string; size: number } | string | undefined {
  let found: Scalable | undefined;
  // A ReplicaSet of a Deployment counts as the Deployment, whose size stays the same during an update.
  for (let next = controllerOf(pod); next; next = controllerOf(found)) {
    const resource = resourceOf[next.kind];
    if (!resource) return found ? sizeOf(found) : `${next.kind} does not implement the scale subresource`;
    const parent = lister(resource).get(`${pod.metadata.namespace}/${next.name}`) as Scalable | undefined;
    if (parent?.metadata.uid !== next.uid) return undefined;
    found = parent;
  }
  return found && sizeOf(found);
}

const sizeOf = (object: Scalable) => ({ uid: object.metadata.uid, size: object.spec?.replicas ?? 1 });

/** Pods with an allowed eviction whose deletion is not in the cache yet. */
function disruptedOf({ status }: PodDisruptionBudget, pods: readonly Pod[], nowMs: number) {
  const disruptedPods: Record<string, string> = {};
  let after: { after: number } | undefined;
  const byName = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  for (const [name, time] of Object.entries(status?.disruptedPods ?? {})) {
    const pod = byName.get(name);
    const rest = Date.parse(time) + deletionTimeoutMs - nowMs;
    if (!pod || pod.metadata.deletionTimestamp || rest <= 0) continue;
    disruptedPods[name] = time;
    after = { after: Math.min(rest, after?.after ?? rest) };
  }
  return { disruptedPods, after };
}

function conditionsOf({ status, metadata }: PodDisruptionBudget, reason: string, message: string, nowMs: number) {
  const type = 'DisruptionAllowed';
  const state = reason === 'SufficientPods' ? 'True' : 'False';
  const lastTransitionTime = transitionTime(conditionOf({ status }, type), state, timestamp(nowMs));
  const observedGeneration = metadata.generation;
  const condition = { type, status: state, reason, message, lastTransitionTime, observedGeneration } as const;
  return withCondition(status?.conditions, condition);
}
