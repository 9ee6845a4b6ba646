// A runtime without processes. One Node process holds thousands of containers, so idle ones have no timer, a container
// is one record and one status object, and an unchanged list is the same array as before.

import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { must } from '../../machinery/must.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import { EventHub } from '../event-hub.ts';
import { normalizeReference } from '../images/reference.ts';
import type {
  ContainerConfig,
  ContainerResources,
  ContainerRuntime,
  ContainerStats,
  ContainerStatus,
  ExecSession,
  Image,
  NetworkProbe,
  RuntimeEvent,
  Sandbox,
  SandboxConfig,
} from '../interface.ts';
import { podUidLabel } from '../labels.ts';
import { PodAddresses } from '../network/pod-addresses.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type ContainerScript, type SimulatedOptions, scriptFromAnnotations, scriptOfCommand } from './behaviour.ts';
import { execOfCommand } from './commands.ts';
import { appendToLog } from './container-log.ts';
import { SimulatedImages } from './simulated-image.ts';
import { answered, greeting, lasting } from './streams.ts';

export type { SimulatedBehaviour } from './behaviour.ts';

export interface SimulatedRuntime extends ContainerRuntime {
  /** The machine fails: no container runs any more, no sandbox is ready. */
  crash(): void;
}

interface Container {
  status: ContainerStatus;
  readonly script: ContainerScript;
  /** The inputs of exec. */
  readonly hostname: string;
  readonly env: ContainerConfig['env'];
  /** The end by itself, or the end after SIGTERM. */
  timer?: Timer;
  /** Resolved at the exit, for pending stopContainer and attach calls. */
  ended?: (() => void)[];
}

interface SandboxRecord {
  status: Sandbox;
  readonly containers: Set<Container>;
}

const noScript: ContainerScript = {};

export function createSimulatedRuntime(options: SimulatedOptions): SimulatedRuntime {
  return new Simulated(options);
}

class Simulated implements SimulatedRuntime {
  readonly features = {
    userNamespaces: true,
    recursiveReadOnlyMounts: true,
    supplementalGroupsPolicy: true,
    completeEvents: true,
  };
  readonly version = 'simulated://1.0';
  readonly #options: SimulatedOptions;
  readonly #hub = new EventHub();
  readonly #sandboxes = new Map<string, SandboxRecord>();
  /** Ids by the pod's uid. */
  readonly #sandboxesOfPod = new Map<string, readonly string[]>();
  readonly #containers = new Map<string, Container>();
  readonly #images = new SimulatedImages();
  #addresses?: PodAddresses;
  #sandboxList?: readonly Sandbox[];
  #containerList?: readonly ContainerStatus[];

  constructor(options: SimulatedOptions) {
    this.#options = options;
    if (options.podCidrs?.length) this.#addresses = new PodAddresses(options.podCidrs);
  }

  async status() {
    return this.#addresses ? {} : { network: 'no pod CIDR has been assigned to the node yet' };
  }

