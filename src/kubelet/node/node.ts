// The kubelet's Node object and Lease: registration, heartbeat, conditions.
// https://kubernetes.io/docs/concepts/architecture/nodes/

import {
  formatMicroTime,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type Lease,
  type Node,
  type NodeCondition,
  type NodeStatus,
} from '../../api/api.ts';
import type { Client, EventRecorder } from '../../client/client.ts';
import type { ContainerRuntime, Image } from '../../container-runtime/container-runtime.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { Logger } from '../../machinery/logger.ts';
import { must } from '../../machinery/must.ts';
import { canonicalQuantity, formatQuantity } from '../../machinery/quantity.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type KubeletConfig, type NodeStatusConfig, nodeStatusDefaults } from '../config.ts';
import type { DeviceAmounts } from '../device-plugins/device-plugins.ts';
import { allocatableOf } from '../pods/start-container.ts';
import {
  addressesOf,
  hasCloudAddresses,
  newNode,
  nodeAnnotations,
  nodeLabels,
  registrationAnnotations,
} from './new-node.ts';
import { conditionEvents, nodeConditions } from './node-conditions.ts';

const registrationRetryMs = 100;
const longestRetryMs = 7000;
/** Renewals of the lease in its duration. */
const renewals = 4;
const mostNames = 5;
const leaseNamespace = 'kube-node-lease';

interface NodeTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runtime: ContainerRuntime;
  readonly events: EventRecorder;
  /** The pressure conditions of the node. */
  readonly pressure: () => ReadonlySet<string>;
  /** Why the pod lifecycle event generator is not healthy. */
  readonly plegError: () => string | undefined;
  /** Why volumes of drivers cannot be used. */
  readonly storageError?: () => string | undefined;
  /** Resources of device plugins. */
  readonly devices: () => DeviceAmounts | undefined;
  /** Unique names of attachable volumes that the node has or wants. */
  readonly volumesInUse: () => readonly string[];
}

export class NodeKeeper {
  readonly #config: KubeletConfig;
  readonly #reporting: NodeStatusConfig;
  readonly #tools: NodeTools;
  #port = 0;
  readonly #stopped = new AbortController();
  /** As the API had it last. */
  node: Node | undefined;
  #lease: Lease | undefined;
  #reportedMs = 0;
  #lastReport: Promise<void> = Promise.resolve();
  /** Waits for the report in progress. */
  #nextReport: Promise<void> | undefined;
  #podCidrs = '';
  #loops: Promise<unknown> = Promise.resolve();
  readonly #errors = new Map<'lease' | 'status', string>();

  constructor(config: KubeletConfig, tools: NodeTools) {
    this.#config = config;
    this.#reporting = { ...nodeStatusDefaults, ...config.nodeStatus };
    this.#tools = tools;
  }

