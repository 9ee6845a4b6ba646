// The resource usage of a namespace's objects, in the terms of ResourceQuota.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/

import { must } from '../../machinery/must.ts';
import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from '../../machinery/quantity.ts';
import type {
  Container,
  ContainerStatus,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  Service,
} from '../generated/types.ts';
import type { ApiObject, Kind, KubeObject } from '../kind.ts';
import { conditionOf } from './conditions.ts';
import { isPodTerminal, podResources, qosClass, type ResourceList } from './pod.ts';
import type { QuotaRules, Scope, Usage } from './quota-rules.ts';

type Amounts = Readonly<Record<string, string | number>>;

const most = (a: Usage, b: Amounts): Usage => {
  const result = { ...a };
  for (const [name, value] of Object.entries(b))
    if (!(name in result) || compareQuantities(value, result[name]) > 0) result[name] = String(value);
  return result;
};

/** During a resize, a container counts by the largest of its desired, allocated and actual resources. */
function amountsOf({ spec, status }: Pod, which: 'requests' | 'limits'): ResourceList {
  const statuses = new Map<string, ContainerStatus>(
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map((one) => [one.name, one]),
  );
  const pending = conditionOf({ status }, 'PodResizePending');
  const isInfeasible = pending?.reason === 'Infeasible';
  const counted = (container: Container): Container => {
    const actual = statuses.get(container.name);
    if (!actual?.resources) return container;
    const lists = [
      isInfeasible ? undefined : container.resources?.[which],
      actual.resources[which],
      which === 'requests' ? actual.allocatedResources : undefined,
    ];
    const largest = lists.reduce<Usage>((amounts, list) => most(amounts, list ?? {}), {});
    return { ...container, resources: { ...container.resources, [which]: largest } };
  };
  return podResources(
    {
      ...spec,
      containers: spec.containers.map(counted),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(counted) }),
    },
    which,
  );
}

const plainRequests = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Its node is gone: a pod that stays beyond its grace period must not block its successor. */
const isStuck = ({ deletionTimestamp, deletionGracePeriodSeconds }: Pod['metadata'], nowMs: number): boolean =>
  deletionTimestamp !== undefined &&
  deletionGracePeriodSeconds !== undefined &&
  nowMs > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1_000;

export function podUsage(pod: Pod, nowMs: number): Usage {
  if (isPodTerminal(pod) || isStuck(pod.metadata, nowMs)) return { 'count/pods': '1' };
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
  const given = (spec.ports ?? []).filter(({ nodePort }) => nodePort).length;
  const nodePorts = spec.allocateLoadBalancerNodePorts === false ? String(given) : ports;
  return { ...one, 'services.loadbalancers': '1', 'services.nodeports': nodePorts };
}

export function claimUsage({ spec, metadata, status }: PersistentVolumeClaim): Usage {
  const requested = spec.resources?.requests?.storage;
  const allocated = status?.allocatedResources?.storage;
  const isMore = requested !== undefined && allocated !== undefined && compareQuantities(allocated, requested) > 0;
  const storage = isMore ? allocated : requested;
  const className = spec.storageClassName ?? metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
  const usage: Usage = { persistentvolumeclaims: '1', 'count/persistentvolumeclaims': '1' };
  if (storage !== undefined) usage['requests.storage'] = String(storage);
  if (!className) return usage;
  const prefix = `${className}.storageclass.storage.k8s.io`;
  usage[`${prefix}/persistentvolumeclaims`] = '1';
  if (storage !== undefined) usage[`${prefix}/requests.storage`] = String(storage);
  return usage;
}

/** The usage of one object of any namespaced kind. */
export const usageOfObject = (kind: Kind, object: ApiObject, nowMs: number): Usage =>
  kind.quota?.usage(object, nowMs) ?? { [countedAs(kind)]: '1' };

/** The resource of a quota that limits the number of objects of any kind. */
export const countedAs = ({ group, resource }: Pick<Kind, 'group' | 'resource'>): string =>
  `count/${group ? `${resource}.${group}` : resource}`;

/** For core kinds that count also by their plain name. */
export const countedByName = (resource: string): QuotaRules<KubeObject> => ({
  usage: () => ({ [countedAs({ group: '', resource })]: '1', [resource]: '1' }),
  uses: (name) => name === resource,
});

/** The usage of thousands of objects, of which each may use resources that no other one does. */
export class UsageSum {
  readonly #amounts = new Map<string, { nanos: bigint; format: Quantity['format'] }>();

