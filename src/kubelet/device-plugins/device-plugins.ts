// The device plugins of this node: they register, announce their devices, and are called when a container gets some.
// https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Container, type ContainerStatus, isExtendedResource, type Pod, podLimits } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { wholeValue } from '../../machinery/quantity.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { onNode } from '../plugins/kubelet-directory.ts';
import type { PluginHandler } from '../plugins/plugin-registry.ts';
import { type Message, RpcClient } from '../plugins/rpc.ts';
import { type RpcServer, serveRpc } from '../plugins/rpc-server.ts';
import { type Hint, type Hints, maskOf, type NumaMask } from '../resource-managers/numa.ts';
import { containersOf, isOrdinaryInit } from '../resource-managers/requests.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { deviceHints } from './device-hints.ts';
import {
  type AllocatedContainer,
  type PluginDevice,
  type PluginOptions,
  pluginService,
  registrationService,
  supportedVersion,
} from './device-plugin-proto.ts';
import { type Allocation, AllocationError, type Choice, DeviceState, pick, preferable } from './device-state.ts';

const rpcTimeoutMs = 30_000;
/** A plugin that is gone may come again within this time: its resource stays in node.status until then. */
const stopGraceMs = 5 * 60_000;

interface Plugin {
  readonly client: RpcClient;
  readonly options: PluginOptions;
  readonly ended: AbortController;
  stoppedMs?: number;
}

interface DevicePluginTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly rootDirectory: string;
  /** Uids of the pods that have a share of the node. */
  readonly activePods: () => readonly Pod[];
  /** Reports node.status now. */
  reportNode(): Promise<void>;
  /** Devices of this pod became healthy or unhealthy. */
  healthChanged(uid: string): void;
}

type AllocatedResourcesStatus = NonNullable<ContainerStatus['allocatedResourcesStatus']>;

/** The devices' part of node.status. */
export interface DeviceAmounts {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

export class DevicePlugins implements PluginHandler {
  readonly state = new DeviceState();
  readonly #tools: DevicePluginTools;
  readonly #directory: string;
  readonly #plugins = new Map<string, Plugin>();
  /** Resources of plugins that are gone: node.status has 0 of them. */
  readonly #removed = new Set<string>();
  #server: RpcServer | undefined;
  /** Allocations one after the other, and checkpoints. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(tools: DevicePluginTools) {
    this.#tools = tools;
    this.#directory = path.join(tools.rootDirectory, 'device-plugins');
  }

  /** Reads the devices of containers, removes the sockets of earlier plugins, and serves registrations. */
  async start(): Promise<void> {
    const { logger, clock } = this.#tools;
    const checkpoint = await readCheckpoint(this.#directory).catch((error) => {
      logger.error('devices of containers cannot be read', { error: String(error) });
      return undefined;
    });
    if (checkpoint) this.state.restore(checkpoint.resources, checkpoint.allocations);
    for (const resource of checkpoint?.resources ?? []) this.#expire(resource, clock.monotonic());
    const entries = await readdir(this.#directory, { withFileTypes: true }).catch(() => []);
    // Plugins see by this that the kubelet restarted, and register again.
    for (const entry of entries) if (entry.isSocket()) await rm(path.join(this.#directory, entry.name));
    this.#server = await serveRpc(path.join(this.#directory, 'kubelet.sock'), registrationService, {
      Register: (request) => this.#register(request),
    });
  }

  async stop(): Promise<void> {
    for (const { ended } of this.#plugins.values()) ended.abort();
    await this.#server?.stop();
    await this.#last.catch(() => {});
  }

  async #register({ version, endpoint, resourceName }: Message): Promise<Message> {
    const name = String(resourceName);
    this.#tools.metrics
      .counter(
        'kubelet_device_plugin_registration_total',
        'Cumulative number of device plugin registrations. Broken down by resource name.',
      )
      .add(1, { resource_name: name });
    if (version !== supportedVersion)
      throw new Error(
        `requested API version ${JSON.stringify(version)} is not supported by kubelet. Supported version is ["${supportedVersion}"]`,
      );
    if (!isExtendedResource(name)) throw new Error(`the ResourceName ${JSON.stringify(name)} is invalid`);
    await this.#connect(name, path.join(this.#directory, String(endpoint)));
    return {};
  }

