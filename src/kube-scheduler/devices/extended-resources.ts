// Extended resources that devices serve: the scheduler makes one claim for all that a pod requests in its containers.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#extended-resource

import {
  type Container,
  type ContainerExtendedResourceRequest,
  type DeviceRequest,
  isExtendedResource,
  type Pod,
} from '../../api/api.ts';
import { asserted } from '../../machinery/parsed.ts';
import { wholeValue } from '../../machinery/quantity.ts';
import type { PodInfo } from '../pod-info.ts';
import { extendedClaimAnnotation, type ResourceClaim } from './claim-types.ts';
import { classPrefix, type Devices } from './devices.ts';

export const isDeviceResource = (name: string): boolean => isExtendedResource(name) || name.startsWith(classPrefix);

/** Whether a resource of the pod could come from devices. */
export const mayUseDevices = ({ requests }: PodInfo, devices: Devices): boolean =>
  requests.scalars.size > 0 &&
  [...requests.scalars].some(
    ([name, amount]) => amount > 0 && isDeviceResource(name) && devices.classOfResource(name) !== undefined,
  );

/** No valid name: the claim exists in memory only. */
const nameInMemory = '<extended-resources>';
export const isInMemory = ({ metadata }: ResourceClaim): boolean => metadata.name === nameInMemory;

export function extendedClaim({ metadata }: Pod, uid: string): ResourceClaim {
  const { namespace, name } = metadata;
  const claim = {
    metadata: {
      ...(namespace !== undefined && { namespace }),
      name: nameInMemory,
      uid,
      generateName: `${name}-extended-resources-`,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid: metadata.uid, controller: true }],
      annotations: { [extendedClaimAnnotation]: 'true' },
    },
    spec: { devices: {} },
    status: {},
  };
  return asserted<ResourceClaim>(claim, 'the API server sets the other fields when the claim is created');
}

export interface ExtendedRequests {
  readonly requests: readonly DeviceRequest[];
  /** Which container uses which request. */
  readonly mappings: readonly ContainerExtendedResourceRequest[];
}

interface Slot {
  readonly index: number;
  readonly container: Container;
  /** It ends before others start, so that they can use its devices. */
  readonly isShort: boolean;
}

/** The requests for those resources that a node does not have itself. */
export function extendedRequests({ spec }: Pod, resources: ReadonlySet<string>, devices: Devices): ExtendedRequests {
  const initContainers = spec.initContainers ?? [];
  const slots = [...initContainers, ...spec.containers].map((container, index) => ({
    index,
    container,
    isShort: index < initContainers.length && container.restartPolicy !== 'Always',
  }));
  const parts = [...resources].sort().flatMap((resource) => {
    const name = devices.classOfResource(resource)?.metadata.name;
    return name === undefined ? [] : [requestsFor(resource, name, slots)];
  });
  return {
    requests: parts.flatMap((part) => part.requests).sort((a, b) => (a.name < b.name ? -1 : 1)),
    mappings: parts.flatMap((part) => part.mappings),
  };
}

function requestsFor(resource: string, className: string, slots: readonly Slot[]): ExtendedRequests {
  const long = new Map<number, DeviceRequest>();
  const longMappings: ContainerExtendedResourceRequest[] = [];
  for (const slot of slots.filter(({ isShort }) => !isShort)) {
    const { request, mappings } = requestOf(slot, resource, className, []);
    if (request) long.set(slot.index, request);
    longMappings.push(...mappings);
  }
  // Containers that end early share one request, the largest.
  let largest: DeviceRequest | undefined;
  const shortNames = new Set<string>();
  const shortMappings: ContainerExtendedResourceRequest[] = [];
  for (const slot of slots.filter(({ isShort }) => isShort)) {
    const later = [...long].filter(([index]) => index >= slot.index).map(([, request]) => request);
    const { request, mappings } = requestOf(slot, resource, className, later);
    if (request) shortNames.add(request.name);
    if (request && countOf(request) > countOf(largest)) largest = request;
    shortMappings.push(...mappings);
  }
  return {
    requests: [...(largest ? [largest] : []), ...long.values()],
    mappings: [
      ...longMappings,
      ...shortMappings.map((mapping) =>
        largest && shortNames.has(mapping.requestName) ? { ...mapping, requestName: largest.name } : mapping,
      ),
    ],
  };
}

const countOf = (request: DeviceRequest | undefined): number => request?.exactly?.count ?? 0;

/** The request that a container needs in addition to those that it can use. */
function requestOf(
  { index, container }: Slot,
  resource: string,
  deviceClassName: string,
  usable: readonly DeviceRequest[],
): { request?: DeviceRequest; mappings: readonly ContainerExtendedResourceRequest[] } {
  const amounts = container.resources?.requests ?? {};
  const wanted = amounts[resource] === undefined ? 0 : wholeValue(amounts[resource]);
  const mappings: ContainerExtendedResourceRequest[] = [];
  if (wanted === 0) return { mappings };
  const map = (requestName: string) =>
    mappings.push({ containerName: container.name, resourceName: resource, requestName });
  let sum = 0;
  for (const other of usable) {
    sum += countOf(other);
    map(other.name);
    if (sum >= wanted) return { mappings };
  }
  const name = `container-${index}-request-${Object.keys(amounts).sort().indexOf(resource)}`;
  map(name);
  return {
    request: { name, exactly: { deviceClassName, allocationMode: 'ExactCount', count: wanted - sum } },
    mappings,
  };
}
