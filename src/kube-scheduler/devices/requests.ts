// The requests of claims, checked: every request has one or more alternatives, of which one is to be allocated.

import type { DeviceClass, DeviceSelector } from '../../api/api.ts';
import type { CapacityRequest } from './capacity.ts';
import type { DeviceToleration, ResourceClaim } from './claim-types.ts';
import { type Constraint, constraintOf, type RequestName } from './constraints.ts';

/** Devices of one claim: the limit of the API. */
export const mostDevices = 32;

/** The claim or its class is faulty: no node can help. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError';
}

export interface Alternative {
  /** As the claim's author named it. */
  readonly own: string;
  readonly name: RequestName;
  readonly class: DeviceClass;
  /** Undefined: all devices that match. */
  readonly count: number | undefined;
  readonly adminAccess: boolean;
  readonly selectors: readonly DeviceSelector[];
  readonly tolerations: readonly DeviceToleration[] | undefined;
  readonly capacity: CapacityRequest;
}

export interface ParsedClaim {
  readonly claim: ResourceClaim;
  /** namespace/name */
  readonly key: string;
  /** By request; the alternatives in the order of preference. */
  readonly requests: readonly (readonly Alternative[])[];
}

type FindClass = (name: string) => DeviceClass | undefined;

/** Throws AllocationError. */
export function parseClaim(claim: ResourceClaim, findClass: FindClass): ParsedClaim {
  const key = `${claim.metadata.namespace}/${claim.metadata.name}`;
  const requests = (claim.spec.devices.requests ?? []).map(({ name, exactly, firstAvailable }) => {
    const parts = firstAvailable?.length
      ? firstAvailable.map((part) => ({ part, own: part.name, full: `${name}/${part.name}` }))
      : [{ part: exactly, own: name, full: name }];
    return parts.map(({ part, own, full }): Alternative => {
      const fail = (why: string): never => {
        throw new AllocationError(`claim ${key}, request ${own}: ${why}`);
      };
      const missing = part?.selectors?.findIndex(({ cel }) => !cel) ?? -1;
      if (missing >= 0)
        throw new AllocationError(
          `claim ${key}, request ${own}, selector #${missing}: CEL expression empty (unsupported selector type?)`,
        );
      if (!part?.deviceClassName) return fail('missing device class name (unsupported request type?)');
      const found = findClass(part.deviceClassName);
      if (!found)
        return fail(
          `could not retrieve device class ${part.deviceClassName}: deviceclass.resource.k8s.io "${part.deviceClassName}" not found`,
        );
      const mode = part.allocationMode ?? 'ExactCount';
      if (mode !== 'ExactCount' && mode !== 'All') return fail(`unsupported count mode ${mode}`);
      return {
        own,
        name: { base: name, full },
        class: found,
        count: mode === 'All' ? undefined : (part.count ?? 1),
        adminAccess: 'adminAccess' in part && part.adminAccess === true,
        selectors: part.selectors ?? [],
        tolerations: part.tolerations,
        capacity: part.capacity?.requests,
      };
    });
  });
  return { claim, key, requests };
}

/** New ones for each search: they count devices. */
export const constraintsOf = ({ claim, key }: ParsedClaim): readonly Constraint[] =>
  (claim.spec.devices.constraints ?? []).map((each, index) => {
    const constraint = constraintOf(each);
    if (!constraint)
      throw new AllocationError(`claim ${key}, constraint #${index}: empty constraint (unsupported constraint type?)`);
    return constraint;
  });