  validate(name: string, _endpoint: string, versions: readonly string[]): void {
    if (!versions.includes(supportedVersion))
      throw new Error(
        `manager version, ${supportedVersion}, is not among plugin supported versions [${versions.join(' ')}]`,
      );
    if (!isExtendedResource(name))
      throw new Error(`invalid name of device plugin socket: the ResourceName ${JSON.stringify(name)} is invalid`);
  }

  register(name: string, endpoint: string): Promise<void> {
    return this.#connect(name, endpoint);
  }

  async deregister(name: string): Promise<void> {
    this.#plugins.get(name)?.ended.abort();
  }

  async #connect(resource: string, endpoint: string): Promise<void> {
    const { clock, rootDirectory } = this.#tools;
    const client = new RpcClient(onNode(rootDirectory, endpoint), pluginService, clock);
    const options = await client
      .call<PluginOptions & Message>('GetDevicePluginOptions', {}, { timeoutMs: rpcTimeoutMs })
      .catch((error) => {
        throw new Error(`failed to get device plugin options: ${error.message}`);
      });
    this.#plugins.get(resource)?.ended.abort();
    const plugin: Plugin = { client, options, ended: new AbortController() };
    this.#plugins.set(resource, plugin);
    this.#removed.delete(resource);
    void this.#follow(resource, plugin);
  }

