// Joins the built-in images with a container runtime: one runtime for the kubelet.

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerRuntime,
  ExecSession,
  Image,
  RuntimeEvent,
  SandboxConfig,
} from '../interface.ts';
import { RuntimeError } from '../runtime-error.ts';
import { BuiltIn, type BuiltInOptions } from './built-in.ts';

interface WithBuiltInOptions extends BuiltInOptions {
  /** Where the programs listen: port forwarding tries these. */
  readonly addresses: readonly string[];
}

export const withBuiltIn = (runtime: ContainerRuntime, options: WithBuiltInOptions): ContainerRuntime =>
  new WithBuiltIn(runtime, options);

type ExecOptions = Parameters<ContainerRuntime['exec']>[2];

class WithBuiltIn implements ContainerRuntime {
  readonly version;
  readonly features;
  readonly updatePodSandboxResources?: NonNullable<ContainerRuntime['updatePodSandboxResources']>;
  readonly imageDirectory?: NonNullable<ContainerRuntime['imageDirectory']>;
  readonly #runtime: ContainerRuntime;
  readonly #builtIn: BuiltIn;
  readonly #options: WithBuiltInOptions;

  constructor(runtime: ContainerRuntime, options: WithBuiltInOptions) {
    this.version = runtime.version;
    this.features = runtime.features;
    this.#runtime = runtime;
    this.#options = options;
    const builtIn = new BuiltIn(options);
    this.#builtIn = builtIn;
    if (runtime.updatePodSandboxResources)
      this.updatePodSandboxResources = async (id, resources, overhead) =>
        builtIn.hasSandbox(id) ? undefined : runtime.updatePodSandboxResources?.(id, resources, overhead);
    if (runtime.imageDirectory) this.imageDirectory = async () => runtime.imageDirectory?.();
  }

  status() {
    return this.#runtime.status();
  }

  updatePodCidrs(cidrs: readonly string[]) {
    return this.#runtime.updatePodCidrs(cidrs);
  }

  async runPodSandbox(config: SandboxConfig) {
    return this.#builtIn.runPodSandbox(config) ?? this.#runtime.runPodSandbox(config);
  }

  async stopPodSandbox(id: string) {
    return (this.#builtIn.hasSandbox(id) ? this.#builtIn : this.#runtime).stopPodSandbox(id);
  }

  async removePodSandbox(id: string) {
    return (this.#builtIn.hasSandbox(id) ? this.#builtIn : this.#runtime).removePodSandbox(id);
  }

  async listPodSandboxes(podUid?: string) {
    return joined(await this.#runtime.listPodSandboxes(podUid), this.#builtIn.sandboxes(podUid));
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig) {
    if (this.#builtIn.hasSandbox(sandboxId)) return this.#builtIn.createContainer(sandboxId, config, sandbox);
    this.#builtIn.refuseElsewhere(config.image);
    return this.#runtime.createContainer(sandboxId, config, sandbox);
  }

  async startContainer(id: string) {
    return (this.#builtIn.hasContainer(id) ? this.#builtIn : this.#runtime).startContainer(id);
  }

  async stopContainer(id: string, gracePeriodSeconds: number) {
    return (this.#builtIn.hasContainer(id) ? this.#builtIn : this.#runtime).stopContainer(id, gracePeriodSeconds);
  }

  async removeContainer(id: string) {
    return (this.#builtIn.hasContainer(id) ? this.#builtIn : this.#runtime).removeContainer(id);
  }

  async listContainers(podUid?: string) {
    return joined(await this.#runtime.listContainers(podUid), this.#builtIn.containers(podUid));
  }

  async containerStatus(id: string) {
    return this.#builtIn.status(id) ?? this.#runtime.containerStatus(id);
  }

  /** Shares of CPU and CPU sets have no effect on a part of the node; limits are refused. */
  async updateContainerResources(id: string, resources: ContainerResources) {
    if (!this.#builtIn.hasContainer(id)) return this.#runtime.updateContainerResources(id, resources);
    if (resources.memoryLimitBytes || resources.cpuQuota) throw unable(id, 'it cannot have limits');
  }

  async reopenContainerLog(id: string) {
    if (this.#builtIn.hasContainer(id)) this.#builtIn.reopenLog(id);
    else await this.#runtime.reopenContainerLog(id);
  }

  async containerStats() {
    return joined(await this.#runtime.containerStats(), this.#builtIn.stats());
  }

  async exec(id: string, command: readonly string[], options: ExecOptions): Promise<ExecSession> {
    if (this.#builtIn.hasContainer(id)) throw unable(id, 'no command can run in it');
    return this.#runtime.exec(id, command, options);
  }

  async execSync(id: string, command: readonly string[], timeoutMs: number) {
    if (this.#builtIn.hasContainer(id)) throw unable(id, 'no command can run in it');
    return this.#runtime.execSync(id, command, timeoutMs);
  }

  async attach(id: string, options: ExecOptions): Promise<ExecSession> {
    if (this.#builtIn.hasContainer(id))
      throw unable(id, 'it has no process to attach to; "kubectl logs" shows its output');
    return this.#runtime.attach(id, options);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    if (!this.#builtIn.hasSandbox(sandboxId)) return this.#runtime.portForward(sandboxId, port);
    let fault: unknown;
    for (const address of this.#options.addresses)
      try {
        return await connectTo(port, address);
      } catch (error) {
        fault = error;
      }
    throw fault;
  }

  /** Without the built-in ones: they take no space. */
  listImages() {
    return this.#runtime.listImages();
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    return this.#builtIn.image(reference) ?? this.#runtime.imageStatus(reference);
  }

  async pullImage(reference: string, auth?: { username: string; password: string }, signal?: AbortSignal) {
    const image = this.#builtIn.image(reference);
    if (image) return image.id;
    this.#builtIn.checkReference(reference);
    return this.#runtime.pullImage(reference, auth, signal);
  }

  removeImage(id: string) {
    return this.#runtime.removeImage(id);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return merged([this.#runtime.events(signal), this.#builtIn.events(signal)]);
  }

  async destroyAll() {
    await this.#builtIn.removeAll();
    await this.#runtime.destroyAll?.();
  }

  async close() {
    await this.#builtIn.stopAll();
    await this.#runtime.close();
  }
}

const joined = <T>(some: readonly T[], more: readonly T[]): readonly T[] =>
  more.length > 0 ? [...some, ...more] : some;

const unable = (id: string, why: string) =>
  new RuntimeError('unimplemented', `container ${id.slice(0, 12)} is a part of the node's own process: ${why}`);

function connectTo(port: number, address: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: address, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket.off('error', reject)));
  });
}

/** Ends when one of them fails, or when all have ended. */
async function* merged<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const waiting: T[] = [];
  let wake = () => {};
  let running = sources.length;
  let failure: { readonly error: unknown } | undefined;
  const read = async (source: AsyncIterable<T>) => {
    try {
      for await (const item of source) {
        waiting.push(item);
        wake();
      }
    } catch (error) {
      failure = { error };
    }
    running--;
    wake();
  };
  for (const source of sources) void read(source);
  while (running > 0 || waiting.length > 0) {
    yield* waiting.splice(0);
    if (failure) throw failure.error;
    if (waiting.length === 0 && running > 0) await new Promise<void>((resolve) => (wake = resolve));
  }
}
