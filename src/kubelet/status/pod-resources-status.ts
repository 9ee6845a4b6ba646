// The pod-level resources in pod.status. Pure.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-pod-resources/

import { type Pod, type PodStatus, podLimits, podRequests } from '../../api/api.ts';
import type { Limits } from '../../container-runtime/container-runtime.ts';
import { canonicalQuantity, formatBytes } from '../../machinery/quantity.ts';
import { milli } from '../resources/resources.ts';

/** Below these values the kernel rounds: the allocated amount is more exact than the cgroup's. */
const leastRequestMillis = 2;
const leastLimitMillis = 10;

type Amounts = Record<string, string>;

/** `limits`: the values of the pod's cgroup, if it has one. */
export function podResourcesStatus(
  promised: Pod,
  phase: string,
  limits?: Limits,
): Pick<PodStatus, 'resources' | 'allocatedResources'> {
  const { requests: allocated, limits: declared } = sumsOf(promised);
  return {
    ...(Object.keys(allocated).length > 0 && { allocatedResources: allocated }),
    resources: defined(
      phase === 'Running' ? runningResources(promised, allocated, limits) : { requests: allocated, limits: declared },
    ),
  };
}

function runningResources(promised: Pod, allocated: Amounts, limits: Limits | undefined) {
  const { resources } = promised.spec;
  const own = { requests: canonical(resources?.requests), limits: canonical(resources?.limits) };
  if (allocated['memory']) own.requests['memory'] ??= allocated['memory'];
  if (!limits) {
    return { requests: allocated, limits: sumsOf(promised).limits };
  }
  const { cpuShares = 0, cpuQuota = 0, cpuPeriod = 1, memoryLimitBytes } = limits;
  const requested = cpuShares >= leastRequestMillis ? Math.ceil((cpuShares * 1000) / 1024) : 0;
  if (Math.max(requested, milli(own.requests['cpu'])) > leastRequestMillis && requested > 0)
    own.requests['cpu'] = millis(requested);
  const limited = Math.floor((cpuQuota * 1000) / cpuPeriod);
  if (Math.max(limited, milli(own.limits['cpu'])) > leastLimitMillis && limited > 0)
    own.limits['cpu'] = millis(limited);
  if (memoryLimitBytes) own.limits['memory'] = formatBytes(memoryLimitBytes);
  return own;
}

const millis = (amount: number) => canonicalQuantity(`${amount}m`);

/** Pods may have thousands of containers, and their status is computed again and again. */
const sums = new WeakMap<Pod['spec'], { requests: Amounts; limits: Amounts }>();

function sumsOf({ spec }: Pod): { readonly requests: Amounts; readonly limits: Amounts } {
  let sum = sums.get(spec);
  if (!sum)
    sums.set(spec, (sum = { requests: canonical(podRequests({ spec })), limits: canonical(podLimits({ spec })) }));
  return sum;
}

const canonical = (list: Readonly<Amounts> | undefined): Amounts =>
  Object.fromEntries(Object.entries(list ?? {}).map(([name, amount]) => [name, canonicalQuantity(amount)]));

const defined = (lists: { requests: Amounts; limits: Amounts }) =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => Object.keys(list).length > 0));
