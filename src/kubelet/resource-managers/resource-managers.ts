// The CPU, memory and topology managers of a node: they choose CPUs, memory and devices of the same NUMA nodes when the
// node admits a pod. https://kubernetes.io/docs/concepts/policy/node-resource-managers/

import type { Container, Pod } from '../../api/api.ts';
import type {
  ContainerResources,
  ContainerRuntime,
  ContainerStatus,
} from '../../container-runtime/container-runtime.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Refusal } from '../pods/refusal.ts';
import { bytes, milli, qosOf } from '../resources/resources.ts';
import { refusalOf, topologyAffinityError } from './admission-error.ts';
import { type CpuSet, formatCpuSet, noCpus, parseCpuSet } from './cpu-set.ts';
import type { MachineLayout } from './machine-layout.ts';
import { type ManagerMetrics, managerMetrics } from './manager-metrics.ts';
import { reservedMemoryOf } from './memory-reservation.ts';
import { type Hint, type Hints, maskOf, nodesIn } from './numa.ts';
import { staticCpuOptions, topologyOptions } from './policy-options.ts';
import { containersOf } from './requests.ts';
import type { ResourceManagersConfig } from './settings.ts';
import { readCpuState, readMemoryState, writeCpuState, writeMemoryState } from './state-files.ts';
import { StaticCpus } from './static-cpus.ts';
import { type MemoryBlock, StaticMemory } from './static-memory.ts';
import { type MergeOptions, mergeHints } from './topology-policy.ts';

/** All sets of NUMA nodes are tried: their number doubles with each node. */
const mostNodes = 16;

/** One that has resources with a place on the machine. */
export interface HintProvider {
  hints(pod: Pod, container: Container): Hints;
  podHints(pod: Pod): Hints;
  /** Returns whether it allocated anything now. Throws or rejects with an Error if it cannot. */
  allocate(pod: Pod, container: Container, hint: Hint): boolean | Promise<boolean>;
}

interface ResourceManagersTools {
  readonly layout: MachineLayout;
  readonly reserved: { readonly cpuMillis: number; readonly memoryBytes: number };
  readonly rootDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly runtime: Pick<ContainerRuntime, 'updateContainerResources'>;
  readonly activePods: () => readonly Pod[];
  readonly containersOf: (podUid: string) => readonly ContainerStatus[];
  /** Device plugins. */
  readonly devices?: HintProvider;
}

const anywhere: Hint = { isPreferred: false };

export class ResourceManagers {
  readonly #config: ResourceManagersConfig;
  readonly #tools: ResourceManagersTools;
  readonly #merging: MergeOptions;
  readonly #cpus: StaticCpus | undefined;
  readonly #memory: StaticMemory | undefined;
  readonly #providers: readonly HintProvider[];
  readonly #metrics: ManagerMetrics;
  /** The CPUs that running containers have, by container id. */
  readonly #applied = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();
  #wake = () => {};

