// The resource usage of a namespace's objects, in the terms of ResourceQuota.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/

import { addQuantities, compareQuantities } from '../machinery/quantity.ts';
import type { Container, PersistentVolumeClaim, Pod, ResourceQuota, Service } from './generated/types.ts';
import type { ApiObject } from './kind.ts';
import { isPodTerminal } from './pod.ts';

export type Usage = Record<string, string>;
type Amounts = Readonly<Record<string, string | number>>;

const plus = (a: Usage, b: Amounts): Usage => {
  const sum = { ...a };
  for (const [name, value] of Object.entries(b))
    sum[name] = name in sum ? addQuantities(sum[name], value) : String(value);
  return sum;
};
const most = (a: Usage, b: Amounts): Usage => {
  const result = { ...a };
  for (const [name, value] of Object.entries(b))
    if (!(name in result) || compareQuantities(value, result[name]) > 0) result[name] = String(value);
  return result;
};

/**
 * The amounts that the scheduler reserves for a pod: its containers and sidecars together, or the largest init step.
 */
function amountsOf({ spec }: Pod, kind: 'requests' | 'limits'): Usage {
  const of = (container: Container): Amounts => container.resources?.[kind] ?? {};
  let running: Usage = {};
  let starting: Usage = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') running = plus(running, of(container));
    starting = most(starting, container.restartPolicy === 'Always' ? running : plus(running, of(container)));
  }
  for (const container of spec.containers) running = plus(running, of(container));
  return plus(most(running, starting), spec.overhead ?? {});
}

const plainRequests = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function podUsage(pod: Pod): Usage {
  if (isPodTerminal(pod)) return {};
  const usage: Usage = { pods: '1', 'count/pods': '1' };
  for (const [name, value] of Object.entries(amountsOf(pod, 'requests'))) {
    usage[`requests.${name}`] = value;
    if (plainRequests.has(name) || name.startsWith('hugepages-')) usage[name] = value;
  }
  for (const [name, value] of Object.entries(amountsOf(pod, 'limits')))
    if (plainRequests.has(name)) usage[`limits.${name}`] = value;
  return usage;
}

export function serviceUsage({ spec }: Service): Usage {
  const ports = String((spec.ports ?? []).length);
  const one = { services: '1', 'count/services': '1' };
  if (spec.type === 'NodePort') return { ...one, 'services.nodeports': ports };
  if (spec.type !== 'LoadBalancer') return one;
  const hasNodePorts = spec.allocateLoadBalancerNodePorts !== false;
  return { ...one, 'services.loadbalancers': '1', ...(hasNodePorts && { 'services.nodeports': ports }) };
}

export function claimUsage({ spec, metadata }: PersistentVolumeClaim): Usage {
  const storage = spec.resources?.requests?.storage;
  const className = spec.storageClassName ?? metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
  const usage: Usage = { persistentvolumeclaims: '1', 'count/persistentvolumeclaims': '1' };
  if (storage !== undefined) usage['requests.storage'] = String(storage);
  if (!className) return usage;
  const prefix = `${className}.storageclass.storage.k8s.io`;
  usage[`${prefix}/persistentvolumeclaims`] = '1';
  if (storage !== undefined) usage[`${prefix}/requests.storage`] = String(storage);
  return usage;
}

/** Core kinds that also count by plain name. */
const countedByName = new Set(['configmaps', 'secrets', 'resourcequotas', 'replicationcontrollers']);

/** The usage of one object of any namespaced kind. */
export function usageOfObject({ group, resource }: { group: string; resource: string }, object: ApiObject): Usage {
  if (group === '' && resource === 'pods') return podUsage(object as Pod);
  if (group === '' && resource === 'services') return serviceUsage(object as Service);
  if (group === '' && resource === 'persistentvolumeclaims') return claimUsage(object as PersistentVolumeClaim);
  const counted: Usage = { [`count/${group ? `${resource}.${group}` : resource}`]: '1' };
  return group === '' && countedByName.has(resource) ? { ...counted, [resource]: '1' } : counted;
}

export const sumUsage = (usages: readonly Usage[]): Usage => usages.reduce<Usage>((sum, usage) => plus(sum, usage), {});

/** Whether a quota with scopes counts the pod. https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes */
export function isInScope({ spec }: ResourceQuota, pod: Pod): boolean {
  const bestEffort = pod.status?.qosClass
    ? pod.status.qosClass === 'BestEffort'
    : Object.keys(amountsOf(pod, 'requests')).length + Object.keys(amountsOf(pod, 'limits')).length === 0;
  const terminating = pod.spec.activeDeadlineSeconds !== undefined;
  const holds = (scope: string, operator = 'Exists', values: readonly string[] = []): boolean => {
    if (scope === 'Terminating') return terminating;
    if (scope === 'NotTerminating') return !terminating;
    if (scope === 'BestEffort') return bestEffort;
    if (scope === 'NotBestEffort') return !bestEffort;
    if (scope === 'CrossNamespacePodAffinity') return crossesNamespaces(pod);
    if (scope !== 'PriorityClass') return false;
    const name = pod.spec.priorityClassName ?? '';
    if (operator === 'In') return values.includes(name);
    if (operator === 'NotIn') return !values.includes(name);
    return operator === 'Exists' ? name !== '' : name === '';
  };
  return (
    (spec.scopes ?? []).every((scope) => holds(scope)) &&
    (spec.scopeSelector?.matchExpressions ?? []).every(({ scopeName, operator, values }) =>
      holds(scopeName, operator, values),
    )
  );
}

function crossesNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
    ].some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined),
  );
}
