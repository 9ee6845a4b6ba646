// Eviction: deletes a pod if the disruption budgets allow it.
// https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/

import {
  badRequest,
  type Condition,
  type Eviction,
  type Kind,
  notFound,
  type Pod,
  type PodDisruptionBudget,
} from '../../api/api.ts';
import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import { admitWhole } from '../admission.ts';
import { attributesOf } from '../registry/attributes.ts';
import { decodeShape, served } from '../registry/codec.ts';
import type { Place, Target } from '../registry/operation.ts';
import { newestItem } from '../registry/read/get.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import { deleteObject } from '../registry/write/delete.ts';
import { modify } from '../registry/write/modify.ts';
import type { WriteOptions } from '../registry/write/write-options.ts';
import type { Body } from '../request/body.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import { failure, plainError } from '../status.ts';
import { timestamp } from '../timestamp.ts';
import { asDocument, documentKind } from './document.ts';
import { created, type Subresource } from './subresource.ts';

const evictionKind = documentKind('policy', 'v1', 'Eviction');

export const eviction: Subresource = {
  async answer(target, action): Promise<Reply> {
    const { body, options } = created(action);
    const wanted: Eviction = await decodeShape(target, { body: asV1(body), options }, evictionKind);
    if ((wanted.metadata?.name ?? '') !== target.name)
      throw badRequest('name in URL does not match name in Eviction object');
    const deletion = wanted.deleteOptions ?? {};
    const dryRun = options.dryRun || !!deletion.dryRun?.length;
    const pod = served(target.kind, await newestItem(target)) as Pod;
    await admitEviction(target, wanted, { ...options, dryRun });
    if (!isFree(pod)) await spendBudget(target, pod, dryRun);
    if (!dryRun && !pod.metadata.deletionTimestamp) await markDisrupted(target);
    await deleteObject(target, { ...deletion, dryRun });
    return objectReply(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
  },
};

/** Before anything is spent or marked: a refused eviction changes nothing. */
async function admitEviction(target: Target, wanted: Eviction, options: WriteOptions): Promise<void> {
  wanted.metadata ??= {} as Eviction['metadata'];
  const attributes = asDocument(attributesOf(target, 'CREATE', wanted, undefined, options), evictionKind);
  await admitWhole(target.server.admission, attributes);
}

/** https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions */
async function markDisrupted(target: Place): Promise<void> {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastTransitionTime: timestamp(target.server.clock.now()),
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  };
  await modify(target, (next) => {
    const pod = next as Pod;
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    pod.status = { ...pod.status, conditions: [...others, condition] };
  });
}

/** policy/v1beta1 has the same shape and is still accepted here. */
function asV1(body: Body | undefined): Body | undefined {
  if (!body || 'object' in body) return body;
  const text = body.bytes.toString();
  return text.includes('policy/v1beta1')
    ? { ...body, bytes: Buffer.from(text.replace('policy/v1beta1', 'policy/v1')) }
    : body;
}

/** Pods that are done, or have not begun, count for no budget. */
const isFree = ({ status, metadata }: Pod): boolean =>
  ['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '') || !!metadata.deletionTimestamp;

async function spendBudget(target: Place, pod: Pod, dryRun: boolean): Promise<void> {
  const { server, namespace } = target;
  const kind = server.kinds.byResource('policy', 'v1', 'poddisruptionbudgets') as Kind;
  const cache = await cacheOf(server, kind);
  const budgets: PodDisruptionBudget[] = [];
  cache.tree.forEach(keyOf(kind, namespace, ''), keyOf(kind, `${namespace}0`, ''), ({ object }) => {
    const budget = object as PodDisruptionBudget;
    if (budget.metadata.namespace !== namespace || !budget.spec?.selector) return;
    if (labelSelector(budget.spec.selector).matches(pod.metadata.labels ?? {})) budgets.push(budget);
  });
  if (!budgets.length) return;
  if (budgets.length > 1)
    throw plainError(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const [budget] = budgets;
  if (ignoresBudget(budget, pod)) return;
  const name = budget.metadata.name ?? '';
  const ofBudget = { ...target, kind, cache, name };
  await modify(
    ofBudget,
    (next) => decrement(next as PodDisruptionBudget, pod, timestamp(server.clock.now())),
    dryRun,
  ).catch((error) => {
    if (error.code === 404) throw notFound(kind, name);
    throw error;
  });
}

/** https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy */
function ignoresBudget({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  const ready = pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  if (ready) return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

const violation = "Cannot evict pod as it would violate the pod's disruption budget.";

function decrement(budget: PodDisruptionBudget, pod: Pod, now: string): void {
  const { name = '', generation = 0 } = budget.metadata;
  const status = { ...budget.status };
  if ((status.observedGeneration ?? 0) < generation)
    throw refusal(`The disruption budget ${name} is still being processed by the server.`, 10);
  if (Object.keys(status.disruptedPods ?? {}).length > 2_000)
    throw failure(
      403,
      'Forbidden',
      `poddisruptionbudgets.policy "${name}" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller`,
    );
  if (!(status.disruptionsAllowed > 0))
    throw refusal(
      `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
    );
  status.disruptionsAllowed--;
  if (status.disruptionsAllowed === 0) status.conditions = exhausted(status.conditions, generation, now);
  status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name ?? '']: now };
  budget.status = status;
}

function exhausted(conditions: readonly Condition[] = [], observedGeneration: number, now: string): Condition[] {
  const type = 'DisruptionAllowed';
  const old = conditions.find((condition) => condition.type === type);
  const lastTransitionTime = old?.status === 'False' ? old.lastTransitionTime : now;
  const next = {
    type,
    status: 'False',
    observedGeneration,
    lastTransitionTime,
    reason: 'InsufficientPods',
    message: '',
  };
  return [...conditions.filter((condition) => condition.type !== type), next];
}

function refusal(message: string, retryAfterSeconds?: number) {
  return failure(429, 'TooManyRequests', violation, {
    causes: [{ reason: 'DisruptionBudget', message }],
    ...(retryAfterSeconds && { retryAfterSeconds }),
  });
}
