// The static policy of the memory manager: containers of Guaranteed pods have their memory and huge pages on few NUMA
// nodes. No I/O. https://kubernetes.io/docs/tasks/administer-cluster/memory-manager/

import { type Container, isSidecar, type Pod } from '../../api/api.ts';
import {
  countOf,
  type Hint,
  type Hints,
  isNarrower,
  maskOf,
  masksOf,
  nodesIn,
  noHints,
  withPreference,
} from './numa.ts';
import { containersOf, isOrdinaryInit, ownMemory, podOwnMemory } from './requests.ts';

/** In bytes. Names are those of the state file. */
export interface MemoryTable {
  readonly total: number;
  readonly systemReserved: number;
  readonly allocatable: number;
  reserved: number;
  free: number;
}

interface NumaMemory {
  numberOfAssignments: number;
  /** By resource: memory, hugepages-2Mi. */
  readonly memoryMap: Map<string, MemoryTable>;
  /** The group of nodes that containers use together; the node itself alone otherwise. */
  cells: readonly number[];
}

export interface MemoryBlock {
  readonly numaAffinity: readonly number[];
  readonly type: string;
  size: number;
}

export type MachineMemory = ReadonlyMap<number, NumaMemory>;
type PodBlocks = Map<string, readonly MemoryBlock[]>;
export type MemoryAssignments = ReadonlyMap<string, ReadonlyMap<string, readonly MemoryBlock[]>>;

type Amounts = ReadonlyMap<string, number>;

/** The memory of one NUMA node, in bytes. */
export interface NumaNodeMemory {
  readonly node: number;
  readonly memoryBytes: number;
  /** By resource, such as hugepages-2Mi. */
  readonly hugePages: Amounts;
}

export class StaticMemory {
  readonly #layout: readonly NumaNodeMemory[];
  readonly #reserved: ReadonlyMap<number, Amounts>;
  #machine: Map<number, NumaMemory>;
  #own = new Map<string, PodBlocks>();
  /** Of the init containers of the pod that is allocated now, by NUMA nodes and resource: later containers use it. */
  #reusable: { readonly uid: string; readonly amounts: Map<string, number> } = { uid: '', amounts: new Map() };

  /** `reserved` by NUMA node and resource. Throws an Error if no memory is reserved. */
  constructor(layout: readonly NumaNodeMemory[], reserved: ReadonlyMap<number, Amounts>) {
    if (![...reserved.values()].some((amounts) => (amounts.get('memory') ?? 0) > 0))
      throw new Error('[memorymanager] you should specify the system reserved memory');
    this.#layout = layout;
    this.#reserved = reserved;
    this.#machine = this.#unused();
  }

