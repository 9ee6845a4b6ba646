// The defaults of a pod's requests and limits. Templates have none: their pods get them.
// https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/

import { canonicalQuantity } from '../../machinery/quantity.ts';
import type { Pod } from '../generated/types.ts';
import { podLimits, podRequests, type ResourceList } from '../objects/pod.ts';
import { specOf } from '../spec-of.ts';

interface Resources {
  limits?: ResourceList;
  requests?: ResourceList;
}

export function defaultPodResources(pod: Pod): void {
  const spec = specOf(pod);
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])])
    defaultRequests(container.resources as Resources | undefined);
  const own = spec.resources;
  if (!own) return;
  const { resources: _resources, overhead: _overhead, ...rest } = spec;
  const ofContainers = { spec: rest };
  defaultHugePageLimits(own, podLimits(ofContainers));
  if (!isEmpty(own.limits)) defaultOwnRequests(own, podRequests(ofContainers));
}

const isEmpty = (list: ResourceList | undefined): boolean => !Object.keys(list ?? {}).length;

/** A limit without a request becomes the request. */
function defaultRequests(resources: Resources | undefined): void {
  if (!resources?.limits) return;
  resources.requests ??= {};
  for (const [name, quantity] of Object.entries(resources.limits))
    resources.requests[name] ??= canonicalQuantity(quantity);
}

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const mayExceed = (name: string): boolean => name === 'cpu' || name === 'memory';

/** Huge pages that the containers may use, unless the pod asks for some itself. */
function defaultHugePageLimits(own: Resources, total: Readonly<ResourceList>): void {
  if (isEmpty(own.limits) && isEmpty(own.requests)) return;
  for (const [name, quantity] of Object.entries(total))
    if (isHugePages(name) && own.requests?.[name] === undefined) (own.limits ??= {})[name] ??= quantity;
}

/** The containers' total requests, and the pod's limits where the containers have no requests. */
function defaultOwnRequests(own: Resources, total: Readonly<ResourceList>): void {
  const requests: ResourceList = { ...own.requests };
  for (const [name, quantity] of Object.entries(total)) if (mayExceed(name)) requests[name] ??= quantity;
  for (const [name, quantity] of Object.entries(own.limits ?? {}))
    if (mayExceed(name) || isHugePages(name)) requests[name] ??= canonicalQuantity(quantity);
  if (!isEmpty(requests)) own.requests = requests;
}
