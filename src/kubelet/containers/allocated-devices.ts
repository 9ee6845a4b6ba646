// The parts of a container's configuration that device plugins give it. Of equal names the first counts.
// https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/

import type { ContainerConfig, Device, Mount } from '../../container-runtime/container-runtime.ts';
import type { Allocation } from '../device-plugins/device-state.ts';
import { onNode } from '../plugins/kubelet-directory.ts';

type Allocations = readonly Pick<Allocation, 'answer'>[];

function firstOf<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  const named = new Map<string, T>();
  for (const item of items) if (!named.has(nameOf(item))) named.set(nameOf(item), item);
  return [...named.values()];
}

export const allocatedEnvironment = (allocations: Allocations): ContainerConfig['env'] =>
  firstOf(
    allocations.flatMap(({ answer }) => Object.entries(answer.envs)),
    ([key]) => key,
  ).map(([key, value]) => ({ key, value }));

export const allocatedMounts = (allocations: Allocations, rootDirectory: string): Mount[] =>
  firstOf(
    allocations.flatMap(({ answer }) => answer.mounts),
    ({ containerPath }) => containerPath,
  ).map(({ containerPath, hostPath, readOnly }) => ({
    ...{ containerPath, readOnly, propagation: 'private' },
    hostPath: onNode(rootDirectory, hostPath),
  }));

export const allocatedDevices = (allocations: Allocations): Device[] =>
  firstOf(
    allocations.flatMap(({ answer }) => answer.devices),
    ({ containerPath }) => containerPath,
  );

export const allocatedAnnotations = (allocations: Allocations): Record<string, string> =>
  Object.fromEntries(
    firstOf(
      allocations.flatMap(({ answer }) => Object.entries(answer.annotations)),
      ([key]) => key,
    ),
  );

export function cdiDevicesOf(
  allocations: Allocations,
  ofClaims: readonly string[] = [],
): Pick<ContainerConfig, 'cdiDevices'> {
  const names = new Set([
    ...ofClaims,
    ...allocations.flatMap(({ answer }) => answer.cdiDevices.map(({ name }) => name)),
  ]);
  return names.size > 0 ? { cdiDevices: [...names] } : {};
}