  #unused(): Map<number, NumaMemory> {
    return new Map(
      this.#layout.map(({ node, memoryBytes, hugePages }) => {
        const reservedOf = (resource: string) => this.#reserved.get(node)?.get(resource) ?? 0;
        const table = (resource: string, total: number, others = 0): [string, MemoryTable] => {
          const systemReserved = reservedOf(resource);
          const allocatable = Math.max(0, total - systemReserved - others);
          return [resource, { total, systemReserved, allocatable, reserved: 0, free: allocatable }];
        };
        const ofPages = [...hugePages.values()].reduce((sum, bytes) => sum + bytes, 0);
        const tables = [...hugePages].map(([resource, bytes]) => table(resource, bytes));
        const memoryMap = new Map([...tables, table('memory', memoryBytes, ofPages)]);
        return [node, { numberOfAssignments: 0, memoryMap, cells: [node] }];
      }),
    );
  }

  /** Takes over the state of an earlier kubelet. Throws an Error if it does not fit this machine. */
  restore(machine: MachineMemory, own: MemoryAssignments): void {
    if (machine.size === 0) {
      if (own.size > 0)
        throw new Error('[memorymanager] machine state can not be empty when it has memory assignments');
      return;
    }
    const expected = this.#unused();
    for (const [pod, containers] of own)
      for (const [container, blocks] of containers)
        for (const block of blocks) {
          const fault = faultOf(block, expected);
          if (fault) throw new Error(`[memorymanager] (pod: ${pod}, container: ${container}) ${fault}`);
          take(expected, block.numaAffinity, block.type, block.size);
        }
    if (!isSameMachine(machine, expected))
      throw new Error('[memorymanager] the expected machine state is different from the real one');
    this.#machine = new Map(machine);
    this.#own = new Map([...own].map(([pod, containers]) => [pod, new Map(containers)]));
  }

  get machine(): MachineMemory {
    return this.#machine;
  }

  get assignments(): MemoryAssignments {
    return this.#own;
  }

  /** Of each NUMA node. */
  get allocatable(): readonly MemoryBlock[] {
    return [...this.#machine].flatMap(([node, { memoryMap }]) =>
      [...memoryMap]
        .filter(([, { allocatable }]) => allocatable > 0)
        .map(([type, { allocatable }]) => ({ numaAffinity: [node], type, size: allocatable })),
    );
  }

  of(podUid: string, container: string): readonly MemoryBlock[] {
    return this.#own.get(podUid)?.get(container) ?? [];
  }

  hasOwn(podUid: string): boolean {
    return this.#own.has(podUid);
  }

  hints(pod: Pod, container: Container): Hints {
    const requested = ownMemory(pod, container);
    const own = this.#own.get(pod.metadata.uid)?.get(container.name);
    return own ? regenerated(own, requested) : this.#hintsFor(pod, requested);
  }

  podHints(pod: Pod): Hints {
    const requested = podOwnMemory(pod);
    for (const container of containersOf(pod)) {
      const own = this.#own.get(pod.metadata.uid)?.get(container.name);
      if (own) return regenerated(own, requested);
    }
    return this.#hintsFor(pod, requested);
  }

  #hintsFor(pod: Pod, requested: Amounts): Hints {
    if (requested.size === 0) return noHints;
    const masks = masksOf([...this.#machine.keys()].sort((a, b) => a - b));
    const sum = (mask: number, resource: string, field: 'free' | 'allocatable') =>
      nodesIn(mask).reduce((total, node) => total + (this.#table(node, resource)?.[field] ?? 0), 0);
    const amounts = [...requested];
    const large = masks.filter((mask) => amounts.every(([name, size]) => sum(mask, name, 'allocatable') >= size));
    const possible = large.filter(
      (mask) =>
        this.#mayGroup(nodesIn(mask)) &&
        amounts.every(([name, size]) => sum(mask, name, 'free') + this.#reusableOf(pod, mask, name) >= size),
    );
    const hints = withPreference(possible, Math.min(this.#machine.size, ...large.map(countOf)));
    return new Map(possible.length === 0 ? [] : amounts.map(([name]) => [name, hints]));
  }

  /** A node belongs to one group: it is used alone, or always together with the same others. */
  #mayGroup(nodes: readonly number[]): boolean {
    return nodes.every((node) => {
      const { cells, numberOfAssignments } = this.#node(node);
      if (nodes.length === 1) return cells.length <= 1;
      return numberOfAssignments === 0 || isSameGroup(cells, nodes);
    });
  }

  #node(node: number): NumaMemory {
    return this.#machine.get(node) ?? { numberOfAssignments: 0, memoryMap: new Map(), cells: [node] };
  }

  #table(node: number, resource: string): MemoryTable | undefined {
    return this.#machine.get(node)?.memoryMap.get(resource);
  }

  /** Throws an Error if there is not enough memory. Returns whether the container got memory now. */
  allocate(pod: Pod, container: Container, hint: Hint): boolean {
    const { uid } = pod.metadata;
    const requested = ownMemory(pod, container);
    if (requested.size === 0) return false;
    const existing = this.#own.get(uid)?.get(container.name);
    if (existing) {
      this.#updateReusable(pod, container, existing);
      return false;
    }
    const nodes = nodesIn(this.#affinityFor(pod, requested, hint));
    const blocks = [...requested].map(([type, size]): MemoryBlock => {
      take(this.#machine, nodes, type, Math.max(0, size - this.#reusableOf(pod, maskOf(nodes), type)));
      return { numaAffinity: nodes, type, size };
    });
    this.#updateReusable(pod, container, blocks);
    const ofPod: PodBlocks = this.#own.get(uid) ?? new Map();
    this.#own.set(uid, ofPod.set(container.name, blocks));
    this.#shrinkInitContainers(pod, container, ofPod, blocks);
    return true;
  }

  #affinityFor(pod: Pod, requested: Amounts, hint: Hint): number {
    let best = hint;
    if (best.affinity === undefined) {
      const found = narrowest(this.#hintsFor(pod, requested).get('memory') ?? []);
      if (!found)
        throw new Error(
          '[memorymanager] failed to get the default NUMA affinity, no NUMA nodes with enough memory is available',
        );
      if (!found.isPreferred && best.isPreferred)
        throw new Error('[memorymanager] failed to find the default preferred hint');
      best = found;
    }
    if (!this.#satisfies(best.affinity ?? 0, requested)) {
      const within = best.affinity ?? 0;
      const wider = (this.#hintsFor(pod, requested).get('memory') ?? []).filter(
        ({ affinity = 0 }) => (affinity & within) === within,
      );
      const found = narrowest(wider);
      if (!found) throw new Error('[memorymanager] failed to find NUMA nodes to extend the current topology hint');
      if (!found.isPreferred && best.isPreferred)
        throw new Error('[memorymanager] failed to find the extended preferred hint');
      best = found;
    }
    const affinity = best.affinity ?? 0;
    if (!this.#mayGroup(nodesIn(affinity)))
      throw new Error('[memorymanager] preferred hint violates NUMA node allocation');
    return affinity;
  }

  #satisfies(mask: number, requested: Amounts): boolean {
    return [...requested].every(
      ([name, size]) => nodesIn(mask).reduce((total, node) => total + (this.#table(node, name)?.free ?? 0), 0) >= size,
    );
  }

  #reusableOf({ metadata }: Pod, mask: number, resource: string): number {
    return this.#reusable.uid === metadata.uid ? (this.#reusable.amounts.get(`${mask} ${resource}`) ?? 0) : 0;
  }

  #updateReusable(pod: Pod, container: Container, blocks: readonly MemoryBlock[]): void {
    const { uid } = pod.metadata;
    if (this.#reusable.uid !== uid) this.#reusable = { uid, amounts: new Map() };
    const { amounts } = this.#reusable;
    for (const { numaAffinity, type, size } of blocks) {
      const key = `${maskOf(numaAffinity)} ${type}`;
      const before = amounts.get(key) ?? 0;
      amounts.set(key, isOrdinaryInit(pod, container) ? Math.max(before, size) : Math.max(0, before - size));
    }
  }

  /** The memory that a container takes over is not counted twice. */
  #shrinkInitContainers(pod: Pod, container: Container, ofPod: PodBlocks, blocks: readonly MemoryBlock[]): void {
    for (const block of blocks) {
      let { size } = block;
      for (const init of pod.spec.initContainers ?? []) {
        if (init.name === container.name) break;
        if (isSidecar(init)) continue;
        for (const own of ofPod.get(init.name) ?? []) {
          if (own.type !== block.type || maskOf(own.numaAffinity) !== maskOf(block.numaAffinity)) continue;
          const shared = Math.min(own.size, size);
          own.size -= shared;
          size -= shared;
        }
      }
    }
  }

  /** Init containers before this one have ended: their memory is free. Returns whether there was any. */
  starts(pod: Pod, container: Container): boolean {
    let isChanged = false;
    for (const init of pod.spec.initContainers ?? []) {
      if (init.name === container.name) break;
      if (!isSidecar(init)) isChanged = this.#remove(pod.metadata.uid, init.name) || isChanged;
    }
    return isChanged;
  }

  release(podUid: string): boolean {
    const containers = [...(this.#own.get(podUid)?.keys() ?? [])];
    for (const container of containers) this.#remove(podUid, container);
    return containers.length > 0;
  }

  #remove(podUid: string, container: string): boolean {
    const ofPod = this.#own.get(podUid);
    const blocks = ofPod?.get(container);
    if (!ofPod || !blocks) return false;
    ofPod.delete(container);
    if (ofPod.size === 0) this.#own.delete(podUid);
    for (const { numaAffinity, type, size } of blocks) giveBack(this.#machine, numaAffinity, type, size);
    return true;
  }
}

function take(machine: MachineMemory, nodes: readonly number[], type: string, size: number): void {
  let left = size;
  for (const id of nodes) {
    const node = machine.get(id);
    const table = node?.memoryMap.get(type);
    if (!node || !table) continue;
    node.numberOfAssignments++;
    node.cells = nodes;
    const taken = Math.min(left, table.free);
    table.reserved += taken;
    table.free -= taken;
    left -= taken;
  }
}

function giveBack(machine: MachineMemory, nodes: readonly number[], type: string, size: number): void {
  let left = size;
  for (const id of nodes) {
    const node = machine.get(id);
    const table = node?.memoryMap.get(type);
    if (!node || !table) continue;
    node.numberOfAssignments--;
    if (node.numberOfAssignments === 0) node.cells = [id];
    const given = Math.min(left, table.reserved);
    table.reserved -= given;
    table.free += given;
    left -= given;
  }
}

function faultOf({ numaAffinity, type }: MemoryBlock, machine: MachineMemory): string | undefined {
  for (const node of numaAffinity) {
    if (!machine.has(node)) return 'the memory assignment uses the NUMA that does not exist';
    if (!machine.get(node)?.memoryMap.has(type))
      return 'the memory assignment uses memory resource that does not exist';
  }
  return undefined;
}

const isSameGroup = (a: readonly number[], b: readonly number[]): boolean => maskOf(a) === maskOf(b);

function isSameMachine(a: MachineMemory, b: MachineMemory): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([id, node]) => {
    const other = b.get(id);
    if (!other || node.numberOfAssignments !== other.numberOfAssignments) return false;
    if (!isSameGroup(node.cells, other.cells) || node.memoryMap.size !== other.memoryMap.size) return false;
    const sum = (machine: MachineMemory, type: string, field: 'free' | 'reserved') =>
      node.cells.reduce((total, cell) => total + (machine.get(cell)?.memoryMap.get(type)?.[field] ?? 0), 0);
    return [...node.memoryMap].every(([type, table]) => {
      const same = other.memoryMap.get(type);
      if (!same || table.total !== same.total || table.systemReserved !== same.systemReserved) return false;
      // How a group shares an amount depends on the order of its allocations.
      return (
        table.allocatable === same.allocatable &&
        sum(a, type, 'free') === sum(b, type, 'free') &&
        sum(a, type, 'reserved') === sum(b, type, 'reserved')
      );
    });
  });
}

/** Those of memory that the container has; none for another amount than the requested one. */
function regenerated(blocks: readonly MemoryBlock[], requested: Amounts): Hints {
  const isSame = blocks.length === requested.size && blocks.every(({ type, size }) => requested.get(type) === size);
  if (!isSame) return noHints;
  return new Map(
    blocks.map(({ type, numaAffinity }) => [type, [{ affinity: maskOf(numaAffinity), isPreferred: true }]]),
  );
}

function narrowest(hints: readonly Hint[]): Hint | undefined {
  const [first, ...others] = hints;
  return others.reduce<Hint | undefined>((best, hint) => {
    if (!best || hint.isPreferred !== best.isPreferred) return best?.isPreferred ? best : hint;
    return isNarrower(hint.affinity ?? 0, best.affinity ?? 0) ? hint : best;
  }, first);
}
