// Any runtime that serves CRI v1, such as containerd or CRI-O, over its socket.

import type { Duplex } from 'node:stream';
import { must } from '../../machinery/must.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { removeEmptyParents, removePodCgroups } from '../cgroups/qos-cgroups.ts';
import { isHello } from '../images/hello.ts';
import { ImageStore } from '../images/image-store.ts';
import type { RegistryAuth } from '../images/registry.ts';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerRuntime,
  ContainerStats,
  ContainerStatus,
  ExecSession,
  Image,
  RuntimeEvent,
  RuntimeFeatures,
  Sandbox,
  SandboxConfig,
} from '../interface.ts';
import { podUidLabel } from '../labels.ts';
import { RuntimeError } from '../runtime-error.ts';
import {
  containerMessage,
  featuresOf,
  imageOf,
  isOwn,
  limitsMessage,
  resourcesMessage,
  sandboxMessage,
  sandboxOf,
  stateOf,
  statusOf,
} from './convert.ts';
import { CriClient, type Message } from './cri-client.ts';
import { helloImage, importHello, pauseImage, tagHello } from './hello-import.ts';
import { socketOf } from './import-archive.ts';
import type { SandboxItem } from './responses.ts';
import { type StreamOptions, streamPort, streamSession } from './streaming.ts';

export interface CriOptions {
  /** unix:///run/containerd/containerd.sock */
  readonly endpoint: string;
  /** The node's name in the cluster's: only sandboxes made under the same are seen, and removed by destroyAll. */
  readonly owner: string;
  /** The directory for making the built-in image before its import. */
  readonly imageDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** Rejects with RuntimeError('unavailable') if the endpoint does not respond. */
export async function createCriRuntime(options: CriOptions): Promise<ContainerRuntime> {
  const client = new CriClient(options.endpoint, options.clock);
  const version = await client.call('Version', { version: 'v1' }, 'unavailable', 10_000).catch((error) => {
    client.close();
    throw new RuntimeError('unavailable', `no container runtime at ${options.endpoint}: ${error.message}`);
  });
  const features = featuresOf(await client.call('Status').catch(() => ({})));
  return new Cri(client, options, `${version.runtimeName}://${version.runtimeVersion}`, features);
}

/** Above the time that the runtime itself was given: it must have the chance to answer. */
const slackMs = 10_000;

const firstRetryMs = 500;
const longestRetryMs = 30_000;

class Cri implements ContainerRuntime {
  readonly version: string;
  readonly features: RuntimeFeatures;
  readonly #client: CriClient;
  readonly #options: CriOptions;
  /** Statuses that are final for their state. */
  readonly #statuses = new Map<string, ContainerStatus>();
  #isSixFirst = false;
  readonly #ips = new Map<string, readonly string[]>();
  /** Pods of sandboxes. */
  readonly #uids = new Map<string, string>();
  #importing: Promise<void> | undefined;

  constructor(client: CriClient, options: CriOptions, version: string, features: RuntimeFeatures) {
    this.#client = client;
    this.#options = options;
    this.version = version;
    this.features = features;
  }

  async status() {
    const { status } = await this.#client.call('Status');
    const problem = (type: string): string | undefined => {
      const condition = status?.conditions.find((entry) => entry.type === type);
      if (condition?.status) return undefined;
      return condition ? `${condition.reason}: ${condition.message}` : `the runtime does not report ${type}`;
    };
    const runtime = problem('RuntimeReady');
    const network = problem('NetworkReady');
    return { ...(runtime && { runtime }), ...(network && { network }) };
  }

  async updatePodCidrs(cidrs: readonly string[]): Promise<void> {
    this.#isSixFirst = cidrs[0]?.includes(':') ?? false;
    this.#ips.clear();
    await this.#client.call('UpdateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr: cidrs.join(',') } } });
  }