  /** Throws an Error if the policies do not fit the machine. */
  constructor(config: ResourceManagersConfig, tools: ResourceManagersTools) {
    const { layout, reserved } = tools;
    this.#config = config;
    this.#tools = tools;
    const options = topologyOptions(config.topologyManagerPolicyOptions);
    const policy = config.topologyManagerPolicy;
    if (policy !== 'none' && layout.numa.nodes.length > Math.min(options.mostNodes, mostNodes))
      throw new Error(`unsupported on machines with more than ${Math.min(options.mostNodes, mostNodes)} NUMA Nodes`);
    this.#merging = { policy, layout: layout.numa, prefersClosest: options.prefersClosest };
    if (config.cpuManagerPolicy === 'static') this.#cpus = staticCpus(config, layout, reserved.cpuMillis);
    if (config.memoryManagerPolicy === 'Static')
      this.#memory = new StaticMemory(
        layout.memory,
        reservedMemoryOf(config.reservedMemory, layout.numa.nodes, reserved.memoryBytes),
      );
    this.#metrics = managerMetrics(tools.metrics, this.#cpus);
    this.#providers = [tools.devices, this.#cpus, this.#memory].filter((each) => each !== undefined);
  }

  /** Reads the state of an earlier kubelet. Rejects if it is that of another policy or another machine. */
  async start(): Promise<void> {
    const { rootDirectory } = this.#tools;
    const { cpuManagerPolicy, memoryManagerPolicy } = this.#config;
    const cpus = await readCpuState(rootDirectory, cpuManagerPolicy);
    const memory = await readMemoryState(rootDirectory, memoryManagerPolicy);
    if (cpus) this.#cpus?.restore(cpus);
    if (memory) this.#memory?.restore(memory.machine, memory.own);
    await this.#save();
  }

  /** Chooses the resources of all containers of a pod. Resolves with the reason why the node does not admit it. */
  admit(pod: Pod): Promise<Refusal | undefined> {
    const result = this.#last.then(() => this.#admit(pod));
    this.#last = result.catch(() => {}); // the caller has the error
    return result;
  }

  async #admit(pod: Pod): Promise<Refusal | undefined> {
    let isChanged = this.#releaseUnused(pod);
    try {
      const common = this.#config.topologyManagerScope === 'pod' ? this.#hintOf(pod) : undefined;
      for (const container of containersOf(pod)) {
        const hint = common ?? this.#hintOf(pod, container);
        for (const provider of this.#providers)
          isChanged = (await this.#allocate(provider, pod, container, hint)) || isChanged;
      }
      if (this.#merging.policy !== 'none') this.#metrics.aligned(true);
      return undefined;
    } catch (error) {
      isChanged = this.#release(pod.metadata.uid) || isChanged;
      if (this.#merging.policy !== 'none') this.#metrics.aligned(false);
      return refusalOf(error as Error);
    } finally {
      if (isChanged) await this.#changed();
    }
  }

  async #allocate(provider: HintProvider, pod: Pod, container: Container, hint: Hint): Promise<boolean> {
    const resource = provider === this.#cpus ? 'cpu' : provider === this.#memory ? 'memory' : undefined;
    try {
      const isNew = await provider.allocate(pod, container, hint);
      if (isNew && resource) this.#metrics.pinned(resource, true);
      return isNew;
    } catch (error) {
      if (resource) this.#metrics.pinned(resource, false);
      throw error;
    }
  }

  /** The best NUMA nodes for a container, or for the whole pod. */
  #hintOf(pod: Pod, container?: Container): Hint {
    if (this.#merging.policy === 'none') return anywhere;
    const all = this.#providers.map((each) => (container ? each.hints(pod, container) : each.podHints(pod)));
    const { hint, isAdmitted } = mergeHints(all, this.#merging);
    if (!isAdmitted) throw topologyAffinityError();
    return hint;
  }

  /** Frees the resources of pods that are gone. */
  #releaseUnused(pod?: Pod): boolean {
    const active = new Set(this.#tools.activePods().map(({ metadata }) => metadata.uid));
    if (pod) active.add(pod.metadata.uid);
    const own = [...(this.#cpus?.assignments.own.keys() ?? []), ...(this.#memory?.assignments.keys() ?? [])];
    let isChanged = false;
    for (const uid of new Set(own)) if (!active.has(uid)) isChanged = this.#release(uid) || isChanged;
    return isChanged;
  }

  #release(uid: string): boolean {
    const [cpus, memory] = [this.#cpus?.release(uid), this.#memory?.release(uid)];
    return (cpus ?? false) || (memory ?? false);
  }

  async #changed(): Promise<void> {
    await this.#save();
    this.#wake();
  }

  async #save(): Promise<void> {
    const { rootDirectory } = this.#tools;
    if (this.#cpus) await writeCpuState(rootDirectory, 'static', this.#cpus.assignments);
    const memory = this.#memory;
    if (memory) await writeMemoryState(rootDirectory, 'Static', { machine: memory.machine, own: memory.assignments });
  }

  /** For a container that is about to start. */
  async placement(pod: Pod, container: Container): Promise<Pick<ContainerResources, 'cpusetCpus' | 'cpusetMems'>> {
    const { uid } = pod.metadata;
    if (this.#memory?.starts(pod, container)) await this.#inTurn(() => this.#changed());
    const cpus = this.#cpus?.of(uid, container.name) ?? noCpus;
    const nodes = nodesIn(maskOf((this.#memory?.of(uid, container.name) ?? []).flatMap((block) => block.numaAffinity)));
    return {
      ...(cpus.size > 0 && { cpusetCpus: formatCpuSet(cpus) }),
      ...(nodes.length > 0 && { cpusetMems: nodes.join() }),
    };
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** CPUs of its own need no quota: it would throttle the container for no reason. */
  hasOwnCpus(podUid: string, container?: string): boolean {
    return container === undefined
      ? (this.#cpus?.hasOwn(podUid) ?? false)
      : this.#cpus?.own(podUid, container) !== undefined;
  }

  /** Why the resources of a pod cannot change while it runs. `allocated` has those that the node promised. */
  resizeFault(pod: Pod, allocated: Pod): string | undefined {
    if (qosOf(pod) !== 'Guaranteed') return undefined;
    const changes = (resource: 'cpu' | 'memory', amountOf: (text: string | undefined) => number) =>
      containersOf(pod).some(({ name, resources }) => {
        const former = containersOf(allocated).find((each) => each.name === name);
        return amountOf(resources?.requests?.[resource]) !== amountOf(former?.resources?.requests?.[resource]);
      });
    const fault = (policy: string) => `Resize is infeasible for Guaranteed Pods alongside ${policy}`;
    if (this.#cpus && changes('cpu', milli)) return fault('CPU Manager policy "static"');
    if (this.#memory && changes('memory', bytes)) return fault('Memory Manager policy "Static"');
    return undefined;
  }

  /** For the pod resources API. */
  ownCpus = (podUid: string, container: string): CpuSet => this.#cpus?.own(podUid, container) ?? noCpus;
  ownMemory = (podUid: string, container: string): readonly MemoryBlock[] => this.#memory?.of(podUid, container) ?? [];

  get allocatable(): { readonly cpus: CpuSet; readonly memory: readonly MemoryBlock[] } {
    return { cpus: this.#cpus?.allocatable ?? noCpus, memory: this.#memory?.allocatable ?? [] };
  }

  /** Keeps the CPUs of running containers up to date, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#cpus && !this.#memory) return;
    const { clock, logger } = this.#tools;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await this.#inTurn(async () => {
        if (this.#releaseUnused()) await this.#save();
      }).catch((error) => logger.error('state of the resource managers not stored', { error: String(error) }));
      await this.#reconcile();
      const period = this.#config.cpuManagerReconcilePeriodMs;
      await clock.sleep(period, AbortSignal.any([signal, woken.signal])).catch(() => {});
    }
    await this.#last;
  }

  async #reconcile(): Promise<void> {
    const cpus = this.#cpus;
    if (!cpus) return;
    const running = new Set<string>();
    for (const pod of this.#tools.activePods()) {
      const names = new Set(containersOf(pod).map(({ name }) => name));
      for (const { id, name, state } of this.#tools.containersOf(pod.metadata.uid)) {
        if (state !== 'running' || !names.has(name)) continue;
        running.add(id);
        await this.#apply(id, formatCpuSet(cpus.of(pod.metadata.uid, name)));
      }
    }
    for (const id of this.#applied.keys()) if (!running.has(id)) this.#applied.delete(id);
  }

  async #apply(id: string, cpusetCpus: string): Promise<void> {
    if (cpusetCpus === '' || this.#applied.get(id) === cpusetCpus) return;
    try {
      await this.#tools.runtime.updateContainerResources(id, { cpusetCpus });
      this.#applied.set(id, cpusetCpus);
    } catch (error) {
      this.#tools.logger.warn('CPUs of a container not changed', { id, cpusetCpus, error: (error as Error).message });
    }
  }
}

function staticCpus(
  config: ResourceManagersConfig,
  { cpus: topology }: MachineLayout,
  reservedMillis: number,
): StaticCpus {
  const { reservedSystemCPUs, cpuManagerPolicyOptions } = config;
  const reserved = reservedSystemCPUs ? parseCpuSet(reservedSystemCPUs) : undefined;
  return new StaticCpus({
    topology,
    reservedCount: reserved?.size ?? Math.ceil(reservedMillis / 1000),
    ...(reserved && { reserved }),
    options: staticCpuOptions(cpuManagerPolicyOptions),
  });
}