  add(usage: Usage): void {
    for (const [name, value] of Object.entries(usage)) {
      const { nanos, format } = parseQuantity(value);
      const sum = this.#amounts.get(name);
      if (!sum) this.#amounts.set(name, { nanos, format });
      else {
        // The first amount that is not zero decides about the format.
        if (sum.nanos === 0n) sum.format = format;
        sum.nanos += nanos;
      }
    }
  }

  total(): Usage {
    const total: Usage = {};
    for (const [name, sum] of this.#amounts) total[name] = formatQuantity(sum);
    return total;
  }
}

export const scopesOf = ({ spec }: ResourceQuota): readonly Scope[] => [
  ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec.scopeSelector?.matchExpressions ?? []),
];

/** Whether the quota counts the object. https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes */
export const isInScope = <T extends KubeObject>(
  quota: ResourceQuota,
  rules: Pick<QuotaRules<T>, 'holdsScope'> | undefined,
  object: T,
): boolean => scopesOf(quota).every((scope) => rules?.holdsScope?.(scope, object) ?? false);

function holdsForClaim(scope: Scope, claim: PersistentVolumeClaim): boolean {
  if (scope.scopeName !== 'VolumeAttributesClass') return false;
  const names = attributesClassesOf(claim);
  return names.length > 0 ? names.some((name) => selects(scope, name)) : selects(scope, '');
}

function holdsForPod(scope: Scope, pod: Pod): boolean {
  switch (scope.scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
    case 'PriorityClass':
      return selects(scope, pod.spec.priorityClassName ?? '');
    default:
      return false;
  }
}

/** '' is no name. */
function selects({ operator = 'Exists', values = [] }: Scope, name: string): boolean {
  if (operator === 'In') return name !== '' && values.includes(name);
  if (operator === 'NotIn') return name === '' || !values.includes(name);
  return operator === 'Exists' ? name !== '' : name === '';
}

/** Whether the pod ends by a deadline. */
const isTerminating = ({ spec }: Pod): boolean => (spec.activeDeadlineSeconds ?? -1) >= 0;

const isBestEffort = ({ spec, status }: Pod): boolean => (status?.qosClass || qosClass(spec)) === 'BestEffort';

/** The desired class, the current one, and the one that the volume is being changed to. */
function attributesClassesOf({ spec, status }: PersistentVolumeClaim): string[] {
  const { currentVolumeAttributesClassName: current, modifyVolumeStatus } = status ?? {};
  const names = [spec.volumeAttributesClassName, current, modifyVolumeStatus?.targetVolumeAttributesClassName];
  return [...new Set(names.filter((name): name is string => name !== undefined && name !== ''))];
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

const computeResources = new Set(
  ['cpu', 'memory', 'ephemeral-storage'].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
);

export const podQuota: QuotaRules<Pod> = {
  usage: podUsage,
  uses: (resource) =>
    resource === 'pods' ||
    computeResources.has(resource) ||
    /^(requests\.)?hugepages-/.test(resource) ||
    /^requests\.[^/]+\//.test(resource),
  holdsScope: holdsForPod,
  updates: ['', 'resize'],
  matters: (next, old) => isTerminating(next) !== isTerminating(old),
  unspecified,
};

export const serviceQuota: QuotaRules<Service> = {
  usage: serviceUsage,
  uses: (resource) => resource === 'services' || resource.startsWith('services.'),
  updates: [''],
};

export const claimQuota: QuotaRules<PersistentVolumeClaim> = {
  usage: claimUsage,
  uses: (resource) =>
    resource === 'persistentvolumeclaims' || resource === 'requests.storage' || resource.includes('.storageclass.'),
  holdsScope: holdsForClaim,
  updates: ['', 'status'],
};

/** Where cpu or memory is limited, the pod or each container must set it. "" when they do. */
function unspecified({ spec }: Pod, restricted: readonly string[]): string {
  const containers: Container[] = [...spec.containers, ...(spec.initContainers ?? [])];
  const { requests, limits } = spec.resources ?? {};
  if ([requests, limits].some((list) => Object.keys(list ?? {}).length > 0)) return '';
  const says = (resources: Container['resources'] | undefined, resource: string) => {
    const [, which = 'requests', name] = must(/^(?:(requests|limits)\.)?(.+)$/.exec(resource), 'match');
    return resources?.[which as 'requests' | 'limits']?.[name] !== undefined;
  };
  return restricted
    .filter((resource) => /^((requests|limits)\.)?(cpu|memory)$/.test(resource))
    .map((resource) => ({
      resource,
      names: containers.filter(({ resources }) => !says(resources, resource)).map(({ name }) => name),
    }))
    .filter(({ names }) => names.length)
    .map(({ resource, names }) => `${resource} for: ${names.sort().join(',')}`)
    .join('; ');
}