  async updatePodCidrs(cidrs: readonly string[]): Promise<void> {
    if (cidrs.length === 0) return;
    this.#addresses = new PodAddresses(cidrs);
    for (const { status } of this.#sandboxes.values()) this.#addresses.reserve(status.ips);
  }

  async runPodSandbox(config: SandboxConfig): Promise<string> {
    const programmed = this.#options.behaviour?.sandbox?.(config);
    if (programmed?.startMs) await this.#options.clock.sleep(programmed.startMs);
    if (programmed?.error) throw new RuntimeError('sandbox', programmed.error);
    if (!config.hostNetwork && !this.#addresses)
      throw new RuntimeError('sandbox', 'network is not ready: no pod CIDR has been assigned to the node yet');
    const id = this.#newId();
    const { name, namespace, uid, attempt, labels, annotations } = config;
    const status: Sandbox = {
      id,
      config: { name, namespace, uid, attempt, labels, annotations },
      state: 'ready',
      createdAt: this.#options.clock.now(),
      ips: config.hostNetwork ? [] : must(this.#addresses, 'addresses').allocate(),
    };
    this.#sandboxes.set(id, { status, containers: new Set() });
    this.#sandboxesOfPod.set(uid, [...(this.#sandboxesOfPod.get(uid) ?? []), id]);
    this.#sandboxList = undefined;
    this.#hub.sandbox('started', id, uid);
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox?.status.state !== 'ready') return;
    for (const record of sandbox.containers) if (record.status.state === 'running') this.#end(record, 137, 'Error');
    this.#addresses?.release(sandbox.status.ips);
    sandbox.status = { ...sandbox.status, state: 'notready', ips: [] };
    this.#sandboxList = undefined;
    this.#hub.sandbox('stopped', id, sandbox.status.config.uid);
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.stopPodSandbox(id);
    for (const { status } of this.#sandboxes.get(id)?.containers ?? []) await this.removeContainer(status.id);
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) return;
    const { uid } = sandbox.status.config;
    this.#sandboxes.delete(id);
    const left = this.#sandboxesOfPod.get(uid)?.filter((each) => each !== id) ?? [];
    if (left.length > 0) this.#sandboxesOfPod.set(uid, left);
    else this.#sandboxesOfPod.delete(uid);
    this.#sandboxList = undefined;
    this.#hub.sandbox('deleted', id, uid);
  }

  /** The same array as before if unchanged. */
  async listPodSandboxes(podUid?: string): Promise<readonly Sandbox[]> {
    if (podUid !== undefined) return this.#recordsOf(podUid).map(({ status }) => status);
    return (this.#sandboxList ??= Array.from(this.#sandboxes.values(), ({ status }) => status));
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string> {
    const owner = this.#sandboxes.get(sandboxId);
    if (!owner) throw new RuntimeError('not-found', `sandbox ${sandboxId} not found`);
    const image = this.#images.find(config.image);
    if (!image) throw new RuntimeError('image', `image ${JSON.stringify(config.image)} not found`);
    const script =
      this.#options.behaviour?.container?.(config, sandbox) ??
      scriptFromAnnotations(sandbox.annotations) ??
      scriptOfCommand(config, sandbox) ??
      noScript;
    const id = this.#newId();
    const status: ContainerStatus = {
      id,
      sandboxId,
      name: config.name,
      attempt: config.attempt,
      state: 'created',
      createdAt: this.#options.clock.now(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: '',
      message: '',
      image: config.image,
      imageRef: image.repoDigests[0],
      labels: config.labels,
      annotations: config.annotations,
      logPath: join(sandbox.logDirectory, config.logPath),
    };
    const record: Container = { status, script, hostname: sandbox.hostname ?? sandbox.name, env: config.env };
    this.#containers.set(id, record);
    owner.containers.add(record);
    this.#containerList = undefined;
    this.#hub.container('created', id, sandboxId, status);
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const record = this.#record(id);
    const { script } = record;
    const startMs = script.startMs ?? this.#options.startMs ?? 0;
    if (startMs > 0) await this.#options.clock.sleep(startMs);
    if (this.#containers.get(id) !== record || record.status.state !== 'created') return;
    if (script.startError !== undefined) {
      this.#end(record, 128, 'StartError', script.startError);
      throw new RuntimeError('start', script.startError);
    }
    this.#update(record, { state: 'running', startedAt: this.#options.clock.now() });
    if (script.output !== undefined) await appendToLog(record.status.logPath, script.output, this.#options.clock.now());
    this.#hub.container('started', record.status.id, record.status.sandboxId, record.status);
    if (script.runMs !== undefined)
      record.timer = this.#options.clock.after(script.runMs, () =>
        this.#end(record, script.exitCode ?? 0, script.reason),
      );
  }

  async stopContainer(id: string, gracePeriodSeconds: number): Promise<void> {
    const record = this.#containers.get(id);
    if (record?.status.state === 'created') this.#end(record, 137, 'Error');
    if (record?.status.state !== 'running') return;
    const { terminationMs = 0, terminationExitCode = 0 } = record.script;
    const graceMs = gracePeriodSeconds * 1000;
    const obeys = terminationMs <= graceMs && graceMs > 0;
    const exitCode = obeys ? terminationExitCode : 137;
    const waitMs = obeys ? terminationMs : graceMs;
    if (waitMs <= 0) return this.#end(record, exitCode);
    const ended = new Promise<void>((resolve) => (record.ended ??= []).push(resolve));
    const timer = this.#options.clock.after(waitMs, () => this.#end(record, exitCode));
    await ended;
    timer.cancel();
  }

  async removeContainer(id: string): Promise<void> {
    const record = this.#containers.get(id);
    if (!record) return;
    if (record.status.state === 'running') this.#end(record, 137, 'Error');
    this.#containers.delete(id);
    this.#sandboxes.get(record.status.sandboxId)?.containers.delete(record);
    this.#containerList = undefined;
    this.#hub.container('deleted', record.status.id, record.status.sandboxId, record.status);
  }

  /** The same array as before if unchanged. */
  async listContainers(podUid?: string): Promise<readonly ContainerStatus[]> {
    if (podUid === undefined)
      return (this.#containerList ??= Array.from(this.#containers.values(), ({ status }) => status));
    const ofPod = this.#recordsOf(podUid).flatMap(({ containers }) => Array.from(containers, ({ status }) => status));
    return ofPod.filter(({ labels }) => labels[podUidLabel] === podUid);
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    return this.#containers.get(id)?.status;
  }

  async updateContainerResources(id: string, _resources: ContainerResources): Promise<void> {
    this.#record(id);
  }

  async reopenContainerLog(id: string): Promise<void> {
    await appendToLog(this.#running(id).status.logPath, '', this.#options.clock.now());
  }

  async containerStats(): Promise<readonly ContainerStats[]> {
    const now = this.#options.clock.now();
    const stats: ContainerStats[] = [];
    for (const { status, script } of this.#containers.values()) {
      if (status.state !== 'running') continue;
      const memory = script.memoryBytes ?? 0;
      stats.push({
        id: status.id,
        name: status.name,
        sandboxId: status.sandboxId,
        // One millicore is a million nanoseconds of CPU time each second.
        cpuNanoseconds: (script.cpuMillicores ?? 0) * (now - status.startedAt) * 1000,
        memoryWorkingSetBytes: memory,
        memoryRssBytes: memory,
      });
    }
    return stats;
  }

  memoryUsageBytes(): number {
    let total = 0;
    for (const { status, script } of this.#containers.values())
      if (script.memoryBytes && status.state === 'running') total += script.memoryBytes;
    return total;
  }

  async exec(id: string, command: readonly string[]): Promise<ExecSession> {
    return answered(this.#execResult(id, command));
  }

  async execSync(id: string, command: readonly string[], _timeoutMs: number) {
    const { exitCode, stdout = '', stderr = '' } = this.#execResult(id, command);
    return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), exitCode };
  }

  async attach(id: string): Promise<ExecSession> {
    const record = this.#running(id);
    return lasting((ended) => (record.ended ??= []).push(() => ended(record.status.exitCode)));
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const sandbox = this.#sandboxes.get(sandboxId)?.status;
    if (!sandbox) throw new RuntimeError('not-found', `sandbox ${sandboxId} not found`);
    return greeting(`simulated pod ${sandbox.config.namespace}/${sandbox.config.name}, port ${port}\n`);
  }

  async listImages(): Promise<readonly Image[]> {
    return this.#images.all();
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    return this.#images.find(reference);
  }

  async pullImage(reference: string): Promise<string> {
    const name = normalizeReference(reference).canonical;
    const programmed = this.#options.behaviour?.image?.(reference);
    const pullMs = programmed?.pullMs ?? this.#options.pullMs ?? 0;
    if (pullMs > 0) await this.#options.clock.sleep(pullMs);
    if (programmed?.error !== undefined) throw new RuntimeError('image', programmed.error);
    return this.#images.pulled(name, programmed?.sizeBytes ?? 10_000_000).id;
  }

  async removeImage(id: string): Promise<void> {
    this.#images.remove(id);
  }

  async probe(sandboxId: string, probe: NetworkProbe): Promise<{ success: boolean; message: string }> {
    const sandbox = this.#sandboxes.get(sandboxId)?.status;
    if (sandbox?.state !== 'ready') return { success: false, message: 'connection refused' };
    return this.#options.behaviour?.probe?.(sandbox, probe) ?? { success: true, message: 'ok' };
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.events(signal);
  }

  crash(): void {
    for (const record of this.#containers.values())
      if (record.status.state === 'running') this.#end(record, 255, 'Unknown');
    for (const sandbox of this.#sandboxes.values()) {
      this.#addresses?.release(sandbox.status.ips);
      sandbox.status = { ...sandbox.status, state: 'notready', ips: [] };
    }
    this.#sandboxList = undefined;
  }

  async destroyAll(): Promise<void> {
    for (const id of [...this.#sandboxes.keys()]) await this.removePodSandbox(id);
  }

  async close(): Promise<void> {
    for (const record of this.#containers.values()) record.timer?.cancel();
  }

  #end(record: Container, exitCode: number, reason?: string, message = ''): void {
    if (record.status.state !== 'running' && record.status.state !== 'created') return;
    record.timer?.cancel();
    record.timer = undefined;
    this.#update(record, {
      state: 'exited',
      finishedAt: this.#options.clock.now(),
      exitCode,
      reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
      message,
    });
    for (const wake of record.ended?.splice(0) ?? []) wake();
    this.#hub.container('stopped', record.status.id, record.status.sandboxId, record.status);
  }

  #update(record: Container, change: Partial<ContainerStatus>): void {
    record.status = { ...record.status, ...change };
    this.#containerList = undefined;
  }

  #execResult(id: string, command: readonly string[]) {
    const record = this.#running(id);
    return this.#options.behaviour?.exec?.(record.status, command) ?? execOfCommand(command, record);
  }

  #recordsOf(podUid: string): SandboxRecord[] {
    return (this.#sandboxesOfPod.get(podUid) ?? []).flatMap((id) => this.#sandboxes.get(id) ?? []);
  }

  #record(id: string): Container {
    const record = this.#containers.get(id);
    if (!record) throw new RuntimeError('not-found', `container ${id} not found`);
    return record;
  }

  #running(id: string): Container {
    const record = this.#record(id);
    if (record.status.state !== 'running')
      throw new RuntimeError('not-found', `container ${id} is in state ${record.status.state}, not running`);
    return record;
  }

  #newId(): string {
    return Buffer.from(this.#options.random.bytes(32)).toString('hex');
  }
}