  /** Until the plugin's stream ends. */
  async #follow(resource: string, plugin: Plugin): Promise<void> {
    const { logger, clock } = this.#tools;
    const { signal } = plugin.ended;
    try {
      const lists = plugin.client.stream<{ devices: readonly PluginDevice[] } & Message>('ListAndWatch', {}, signal);
      for await (const { devices } of lists) {
        if (this.#plugins.get(resource) !== plugin) return;
        const changed = this.state.setDevices(resource, devices);
        logger.info('devices of a plugin', { resource, ...this.state.counts(resource) });
        for (const uid of changed) this.#tools.healthChanged(uid);
        await this.#changed();
      }
    } catch (error) {
      logger.warn('device plugin ended', { resource, error: (error as Error).message });
    }
    if (this.#plugins.get(resource) !== plugin) return;
    plugin.stoppedMs = clock.monotonic();
    this.state.stop(resource);
    this.#expire(resource, plugin.stoppedMs);
    await this.#changed();
  }

  /** Removes the resource, unless its plugin comes again. */
  #expire(resource: string, stoppedMs: number): void {
    this.#tools.clock.after(
      stopGraceMs,
      () => {
        const plugin = this.#plugins.get(resource);
        if (plugin && plugin.stoppedMs !== stoppedMs) return;
        this.#plugins.delete(resource);
        this.state.remove(resource);
        this.#removed.add(resource);
        void this.#changed();
      },
      { background: true },
    );
  }

  async #changed(): Promise<void> {
    const { logger, reportNode } = this.#tools;
    await this.#save().catch((error) => logger.error('devices not stored', { error: String(error) }));
    await reportNode().catch((error) => logger.warn('node status not reported', { error: String(error) }));
  }

  #save(): Promise<void> {
    return this.#inTurn(() =>
      writeCheckpoint(this.#directory, { resources: this.state.resources, allocations: this.state.allocations }),
    );
  }

  #turn: Promise<unknown> = Promise.resolve();
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.catch(() => {}).then(work);
    this.#turn = result;
    return result;
  }

  /** For the statuses of a pod's containers, by name; undefined without devices. */
  healthOf(uid: string): ReadonlyMap<string, AllocatedResourcesStatus> | undefined {
    const own = this.state.of(uid);
    if (own.length === 0) return undefined;
    const statuses = new Map<string, AllocatedResourcesStatus>();
    for (const { container, resource, ids } of own) {
      const resources = [...ids].sort().map((resourceID) => ({
        resourceID,
        health: this.state.health(resource, resourceID),
      }));
      statuses.set(container, [...(statuses.get(container) ?? []), { name: resource, resources }]);
    }
    return statuses;
  }

  amounts(): DeviceAmounts {
    const capacity: Record<string, string> = {};
    const allocatable: Record<string, string> = {};
    for (const resource of this.#removed) capacity[resource] = allocatable[resource] = '0';
    for (const resource of this.state.resources) {
      const counts = this.state.counts(resource);
      capacity[resource] = String(counts.capacity);
      allocatable[resource] = String(counts.allocatable);
    }
    return { capacity, allocatable };
  }

  /** Gives devices to all containers of a pod. Rejects with an Error if that is not possible. */
  async allocatePod(pod: Pod): Promise<void> {
    for (const container of containersOf(pod)) await this.allocate(pod, container, { isPreferred: false });
  }

  /** Gives devices to a container. Rejects with an Error if that is not possible. */
  allocate(pod: Pod, container: Container, { affinity }: Hint): Promise<boolean> {
    if (this.#wants(container).length === 0) return Promise.resolve(false);
    const result = this.#last.catch(() => {}).then(() => this.#allocateNow(pod, container, affinity));
    this.#last = result;
    return result;
  }

  async #allocateNow(pod: Pod, container: Container, affinity: NumaMask | undefined): Promise<boolean> {
    this.#freeUnused(pod);
    const isChanged = await this.#allocateContainer(pod, container, affinity);
    if (isChanged) await this.#save();
    return isChanged;
  }

  hints(pod: Pod, container: Container): Hints {
    return this.#hintsFor(pod, new Map(this.#wants(container)), container);
  }

  podHints(pod: Pod): Hints {
    const limits = Object.entries(podLimits(pod)).filter(([name]) => this.state.isManaged(name));
    return this.#hintsFor(pod, new Map(limits.map(([name, amount]) => [name, wholeValue(String(amount))])));
  }

  #hintsFor(pod: Pod, requested: ReadonlyMap<string, number>, container?: Container): Hints {
    this.#freeUnused(pod);
    const { uid } = pod.metadata;
    return new Map(
      [...requested].map(([resource, count]) => {
        if (!this.state.hasTopology(resource)) return [resource, undefined];
        const own = this.state.of(uid, container?.name).filter((each) => each.resource === resource);
        const masksOf = (ids: Iterable<string>) =>
          [...ids].map((id) => maskOf((this.state.device(resource, id)?.topology?.nodes ?? []).map(({ ID }) => ID)));
        const ids = new Set(own.flatMap((each) => each.ids));
        if (ids.size > 0 && ids.size !== count) return [resource, []];
        const { all, free } = this.state.numaNodes(resource);
        const reusable = container ? masksOf(this.#reusable(pod, container, resource)) : [];
        const available = ids.size > 0 ? masksOf(ids) : free;
        return [resource, deviceHints({ all, available, reusable: ids.size > 0 ? [] : reusable, count })];
      }),
    );
  }

  /** An init container that ends leaves its devices to the containers after it. */
  #reusable(pod: Pod, container: Container, resource: string): ReadonlySet<string> {
    const reusable = new Set<string>();
    for (const earlier of containersOf(pod)) {
      if (earlier.name === container.name) break;
      const own = this.state.of(pod.metadata.uid, earlier.name).filter((each) => each.resource === resource);
      for (const id of own.flatMap(({ ids }) => ids))
        if (isOrdinaryInit(pod, earlier)) reusable.add(id);
        else reusable.delete(id);
    }
    return reusable;
  }

  /** Resources of plugins that the container requests, with their numbers. */
  #wants({ resources }: Container): [resource: string, count: number][] {
    return Object.entries(resources?.limits ?? {})
      .filter(([name]) => this.state.isManaged(name))
      .map(([name, amount]) => [name, wholeValue(String(amount))]);
  }

  #freeUnused(pod: Pod): void {
    const uids = this.#tools.activePods().map(({ metadata }) => metadata.uid);
    this.state.keepPods(new Set([...uids, pod.metadata.uid]));
  }

  async #allocateContainer(pod: Pod, container: Container, affinity: NumaMask | undefined): Promise<boolean> {
    let isChanged = false;
    for (const [resource, count] of this.#wants(container)) {
      const place = { podUid: pod.metadata.uid, container: container.name, resource };
      const choice = this.state.choose(place, count, this.#reusable(pod, container, resource), affinity);
      if (!choice) continue;
      const plugin = this.#plugins.get(resource);
      if (!plugin) throw new AllocationError(`unknown Device Plugin ${resource}`);
      const preferred = await this.#preferred(plugin, choice, count);
      const ids = pick(choice, preferred);
      const release = this.state.reserve(resource, ids);
      try {
        this.state.add({ ...place, ids, answer: await this.#callAllocate(resource, plugin, ids) });
      } finally {
        release();
      }
      isChanged = true;
    }
    return isChanged;
  }

  async #preferred({ client, options }: Plugin, choice: Choice, allocationSize: number): Promise<readonly string[]> {
    if (!options.getPreferredAllocationAvailable) return [];
    const request = {
      availableDeviceIDs: [...preferable(choice), ...choice.reused],
      mustIncludeDeviceIDs: choice.reused,
      allocationSize,
    };
    type Preferred = { containerResponses: readonly { deviceIDs: readonly string[] }[] } & Message;
    const { containerResponses } = await client
      .call<Preferred>('GetPreferredAllocation', { containerRequests: [request] }, { timeoutMs: rpcTimeoutMs })
      .catch((error) => {
        throw new AllocationError(`device plugin GetPreferredAllocation rpc failed with err: ${error.message}`);
      });
    return containerResponses[0]?.deviceIDs ?? [];
  }

  async #callAllocate(
    resource: string,
    { client }: Plugin,
    devicesIds: readonly string[],
  ): Promise<AllocatedContainer> {
    const { clock, metrics } = this.#tools;
    const startedMs = clock.monotonic();
    type Allocated = { containerResponses: readonly AllocatedContainer[] } & Message;
    const { containerResponses } = await client.call<Allocated>(
      'Allocate',
      { containerRequests: [{ devicesIds }] },
      { timeoutMs: rpcTimeoutMs },
    );
    metrics
      .histogram(
        'kubelet_device_plugin_alloc_duration_seconds',
        'Duration in seconds to serve a device plugin Allocation request. Broken down by resource name.',
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      )
      .observe((clock.monotonic() - startedMs) / 1000, { resource_name: resource });
    const [answer] = containerResponses;
    if (!answer) throw new AllocationError('no containers return in allocation response');
    return answer;
  }

  /** The devices of a container that is about to start. Rejects with an Error if its plugin does not prepare them. */
  async prepareStart(pod: Pod, container: Container): Promise<readonly Allocation[]> {
    const { uid } = pod.metadata;
    const wanted = this.#wants(container).filter(([, count]) => count > 0);
    if (wanted.length === 0) return [];
    const own = () => this.state.of(uid, container.name);
    if (wanted.some(([resource]) => !own().some((each) => each.resource === resource))) await this.allocatePod(pod);
    for (const { resource, ids } of own()) {
      const plugin = this.#plugins.get(resource);
      if (!plugin?.options.preStartRequired) continue;
      await plugin.client.call('PreStartContainer', { devicesIds: ids }, { timeoutMs: rpcTimeoutMs }).catch((error) => {
        throw new Error(`device plugin PreStartContainer rpc failed with err: ${error.message}`);
      });
    }
    return own();
  }
}
