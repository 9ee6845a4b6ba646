// The devices of this node's plugins, and the containers that have them. No I/O.

import { has, maskOf, mostNumaNodes, type NumaMask } from '../resource-managers/numa.ts';
import type { AllocatedContainer, PluginDevice } from './device-plugin-proto.ts';

const healthy = 'Healthy';

/** Devices of one resource that one container has. */
export interface Allocation {
  readonly podUid: string;
  readonly container: string;
  readonly resource: string;
  readonly ids: readonly string[];
  readonly answer: AllocatedContainer;
}

interface Resource {
  devices: ReadonlyMap<string, PluginDevice>;
  /** The plugin is gone: none of its devices is healthy. */
  isStopped: boolean;
}

/** An allocation is not possible now; the message is Kubernetes'. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError';
}

export interface Choice {
  /** Already chosen: of an init container that ended. */
  readonly reused: readonly string[];
  /** The devices from which the rest is chosen: those of the wanted NUMA nodes first, those without a node last. */
  readonly available: readonly string[];
  /** Number of the available devices that belong to the wanted NUMA nodes. */
  readonly aligned: number;
  /** Number of devices of the rest. */
  readonly needed: number;
}

export class DeviceState {
  readonly #resources = new Map<string, Resource>();
  #allocations: Allocation[] = [];
  /** Chosen, and not allocated by the plugin yet: by resource. */
  readonly #reserved = new Map<string, Set<string>>();

  /** Resources that plugins have registered, now or earlier. */
  get resources(): readonly string[] {
    return [...this.#resources.keys()];
  }

  get allocations(): readonly Allocation[] {
    return this.#allocations;
  }

  /** Takes over the state of an earlier kubelet. */
  restore(resources: readonly string[], allocations: readonly Allocation[]): void {
    for (const name of resources) this.#resources.set(name, { devices: new Map(), isStopped: true });
    this.#allocations = [...allocations];
  }

  /** Returns the uids of pods with devices whose health changed. */
  setDevices(resource: string, devices: readonly PluginDevice[]): ReadonlySet<string> {
    const before = this.#resources.get(resource)?.devices;
    this.#resources.set(resource, { devices: new Map(devices.map((each) => [each.ID, each])), isStopped: false });
    const changed = new Set(devices.filter(({ ID, health }) => before?.get(ID)?.health !== health).map(({ ID }) => ID));
    const own = this.#allocations.filter(
      (each) => each.resource === resource && each.ids.some((id) => changed.has(id)),
    );
    return new Set(own.map(({ podUid }) => podUid));
  }

  stop(resource: string): void {
    const found = this.#resources.get(resource);
    if (found) found.isStopped = true;
  }

  remove(resource: string): void {
    this.#resources.delete(resource);
  }

  /** The resource is one of plugins, or containers have devices of it. */
  isManaged(resource: string): boolean {
    return this.#resources.has(resource) || this.#allocations.some((each) => each.resource === resource);
  }

