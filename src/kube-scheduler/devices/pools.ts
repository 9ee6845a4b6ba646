// The resource pools whose devices a node can reach. https://kep.k8s.io/4381
// A pool is a set of slices with one generation. Old generations do not count, and an incomplete pool gives no devices.

import { type CounterSet, matchesNodeSelector, type Node, type NodeSelector, poolId } from '../../api/api.ts';
import { compareText } from '../../machinery/collections/in-order.ts';
import type { Device, ResourceSlice } from './claim-types.ts';

export interface Pool {
  readonly id: string;
  readonly driver: string;
  readonly name: string;
  /** Not all of its slices are there. */
  readonly isIncomplete: boolean;
  /** Its slices contradict each other. */
  readonly isInvalid: boolean;
  /** Some of its devices have binding conditions. */
  readonly waits: boolean;
  /** Those with devices for the node. */
  readonly slices: readonly ResourceSlice[];
  readonly counterSets: ReadonlyMap<string, CounterSet>;
  /** All slices of the pool, also those of other nodes. */
  readonly whole: readonly ResourceSlice[];
}

/** Where to find slices: most belong to one node. */
export interface SliceIndex {
  readonly ofNode: ReadonlyMap<string, readonly ResourceSlice[]>;
  readonly shared: readonly ResourceSlice[];
  readonly ofPool: ReadonlyMap<string, readonly ResourceSlice[]>;
}

const idOf = ({ spec }: ResourceSlice): string => poolId(spec.driver, spec.pool.name);
const hasCounters = ({ spec }: ResourceSlice): boolean => (spec.sharedCounters?.length ?? 0) > 0;

export function indexSlices(slices: Iterable<ResourceSlice>): SliceIndex {
  const ofNode = new Map<string, ResourceSlice[]>();
  const ofPool = new Map<string, ResourceSlice[]>();
  const shared: ResourceSlice[] = [];
  for (const slice of slices) {
    append(ofPool, idOf(slice), slice);
    if (slice.spec.nodeName && !hasCounters(slice)) append(ofNode, slice.spec.nodeName, slice);
    else shared.push(slice);
  }
  return { ofNode, ofPool, shared };
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}

interface NodeSelection {
  readonly nodeName?: string | undefined;
  readonly allNodes?: boolean | undefined;
  readonly nodeSelector?: NodeSelector | undefined;
}

export function selectsNode({ nodeName, allNodes, nodeSelector }: NodeSelection, node: Node): boolean {
  if (nodeName) return nodeName === node.metadata.name;
  return allNodes || (nodeSelector !== undefined && matchesNodeSelector(nodeSelector, node));
}

/** In the order in which devices are tried: by name, pools with binding conditions last. */
export function poolsOf(node: Node, index: SliceIndex): readonly Pool[] {
  const reachable = new Map<string, ResourceSlice[]>();
  for (const slice of index.ofNode.get(node.metadata.name) ?? []) addNewest(reachable, slice);
  for (const slice of index.shared) if (reaches(slice, node)) addNewest(reachable, slice);
  const pools = [...reachable].flatMap(([id, slices]) => poolAmong(id, slices, index) ?? []);
  return pools.sort(
    (a, b) => Number(a.waits) - Number(b.waits) || compareText(a.driver, b.driver) || compareText(a.name, b.name),
  );
}

/** Slices with counters are needed wherever devices of their pool are used. */
function reaches(slice: ResourceSlice, node: Node): boolean {
  const { spec } = slice;
  if (hasCounters(slice)) return true;
  if (spec.nodeName || spec.allNodes || spec.nodeSelector) return selectsNode(spec, node);
  return Boolean(spec.perDeviceNodeSelection) && (spec.devices ?? []).some((device) => selectsNode(device, node));
}

/** Keeps the slices of the newest generation. */
function addNewest(pools: Map<string, ResourceSlice[]>, slice: ResourceSlice): void {
  const id = idOf(slice);
  const present = pools.get(id);
  const newer = present ? slice.spec.pool.generation - present[0].spec.pool.generation : 1;
  if (newer > 0) pools.set(id, [slice]);
  else if (newer === 0) present?.push(slice);
}

/** Pools of which a node reaches all slices: the same for all such nodes. */
const wholePools = new WeakMap<SliceIndex, Map<string, Pool>>();

function poolAmong(id: string, slices: readonly ResourceSlice[], index: SliceIndex): Pool | undefined {
  const all = index.ofPool.get(id) ?? slices;
  if (slices.length < all.length) return poolOf(id, slices, all);
  let pools = wholePools.get(index);
  if (!pools) wholePools.set(index, (pools = new Map()));
  const existing = pools.get(id);
  if (existing) return existing;
  const pool = poolOf(id, slices, all);
  if (pool) pools.set(id, pool);
  return pool;
}

/** Undefined while the driver replaces these slices by newer ones that this node does not reach. */
function poolOf(id: string, slices: readonly ResourceSlice[], all: readonly ResourceSlice[]): Pool | undefined {
  const { driver, pool } = slices[0].spec;
  const isWhole = slices.length === pool.resourceSliceCount;
  if (!isWhole && all.some(({ spec }) => spec.pool.generation > pool.generation)) return undefined;
  const whole = isWhole ? slices : all.filter(({ spec }) => spec.pool.generation === pool.generation);
  const empty = { id, driver, name: pool.name, slices: [], counterSets: new Map(), whole, waits: false };
  if (whole.length !== pool.resourceSliceCount) return { ...empty, isIncomplete: true, isInvalid: false };
  const sorted = [...slices].sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  const withDevices = sorted.filter((slice) => !hasCounters(slice));
  const counterSets = counterSetsOf(sorted);
  if (!counterSets || hasRepeatedNames(withDevices) || !consumesPresent(counterSets, whole))
    return { ...empty, isIncomplete: false, isInvalid: true };
  return {
    ...empty,
    isIncomplete: false,
    isInvalid: false,
    slices: withDevices,
    counterSets,
    waits: hasBindingConditions(withDevices),
  };
}

/** Undefined if two sets have one name. */
function counterSetsOf(slices: readonly ResourceSlice[]): ReadonlyMap<string, CounterSet> | undefined {
  const sets = new Map<string, CounterSet>();
  for (const set of slices.flatMap(({ spec }) => spec.sharedCounters ?? [])) {
    if (sets.has(set.name)) return undefined;
    sets.set(set.name, set);
  }
  return sets;
}

function hasRepeatedNames(slices: readonly ResourceSlice[]): boolean {
  if (slices.length < 2) return false;
  const names = slices.flatMap(({ spec }) => (spec.devices ?? []).map(({ name }) => name));
  return new Set(names).size < names.length;
}

const devicesOf = (slices: readonly ResourceSlice[]): Device[] => slices.flatMap(({ spec }) => spec.devices ?? []);

/** Whether all counters that devices consume are in the pool. */
const consumesPresent = (sets: ReadonlyMap<string, CounterSet>, slices: readonly ResourceSlice[]): boolean =>
  devicesOf(slices).every((device) =>
    (device.consumesCounters ?? []).every(({ counterSet, counters }) => {
      const present = sets.get(counterSet)?.counters;
      return present !== undefined && Object.keys(counters).every((name) => Object.hasOwn(present, name));
    }),
  );

const hasBindingConditions = (slices: readonly ResourceSlice[]): boolean =>
  devicesOf(slices).some(({ bindingConditions }) => bindingConditions !== undefined);
