// The static policy of the CPU manager: containers of Guaranteed pods with whole CPUs have these for themselves; all others
// share the rest. No I/O. https://kubernetes.io/docs/concepts/policy/node-resource-managers/#static-policy

import type { Container, Pod } from '../../api/api.ts';
import { AdmissionError } from './admission-error.ts';
import { chooseCpus } from './choose-cpus.ts';
import { type CpuSet, formatCpuSet, isEqual, noCpus } from './cpu-set.ts';
import type { CpuTopology } from './cpu-topology.ts';
import { countOf, type Hint, type Hints, has, masksOf, nodesIn, noHints, withPreference } from './numa.ts';
import type { StaticCpuOptions } from './policy-options.ts';
import { containersOf, exclusiveCpus, isOrdinaryInit, podExclusiveCpus } from './requests.ts';

export interface CpuAssignments {
  /** CPUs of all containers without own ones. */
  readonly shared: CpuSet;
  /** By pod uid and container name. */
  readonly own: ReadonlyMap<string, ReadonlyMap<string, CpuSet>>;
}

interface StaticCpusConfig {
  readonly topology: CpuTopology;
  /** CPUs for the machine's own work. */
  readonly reservedCount: number;
  /** Chosen by the policy if left out. */
  readonly reserved?: CpuSet;
  readonly options: StaticCpuOptions;
}

export class StaticCpus {
  readonly #topology: CpuTopology;
  readonly #options: StaticCpuOptions;
  readonly #reserved: CpuSet;
  /** Those of the cores that have a reserved CPU. */
  readonly #reservedCores: CpuSet;
  readonly #perCore: number;
  #shared: CpuSet;
  readonly #own = new Map<string, Map<string, CpuSet>>();

