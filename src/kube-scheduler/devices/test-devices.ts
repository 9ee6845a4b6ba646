// Devices, claims and classes for tests, from a few arguments.

import type { DeviceClass, Node, Pod } from '../../api/api.ts';
import { node } from '../test-objects.ts';
import { AllocatedDevices } from './allocated-devices.ts';
import { type Allocation, Allocator } from './allocator.ts';
import {
  type AllocationResult,
  type Device,
  extendedClaimAnnotation,
  type ResourceClaim,
  type ResourceSlice,
} from './claim-types.ts';
import { classPrefix, type Devices } from './devices.ts';
import { indexSlices } from './pools.ts';
import { Selection } from './selection.ts';

export const driver = 'driver.example.com';

/** Devices by name; a number makes gpu-0, gpu-1 and so on. */
type DeviceList = number | readonly (string | (Partial<Device> & { name: string }))[];

const devicesFrom = (list: DeviceList): Device[] =>
  (typeof list === 'number' ? Array.from({ length: list }, (_, i) => `gpu-${i}`) : list).map((device) =>
    typeof device === 'string' ? { name: device } : device,
  );

interface SliceOptions {
  readonly pool?: string;
  readonly driver?: string;
  readonly generation?: number;
  readonly count?: number;
  readonly [field: string]: unknown;
}

/** A slice of one node; of all nodes with `allNodes`, and so on. */
export const slice = (
  name: string,
  devices: DeviceList,
  { pool = 'pool', driver: of = driver, generation = 1, count = 1, ...spec }: SliceOptions = {},
): ResourceSlice =>
  ({
    metadata: { name, uid: name },
    spec: {
      driver: of,
      pool: { name: pool, generation, resourceSliceCount: count },
      devices: devicesFrom(devices),
      ...spec,
    },
  }) as unknown as ResourceSlice;

export const deviceClass = (name: string, spec: object = {}, metadata: object = {}): DeviceClass =>
  ({ metadata: { name, ...metadata }, spec }) as unknown as DeviceClass;

export const cel = (expression: string) => ({ cel: { expression } });

/** A request of a class; `fields` with `firstAvailable` makes a list of alternatives. */
export const request = (name: string, fields: object = {}): object =>
  'firstAvailable' in fields
    ? { name, ...fields }
    : { name, exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1, ...fields } };
export const alternative = (name: string, fields: object = {}): object => ({
  name,
  deviceClassName: 'gpu',
  allocationMode: 'ExactCount',
  count: 1,
  ...fields,
});

export const claim = (
  name: string,
  requests: readonly object[] = [request('gpu')],
  { constraints, config, metadata = {}, status = {} }: Record<string, object> = {},
): ResourceClaim =>
  ({
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', ...metadata },
    spec: { devices: { requests, ...(constraints && { constraints }), ...(config && { config }) } },
    status,
  }) as unknown as ResourceClaim;

/** driver/pool/device of a result, with its request. */
export const allocation = (devices: readonly string[], fields: object = {}): AllocationResult =>
  ({
    devices: {
      results: devices.map((device) => ({ request: 'gpu', driver, pool: 'pool', device, ...fields })),
    },
  }) as unknown as AllocationResult;

export interface DeviceObjects {
  readonly claims?: readonly ResourceClaim[];
  readonly slices?: readonly ResourceSlice[];
  readonly classes?: readonly DeviceClass[];
  readonly pending?: readonly string[];
  readonly nowMs?: number;
}

export function devicesOf({ claims = [], slices = [], classes = [], pending = [], nowMs = 0 }: DeviceObjects): Devices {
  const allocated = new AllocatedDevices();
  for (const { status } of claims) if (status?.allocation) allocated.add(status.allocation);
  const isOwner = (pod: Pod) => (owner: { uid: string }) => owner.uid === pod.metadata.uid;
  let serial = 0;
  return {
    claim: (namespace, name) =>
      claims.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    extendedClaimOf: (pod) =>
      claims.find(
        ({ metadata }) =>
          metadata.annotations?.[extendedClaimAnnotation] && metadata.ownerReferences?.some(isOwner(pod)),
      ),
    class: (name) => classes.find(({ metadata }) => metadata.name === name),
    classOfResource: (resource) =>
      classes.find(
        ({ metadata, spec }) => spec.extendedResourceName === resource || classPrefix + metadata.name === resource,
      ),
    slices: () => indexSlices(slices),
    allocated,
    selection: new Selection(),
    isPending: (uid) => pending.includes(uid),
    hold(_, held) {
      allocated.add(held);
      return () => allocated.remove(held);
    },
    assume: () => {},
    onChange: () => () => {},
    newId: () => `id-${serial++}`,
    now: () => nowMs,
  };
}

export interface AllocationCase {
  readonly slices: readonly ResourceSlice[];
  readonly claims?: readonly ResourceClaim[];
  readonly classes?: readonly DeviceClass[];
  readonly node?: Node;
  /** Held by other claims. */
  readonly taken?: readonly AllocationResult[];
}

/** By default: one device of the class `gpu` for the node `a`. */
export function allocate({
  slices,
  claims = [claim('c')],
  classes = [deviceClass('gpu')],
  node: on = node('a'),
  taken = [],
}: AllocationCase): Allocation {
  const holders = taken.map((each, i) => claim(`holder-${i}`, [], { status: { allocation: each } }));
  const devices = devicesOf({ slices, classes, claims: holders });
  const allocator = new Allocator({
    slices: devices.slices(),
    allocated: devices.allocated,
    selection: devices.selection,
    findClass: (name) => devices.class(name),
    newShareId: () => devices.newId(),
  });
  return allocator.allocate(on, claims);
}

export interface OutcomeCase extends AllocationCase {
  readonly case: string;
  /** "request device ..." of each claim; or why there is none. */
  readonly gives: readonly string[] | string;
}

export function outcomeOf(one: AllocationCase): readonly string[] | string {
  try {
    const found = allocate(one);
    if ('why' in found) return found.why;
    return found.results.map(({ devices }) =>
      (devices.results ?? []).map(({ request: of, device }) => `${of} ${device}`).join(', '),
    );
  } catch (error) {
    return (error as Error).message;
  }
}