  #healthyIds(resource: string): Set<string> {
    const found = this.#resources.get(resource);
    if (!found || found.isStopped) return new Set();
    return new Set([...found.devices.values()].filter(({ health }) => health === healthy).map(({ ID }) => ID));
  }

  /** Numbers of devices: all, and the healthy ones. */
  counts(resource: string): { readonly capacity: number; readonly allocatable: number } {
    return {
      capacity: this.#resources.get(resource)?.devices.size ?? 0,
      allocatable: this.#healthyIds(resource).size,
    };
  }

  /** Healthy devices, for the pod resources API. */
  allocatable(resource: string): readonly PluginDevice[] {
    const ids = this.#healthyIds(resource);
    return [...(this.#resources.get(resource)?.devices.values() ?? [])].filter(({ ID }) => ids.has(ID));
  }

  device(resource: string, id: string): PluginDevice | undefined {
    return this.#resources.get(resource)?.devices.get(id);
  }

  /** As the plugin reported it last. */
  health(resource: string, id: string): 'Healthy' | 'Unhealthy' {
    const device = this.device(resource, id);
    return !device || device.health === healthy ? 'Healthy' : 'Unhealthy';
  }

  of(podUid: string, container?: string): Allocation[] {
    return this.#allocations.filter(
      (each) => each.podUid === podUid && (container === undefined || each.container === container),
    );
  }

  /** Frees the devices of all other pods. Returns whether there were any. */
  keepPods(uids: ReadonlySet<string>): boolean {
    const before = this.#allocations.length;
    this.#allocations = this.#allocations.filter(({ podUid }) => uids.has(podUid));
    return this.#allocations.length < before;
  }

  /** The devices among which the container gets `required`; undefined: it has them already. Throws AllocationError. */
  choose(
    { podUid, container, resource }: Pick<Allocation, 'podUid' | 'container' | 'resource'>,
    required: number,
    reusable: ReadonlySet<string>,
    affinity?: NumaMask,
  ): Choice | undefined {
    const own = this.of(podUid, container).find((each) => each.resource === resource);
    if (own && own.ids.length !== required)
      throw new AllocationError(
        `pod ${JSON.stringify(podUid)} container ${JSON.stringify(container)} changed request for resource ${JSON.stringify(resource)} from ${own.ids.length} to ${required}`,
      );
    if (!this.#resources.has(resource)) throw new AllocationError(`cannot allocate unregistered device ${resource}`);
    const ids = this.#healthyIds(resource);
    if (ids.size === 0)
      throw new AllocationError(`no healthy devices present; cannot allocate unhealthy devices ${resource}`);
    if (own?.ids.some((id) => !ids.has(id)))
      throw new AllocationError(
        `previously allocated devices are no longer healthy; cannot allocate unhealthy devices ${resource}`,
      );
    if (own || required === 0) return undefined;
    const reused = [...reusable].sort().slice(0, required);
    const needed = required - reused.length;
    const taken = this.#taken(resource);
    const available = [...ids].filter((id) => !taken.has(id) && !reused.includes(id)).sort();
    if (available.length < needed)
      throw new AllocationError(
        `requested number of devices unavailable for ${resource}. Requested: ${needed}, Available: ${available.length}`,
      );
    return { reused, needed, ...this.#byAffinity(resource, available, affinity) };
  }

  #byAffinity(resource: string, available: readonly string[], affinity: NumaMask | undefined) {
    if (affinity === undefined || !this.hasTopology(resource)) return { available, aligned: 0 };
    const nodesOf = (id: string) => numaNodesOf(this.device(resource, id));
    const near = available.filter((id) => nodesOf(id).some((node) => has(affinity, node)));
    const far = available.filter((id) => nodesOf(id).length > 0 && !near.includes(id));
    const without = available.filter((id) => nodesOf(id).length === 0);
    return { available: [...near, ...far, ...without], aligned: near.length };
  }

  /** A device of the resource belongs to a NUMA node. */
  hasTopology(resource: string): boolean {
    return [...(this.#resources.get(resource)?.devices.values() ?? [])].some(
      (device) => numaNodesOf(device).length > 0,
    );
  }

  /** For hints: all devices, and the healthy ones that no container has. */
  numaNodes(resource: string): { readonly all: readonly NumaMask[]; readonly free: readonly NumaMask[] } {
    const taken = this.#taken(resource);
    const maskOfDevice = (device: PluginDevice | undefined) => maskOf(numaNodesOf(device));
    const free = [...this.#healthyIds(resource)].filter((id) => !taken.has(id));
    return {
      all: [...(this.#resources.get(resource)?.devices.values() ?? [])].map(maskOfDevice),
      free: free.map((id) => maskOfDevice(this.device(resource, id))),
    };
  }

  #taken(resource: string): Set<string> {
    const allocated = this.#allocations.filter((each) => each.resource === resource).flatMap(({ ids }) => ids);
    return new Set([...allocated, ...(this.#reserved.get(resource) ?? [])]);
  }

  /** Holds the devices during the call of the plugin. Returns the function that releases them. */
  reserve(resource: string, ids: readonly string[]): () => void {
    const held = this.#reserved.get(resource) ?? new Set<string>();
    this.#reserved.set(resource, held);
    const added = ids.filter((id) => !held.has(id));
    for (const id of added) held.add(id);
    return () => {
      for (const id of added) held.delete(id);
    };
  }

  add(allocation: Allocation): void {
    this.#allocations.push(allocation);
  }
}

/** The devices among which the plugin may prefer some: those of the wanted NUMA nodes, if they are enough. */
export const preferable = ({ available, aligned, needed }: Choice): readonly string[] =>
  needed < aligned ? available.slice(0, aligned) : available;

/** All of the wanted NUMA nodes if they are too few, then the plugin's preferred devices, as far as they are available. */
export const pick = (choice: Choice, preferred: readonly string[]): readonly string[] => {
  const { reused, available, aligned, needed } = choice;
  const among = preferable(choice);
  const chosen = new Set(needed < aligned ? [] : available.slice(0, aligned));
  for (const id of [...preferred.filter((each) => among.includes(each)), ...available])
    if (chosen.size < needed) chosen.add(id);
  return [...reused, ...chosen];
};

/** Of larger numbers there is no hint. */
const numaNodesOf = (device: PluginDevice | undefined): readonly number[] =>
  (device?.topology?.nodes ?? []).map(({ ID }) => ID).filter((node) => node >= 0 && node < mostNumaNodes);