  /** Resolves when the node is in the API; tries until then. `port` is that of the kubelet's server. */
  async register(port: number): Promise<void> {
    this.#port = port;
    const { clock, logger } = this.#tools;
    for (
      let retryMs = registrationRetryMs;
      !this.#stopped.signal.aborted;
      retryMs = Math.min(retryMs * 2, longestRetryMs)
    ) {
      try {
        await this.#registerOnce();
        return;
      } catch (error) {
        logger.warn('cannot register the node, trying again', { node: this.#config.nodeName, error: String(error) });
        await clock.sleep(retryMs, this.#stopped.signal).catch(() => {});
      }
    }
  }

  async #registerOnce(): Promise<void> {
    const { client, events } = this.#tools;
    const labels = nodeLabels(this.#config);
    const status = await this.#status(undefined);
    const annotations = nodeAnnotations(this.#config);
    try {
      this.node = await client.create('nodes', newNode(this.#config, status));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get('nodes', { name: this.#config.nodeName });
      const { metadata } = existing;
      const changed =
        Object.entries(labels).some(([key, value]) => metadata.labels?.[key] !== value) ||
        registrationAnnotations.some((key) => (metadata.annotations?.[key] ?? null) !== (annotations[key] ?? null));
      this.node = changed
        ? await client.patch(
            'nodes',
            { name: this.#config.nodeName },
            { type: 'merge', body: { metadata: { labels, annotations } } },
          )
        : existing;
    }
    events.event(this.#eventTarget(), 'Normal', 'Starting', 'Starting kubelet.');
    await this.#heartbeat();
    await this.#report();
  }

  /** Events about a node name it by its name as uid: that is how `kubectl describe node` finds them. */
  #eventTarget(): Node {
    return {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: this.#config.nodeName, uid: this.#config.nodeName },
    } as Node;
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#tools.events.event(this.#eventTarget(), type, reason, message);
  }

  start(): void {
    this.#loops = Promise.all([
      this.#every((this.#reporting.leaseSeconds * 1000) / renewals, 'lease', () => this.#heartbeat()),
      this.#every(this.#reporting.updateMs, 'status', () => this.#report()),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loops;
  }

  /** Why the last renewal of the lease, or the last report of the status, failed. */
  get error(): string | undefined {
    return this.#errors.get('lease') ?? this.#errors.get('status');
  }

  async #every(periodMs: number, name: 'lease' | 'status', task: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#tools.clock.sleep(periodMs, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await task();
        this.#errors.delete(name);
      } catch (error) {
        const { message } = error as Error;
        this.#errors.set(name, message);
        this.#tools.logger.warn('heartbeat failed', { node: this.#config.nodeName, part: name, error: message });
      }
    }
  }

  /** Renews the Lease, which is the node's heartbeat. */
  async #heartbeat(): Promise<void> {
    const { client, clock } = this.#tools;
    const name = this.#config.nodeName;
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: this.#reporting.leaseSeconds,
      renewTime: formatMicroTime(clock.now()),
    };
    if (this.#lease) {
      try {
        this.#lease = await client.update('leases', { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
        return;
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error;
        this.#lease = undefined;
      }
    }
    const owner = { apiVersion: 'v1', kind: 'Node', name, uid: must(this.node, 'node').metadata.uid };
    try {
      this.#lease = await client.create('leases', {
        metadata: { name, namespace: leaseNamespace, ownerReferences: [owner] },
        spec,
      });
    } catch (error) {
      // The control plane makes the namespace at its start: until then there is no lease, and the next round retries.
      if (isNotFound(error)) return;
      if (!isAlreadyExists(error)) throw error;
      this.#lease = await client.get('leases', { name, namespace: leaseNamespace });
      this.#lease = await client.update('leases', { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
    }
  }