  async runPodSandbox(config: SandboxConfig): Promise<string> {
    const request = { config: sandboxMessage(config, this.#options.owner), runtimeHandler: '' };
    const run = () => this.#client.call('RunPodSandbox', request, 'sandbox', 2 * 120_000);
    const { podSandboxId } = await run().catch(async (error) => {
      // A runtime configured with Coracle's pause image (see hello-import.ts) gets it on first use.
      if (await this.#image(pauseImage)) throw error;
      await this.#importHello(helloImage);
      return run();
    });
    return podSandboxId;
  }

  /** Runtimes without this call (containerd before 2.1) accept all values. */
  async updatePodSandboxResources(id: string, resources: ContainerResources, overhead: ContainerResources) {
    const request = { podSandboxId: id, resources: limitsMessage(resources), overhead: limitsMessage(overhead) };
    await this.#client.call('UpdatePodSandboxResources', request).catch((error) => {
      if (!(error instanceof RuntimeError && error.kind === 'unimplemented')) throw error;
    });
  }

  async stopPodSandbox(id: string): Promise<void> {
    await orGone(this.#client.call('StopPodSandbox', { podSandboxId: id }, 'sandbox'));
  }

  async removePodSandbox(id: string): Promise<void> {
    await orGone(this.#client.call('RemovePodSandbox', { podSandboxId: id }, 'sandbox'));
    this.#ips.delete(id);
    const uid = this.#uids.get(id);
    if (uid) removePodCgroups(uid);
    this.#uids.delete(id);
  }

  async listPodSandboxes(podUid?: string): Promise<readonly Sandbox[]> {
    const { items } = await this.#client.call('ListPodSandbox', filterOf(podUid));
    const own = items.filter((item) => isOwn(item, this.#options.owner));
    for (const { id, metadata } of own) this.#uids.set(id, metadata.uid);
    return Promise.all(own.map(async (item) => sandboxOf(item, await this.#addresses(item))));
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string> {
    const request = {
      podSandboxId: sandboxId,
      config: containerMessage(config, sandbox, this.#options.owner),
      sandboxConfig: sandboxMessage(sandbox, this.#options.owner),
    };
    const { containerId } = await this.#client.call('CreateContainer', request, 'create');
    return containerId;
  }

  async startContainer(id: string): Promise<void> {
    await this.#client.call('StartContainer', { containerId: id }, 'start');
  }

  async stopContainer(id: string, gracePeriodSeconds: number): Promise<void> {
    const timeoutMs = gracePeriodSeconds * 1000 + 120_000;
    const request = { containerId: id, timeout: gracePeriodSeconds };
    await orGone(this.#client.call('StopContainer', request, 'unavailable', timeoutMs));
  }

  async removeContainer(id: string): Promise<void> {
    await orGone(this.#client.call('RemoveContainer', { containerId: id }));
    this.#statuses.delete(id);
  }

  async listContainers(podUid?: string): Promise<readonly ContainerStatus[]> {
    const { containers } = await this.#client.call('ListContainers', filterOf(podUid));
    const statuses = await Promise.all(
      containers
        .filter((container) => isOwn(container, this.#options.owner))
        .map(async (container) => {
          const cached = this.#statuses.get(container.id);
          return cached?.state === stateOf(container) ? cached : this.#fetch(container.id, container.podSandboxId);
        }),
    );
    const present = statuses.filter((status) => status !== undefined);
    if (podUid !== undefined) return present;
    const ids = new Set(present.map((status) => status.id));
    for (const id of this.#statuses.keys()) if (!ids.has(id)) this.#statuses.delete(id);
    return present;
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    return this.#fetch(id, this.#statuses.get(id)?.sandboxId);
  }

  async updateContainerResources(id: string, resources: ContainerResources): Promise<void> {
    await this.#client.call('UpdateContainerResources', { containerId: id, linux: resourcesMessage(resources) });
  }

  async reopenContainerLog(id: string): Promise<void> {
    await this.#client.call('ReopenContainerLog', { containerId: id });
  }

  async containerStats(): Promise<readonly ContainerStats[]> {
    const { stats } = await this.#client.call('ListContainerStats');
    const own = stats.filter((entry) => isOwn(entry.attributes, this.#options.owner));
    return own.map(({ attributes, cpu, memory, writableLayer }) => ({
      id: attributes.id,
      name: attributes.metadata.name,
      sandboxId: this.#statuses.get(attributes.id)?.sandboxId ?? '',
      cpuNanoseconds: cpu?.usageCoreNanoSeconds?.value ?? 0,
      ...(memory?.usageBytes && { memoryUsageBytes: memory.usageBytes.value }),
      memoryWorkingSetBytes: memory?.workingSetBytes?.value ?? 0,
      memoryRssBytes: memory?.rssBytes?.value ?? 0,
      writableLayer: { usedBytes: writableLayer?.usedBytes?.value ?? 0 },
    }));
  }

  async exec(id: string, command: readonly string[], options: StreamOptions): Promise<ExecSession> {
    const streams = { ...options, stdout: true, stderr: !options.tty };
    const { url } = await this.#client.call('Exec', { containerId: id, cmd: command, ...streams });
    return streamSession(url, streams);
  }

  async execSync(id: string, command: readonly string[], timeoutMs: number) {
    const timeout = Math.ceil(timeoutMs / 1000);
    const request = { containerId: id, cmd: command, timeout };
    const deadlineMs = timeoutMs > 0 ? timeoutMs + slackMs : 0;
    const startedAtMs = this.#options.clock.now();
    const { stdout, stderr, exitCode } = await this.#client
      .call('ExecSync', request, 'unavailable', deadlineMs)
      .catch((error) => {
        // Runtimes have no common code for a timed-out command: the elapsed time decides.
        const ranOut = timeoutMs > 0 && this.#options.clock.now() - startedAtMs >= timeoutMs;
        throw ranOut ? new RuntimeError('timeout', error.message, { cause: error }) : error;
      });
    return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), exitCode };
  }

  async attach(id: string, options: StreamOptions): Promise<ExecSession> {
    const streams = { ...options, stdout: true, stderr: !options.tty };
    const { url } = await this.#client.call('Attach', { containerId: id, ...streams });
    return streamSession(url, streams);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const { url } = await this.#client.call('PortForward', { podSandboxId: sandboxId, port: [port] });
    return streamPort(url, port);
  }

  async listImages(): Promise<readonly Image[]> {
    const { images } = await this.#client.call('ListImages');
    return images.map(imageOf);
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    const found = await this.#image(reference);
    if (found || !isHello(reference)) return found;
    await this.#importHello(reference);
    // containerd's CRI plugin gets it by an event, a moment later.
    for (let tries = 0; tries < 40; tries++) {
      const image = await this.#image(reference);
      if (image) return image;
      await this.#options.clock.sleep(50);
    }
    throw new RuntimeError('image', `${reference} was brought into the runtime, which does not show it`);
  }

  async pullImage(reference: string, auth?: RegistryAuth, signal?: AbortSignal): Promise<string> {
    if (isHello(reference)) return must(await this.imageStatus(reference), reference).id;
    // An hour: the runtime itself ends a pull without progress.
    const request = { image: { image: reference }, auth };
    const { imageRef } = await this.#client.call('PullImage', request, 'image', 3_600_000, signal).catch((error) => {
      throw new RuntimeError('image', error.message, { cause: error });
    });
    return imageRef;
  }

  async imageDirectory(): Promise<string | undefined> {
    const { imageFilesystems } = await this.#client.call('ImageFsInfo');
    return imageFilesystems?.[0]?.fsId?.mountpoint || undefined;
  }

  async removeImage(id: string): Promise<void> {
    await orGone(this.#client.call('RemoveImage', { image: { image: id } }));
  }

  /**
   * Subscribes again when the stream ends. Events in between are missed: the kubelet polls as well. Ends at once with
   * runtimes that have no events (containerd before 1.7).
   */
  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    let delayMs = firstRetryMs;
    while (!signal.aborted) {
      try {
        for await (const event of this.#client.stream('GetContainerEvents', {}, signal)) {
          delayMs = firstRetryMs;
          const type = eventTypes[event.containerEventType];
          const { id: sandboxId = '', metadata } = event.podSandboxStatus ?? {};
          if (type) yield { type, containerId: event.containerId, sandboxId, podUid: metadata?.uid ?? '' };
        }
      } catch (error) {
        if (error instanceof RuntimeError && error.kind === 'unimplemented') return;
      }
      await this.#options.clock.sleep(delayMs, signal).catch(() => {}); // aborted
      delayMs = Math.min(delayMs * 2, longestRetryMs);
    }
  }

  async destroyAll(): Promise<void> {
    for (const { id } of await this.listPodSandboxes()) {
      await this.stopPodSandbox(id);
      await this.removePodSandbox(id);
    }
    removeEmptyParents();
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #fetch(id: string, sandboxId?: string): Promise<ContainerStatus | undefined> {
    const response = await orGone(this.#client.call('ContainerStatus', { containerId: id, verbose: true }));
    if (!response?.status) return undefined;
    const sandbox = sandboxId ?? JSON.parse(response.info?.info ?? '{}').sandboxID ?? '';
    const status = statusOf(sandbox, response.status, response.info);
    this.#statuses.set(id, status);
    return status;
  }

  async #addresses(item: SandboxItem): Promise<readonly string[]> {
    if (item.state !== 'SANDBOX_READY') return [];
    const cached = this.#ips.get(item.id);
    if (cached) return cached;
    const response = await orGone(this.#client.call('PodSandboxStatus', { podSandboxId: item.id }));
    const network = response?.status?.network;
    const ips = network?.ip ? [network.ip, ...network.additionalIps.map((entry) => entry.ip)] : [];
    // A network plugin may give them in any order: the first one is of the node's primary family.
    const sorted = ips.toSorted((a, b) => Number(this.#isFirst(b)) - Number(this.#isFirst(a)));
    this.#ips.set(item.id, sorted);
    return sorted;
  }

  readonly #isFirst = (ip: string) => ip.includes(':') === this.#isSixFirst;

  async #image(reference: string): Promise<Image | undefined> {
    const { image } = await this.#client.call('ImageStatus', { image: { image: reference } });
    return image?.id ? imageOf(image) : undefined;
  }

  /** Pods that start together share one import; further tags only add a name. */
  async #importHello(reference: string): Promise<void> {
    const { endpoint, imageDirectory, random } = this.#options;
    await (this.#importing ??= importHello(new ImageStore(imageDirectory, random), socketOf(endpoint)).finally(() => {
      this.#importing = undefined;
    }));
    await tagHello(socketOf(endpoint), reference);
  }
}

const filterOf = (podUid: string | undefined): Message =>
  podUid === undefined ? {} : { filter: { labelSelector: { [podUidLabel]: podUid } } };

const eventTypes: Readonly<Record<string, RuntimeEvent['type']>> = {
  CONTAINER_CREATED_EVENT: 'created',
  CONTAINER_STARTED_EVENT: 'started',
  CONTAINER_STOPPED_EVENT: 'stopped',
  CONTAINER_DELETED_EVENT: 'deleted',
};

/** A missing object needs no stopping or removing. */
async function orGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === 'not-found') return undefined;
    throw error;
  }
}