  /** Throws an Error if the CPUs cannot be reserved. */
  constructor({ topology, reservedCount, reserved, options }: StaticCpusConfig) {
    this.#topology = topology;
    this.#options = options;
    this.#perCore = topology.average('core');
    if (reservedCount === 0)
      throw new Error(
        '[cpumanager] the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero',
      );
    this.#reserved = reserved ?? this.#choose(topology.cpus, Math.min(reservedCount, topology.cpus.size));
    if (this.#reserved.size !== reservedCount || !this.#reserved.isSubsetOf(topology.cpus))
      throw new Error(
        `[cpumanager] unable to reserve the required amount of CPUs (size of ${formatCpuSet(this.#reserved)} did not equal ${reservedCount})`,
      );
    this.#reservedCores = topology.within('core', topology.ids('core', this.#reserved));
    this.#shared = options.strictReservation ? topology.cpus.difference(this.#reserved) : topology.cpus;
  }

  /** Takes over the state of an earlier kubelet. Throws an Error if it does not fit this machine. */
  restore({ shared, own }: CpuAssignments): void {
    if (shared.size === 0 && own.size > 0) throw new Error('default cpuset cannot be empty');
    if (shared.size === 0) return;
    this.#checkReserved(shared);
    let all = shared;
    for (const [pod, containers] of own)
      for (const [container, cpus] of containers) {
        if (!shared.isDisjointFrom(cpus))
          throw new Error(
            `pod: ${pod}, container: ${container} cpuset: "${formatCpuSet(cpus)}" overlaps with default cpuset "${formatCpuSet(shared)}"`,
          );
        all = all.union(cpus);
      }
    // Strictly reserved CPUs are in no set.
    const expected = this.#options.strictReservation
      ? this.#topology.cpus.difference(this.#reserved)
      : this.#topology.cpus;
    if (!isEqual(all, expected))
      throw new Error(
        `current set of available CPUs "${formatCpuSet(expected)}" doesn't match with CPUs in state "${formatCpuSet(all)}"`,
      );
    this.#shared = shared;
    this.#own.clear();
    for (const [pod, containers] of own) this.#own.set(pod, new Map(containers));
  }

  #checkReserved(shared: CpuSet): void {
    const [reserved, text] = [this.#reserved, formatCpuSet(shared)];
    const common = reserved.intersection(shared);
    if (this.#options.strictReservation && common.size > 0)
      throw new Error(
        `some of strictly reserved cpus: "${formatCpuSet(common)}" are present in defaultCpuSet: "${text}"`,
      );
    if (!this.#options.strictReservation && common.size !== reserved.size)
      throw new Error(`not all reserved cpus: "${formatCpuSet(reserved)}" are present in defaultCpuSet: "${text}"`);
  }

  get assignments(): CpuAssignments {
    return { shared: this.#shared, own: this.#own };
  }

  /** CPUs that containers may have for themselves, now or later. */
  get allocatable(): CpuSet {
    return this.#topology.cpus.difference(this.#reserved);
  }

  get #available(): CpuSet {
    return this.#shared.difference(this.#reserved);
  }

  counts(): { readonly exclusive: number; readonly free: number } {
    const own = [...this.#own.values()].flatMap((containers) => [...containers.values()]);
    return { exclusive: own.reduce((all, cpus) => all.union(cpus), noCpus).size, free: this.#available.size };
  }

  own(podUid: string, container: string): CpuSet | undefined {
    return this.#own.get(podUid)?.get(container);
  }

  /** The CPUs on which the container runs. */
  of(podUid: string, container: string): CpuSet {
    return this.own(podUid, container) ?? this.#shared;
  }

  hasOwn(podUid: string): boolean {
    return this.#own.has(podUid);
  }

  hints(pod: Pod, container: Container): Hints {
    const requested = exclusiveCpus(pod, container);
    if (requested === 0) return noHints;
    const own = this.own(pod.metadata.uid, container.name);
    if (own) return cpuHints(own.size === requested ? this.#hintsFor(own, noCpus, requested) : []);
    return cpuHints(this.#hintsFor(this.#available, this.#reusable(pod, container), requested));
  }

  podHints(pod: Pod): Hints {
    const requested = podExclusiveCpus(pod);
    if (requested === 0) return noHints;
    let assigned = noCpus;
    for (const container of containersOf(pod)) {
      const own = this.own(pod.metadata.uid, container.name);
      if (own && own.size !== exclusiveCpus(pod, container)) return cpuHints([]);
      if (own) assigned = assigned.union(own);
    }
    if (assigned.size === requested) return cpuHints(this.#hintsFor(assigned, noCpus, requested));
    return cpuHints(this.#hintsFor(this.#available, assigned, requested));
  }

  /** Sets of NUMA nodes that have enough CPUs, all reusable ones among them. */
  #hintsFor(available: CpuSet, reusable: CpuSet, requested: number): readonly Hint[] {
    const nodes = this.#topology.ids('numa');
    const masks = masksOf(nodes);
    const within = (mask: number, cpus: CpuSet) => this.#topology.within('numa', nodesIn(mask), cpus).size;
    const large = masks.filter((mask) => within(mask, this.#topology.cpus) >= requested);
    const possible = masks.filter((mask) => {
      if (this.#topology.ids('numa', reusable).some((node) => !has(mask, node))) return false;
      return reusable.size + within(mask, available) >= requested;
    });
    return withPreference(possible, Math.min(nodes.length, ...large.map(countOf)));
  }

  /** Throws an Error if there are not enough CPUs. Returns whether the container got CPUs now. */
  allocate(pod: Pod, container: Container, { affinity }: Hint): boolean {
    const { uid } = pod.metadata;
    const requested = exclusiveCpus(pod, container);
    if (requested === 0 || this.own(uid, container.name)) return false;
    this.#checkCores(requested);
    const allocatable = this.#available.union(this.#reusable(pod, container));
    const near = affinity === undefined ? noCpus : this.#topology.within('numa', nodesIn(affinity), allocatable);
    const aligned = this.#choose(near, Math.min(requested, near.size));
    const rest = this.#choose(allocatable.difference(aligned), requested - aligned.size);
    const cpus = aligned.union(rest);
    this.#shared = this.#shared.difference(cpus);
    const ofPod = this.#own.get(uid) ?? new Map<string, CpuSet>();
    this.#own.set(uid, ofPod.set(container.name, cpus));
    return true;
  }

  #checkCores(requested: number): void {
    if (!this.#options.fullPcpusOnly) return;
    const fail = (why: string): never => {
      throw new AdmissionError('SMTAlignmentError', `SMT Alignment Error: ${why}`);
    };
    if (requested % this.#perCore !== 0)
      fail(`requested ${requested} cpus not multiple cpus per core = ${this.#perCore}`);
    const free = this.#shared.difference(this.#reservedCores).size;
    if (requested > free)
      fail(
        `not enough free physical CPUs: available physical CPUs = ${free}, requested CPUs = ${requested}, CPUs per core = ${this.#perCore}`,
      );
  }

  /** CPUs of earlier init containers, which will have ended; no later container of the pod has them. */
  #reusable(pod: Pod, container: Container): CpuSet {
    let reusable = noCpus;
    for (const earlier of containersOf(pod)) {
      if (earlier.name === container.name) break;
      const own = this.own(pod.metadata.uid, earlier.name) ?? noCpus;
      reusable = isOrdinaryInit(pod, earlier) ? reusable.union(own) : reusable.difference(own);
    }
    return reusable;
  }

  #choose(available: CpuSet, count: number): CpuSet {
    const { distributesAcrossNuma, prefersUncoreCache, fullPcpusOnly } = this.#options;
    const groupSize = fullPcpusOnly ? this.#perCore : 1;
    return chooseCpus(this.#topology, available, count, { distributesAcrossNuma, prefersUncoreCache, groupSize });
  }

  /** Returns the CPUs of a pod to all. */
  release(podUid: string): boolean {
    const own = this.#own.get(podUid);
    if (!own) return false;
    for (const cpus of own.values()) this.#shared = this.#shared.union(cpus);
    this.#own.delete(podUid);
    return true;
  }
}

const cpuHints = (hints: readonly Hint[]): Hints => new Map([['cpu', hints]]);