  /** One after the other: an older status must not replace a newer one. Calls that wait share one report. */
  #report(): Promise<void> {
    if (this.#nextReport) return this.#nextReport;
    const report = this.#lastReport.then(() => {
      this.#nextReport = undefined;
      return this.#reportNow();
    });
    this.#nextReport = report;
    this.#lastReport = report.catch(() => {}); // the caller has the error
    return report;
  }

  /** Writes node.status when it changed, and every five minutes. */
  async #reportNow(): Promise<void> {
    const { client, clock } = this.#tools;
    // A node that was deleted is registered again by the next start only: its administrator removed it.
    const current = await client.get('nodes', { name: this.#config.nodeName });
    this.node = current;
    await this.#tellCidrs(current);
    const status = await this.#status(current);
    const due = clock.now() - this.#reportedMs >= this.#reporting.reportMs;
    if (!due && deepEqual(withoutHeartbeats(status), withoutHeartbeats(current.status))) return;
    const { addresses = [], ...others } = status;
    // A strategic patch would merge them by their types, and a node may have two of one type.
    const own = { ...others, addresses: [{ $patch: 'replace' }, ...addresses] };
    this.node = await client.patch(
      'nodes',
      { name: this.#config.nodeName },
      { type: 'strategic', body: { status: hasCloudAddresses(this.#config, current) ? others : own } },
      { subresource: 'status' },
    );
    this.#reportedMs = clock.now();
    for (const reason of conditionEvents(current, status.conditions ?? []))
      this.event('Normal', reason, `Node ${this.#config.nodeName} status is now: ${reason}`);
  }

  async #tellCidrs(node: Node): Promise<void> {
    const cidrs = node.spec?.podCIDRs ?? [];
    if (cidrs.length === 0 || cidrs.join() === this.#podCidrs) return;
    await this.#tools.runtime.updatePodCidrs(cidrs);
    this.#podCidrs = cidrs.join();
  }

  /** Reads the node from the API now. */
  async read(): Promise<void> {
    this.node = await this.#tools.client.get('nodes', { name: this.#config.nodeName });
  }

  /** Reads the node now: its pod range may be set. */
  async refresh(): Promise<void> {
    await this.#report();
  }

  async #status(current: Node | undefined): Promise<NodeStatus> {
    const { config } = { config: this.#config };
    const { cpuMillis, memoryBytes, ephemeralStorageBytes } = config.capacity;
    const usable = allocatableOf({ config });
    const devices = this.#tools.devices();
    const images = await this.#tools.runtime.listImages().catch(() => []);
    const capacity = (cpu: number, memory: number, storage: number) => ({
      cpu: cpu % 1000 === 0 ? String(cpu / 1000) : `${cpu}m`,
      'ephemeral-storage': `${Math.floor(storage / 1024)}Ki`,
      ...hugePagesOf(config),
      memory: `${Math.floor(memory / 1024)}Ki`,
      pods: String(config.maxPods),
    });
    return {
      capacity: { ...capacity(cpuMillis, memoryBytes, ephemeralStorageBytes), ...devices?.capacity },
      allocatable: {
        ...capacity(usable.cpuMillis, usable.memoryBytes, usable.ephemeralStorageBytes),
        ...devices?.allocatable,
      },
      conditions: await this.#conditions(current),
      addresses: addressesOf(config, current),
      daemonEndpoints: { kubeletEndpoint: { Port: this.#port } },
      nodeInfo: {
        ...config.nodeInfo,
        containerRuntimeVersion: this.#tools.runtime.version,
        kubeProxyVersion: '',
      } as NodeStatus['nodeInfo'],
      ...runtimeStatus(this.#tools.runtime),
      declaredFeatures,
      images: reported(images, this.#reporting.maxImages),
      ...inUse(this.#tools.volumesInUse(), current),
    } as NodeStatus;
  }

  async #conditions(current: Node | undefined): Promise<NodeCondition[]> {
    const { runtime, pressure, plegError, storageError, clock } = this.#tools;
    const status = await runtime.status().catch((error: Error) => ({ down: error.message }));
    const problems = { ...status, pleg: plegError(), storage: storageError?.() };
    return nodeConditions({ current, ...problems, pressure: pressure(), now: clock.now() });
  }
}

/** All of them are allocatable. */
const hugePagesOf = ({ capacity: { hugePages = { 'hugepages-2Mi': 0 } } }: KubeletConfig): Record<string, string> =>
  Object.fromEntries(
    Object.entries(hugePages).map(([name, amount]) => [
      name,
      formatQuantity({ nanos: BigInt(amount) * 1_000_000_000n, format: 'BinarySI' }),
    ]),
  );

/** The runtime's features, for the scheduler and users. */
const runtimeStatus = ({ features }: ContainerRuntime): Pick<NodeStatus, 'features' | 'runtimeHandlers'> => {
  const { recursiveReadOnlyMounts, userNamespaces, supplementalGroupsPolicy } = features;
  return {
    runtimeHandlers: [{ name: '', features: { recursiveReadOnlyMounts, userNamespaces } }],
    features: { supplementalGroupsPolicy },
  };
};

/** An empty list removes the field. */
const inUse = (names: readonly string[], current: Node | undefined) =>
  names.length > 0 || current?.status?.volumesInUse ? { volumesInUse: names } : {};

/** The largest images, each with some of its names. */
const reported = (images: readonly Image[], maxImages: number): NodeStatus['images'] =>
  [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? 1 : -1))
    .slice(0, maxImages < 0 ? images.length : maxImages)
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags].slice(0, mostNames),
      sizeBytes,
    }));

/** Newer Kubernetes features of this kubelet: the API server refuses updates of pods that need others. */
const declaredFeatures = [
  'InPlacePodLevelResourcesVerticalScaling',
  'InPlacePodVerticalScalingInitContainers',
  'RestartAllContainersOnContainerExits',
];

/** The part of a status whose change is reported at once. */
function withoutHeartbeats(status: NodeStatus | undefined): unknown {
  const { capacity, allocatable, conditions, addresses, daemonEndpoints, nodeInfo, images } = status ?? {};
  const { volumesInUse } = status ?? {};
  const compared = (conditions ?? []).map(({ type, status, reason, message }) => ({ type, status, reason, message }));
  // In the API server's form: canonical amounts, without empty fields.
  const amounts = (list: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(Object.entries(list).map(([name, amount]) => [name, canonicalQuantity(amount)]));
  return JSON.parse(
    JSON.stringify({
      capacity: amounts(capacity),
      allocatable: amounts(allocatable),
      addresses,
      daemonEndpoints,
      nodeInfo,
      volumesInUse: volumesInUse ?? [],
      images: (images ?? []).map(({ names, sizeBytes }) => ({ names, sizeBytes: sizeBytes || undefined })),
      conditions: compared.sort((a, b) => (a.type < b.type ? -1 : 1)),
    }),
  );
}
