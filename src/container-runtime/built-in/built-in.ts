// A runtime that runs the images of some pods as parts of this process, and gives all others to the runtime below it.
// Those pods use the machine's network. Their state is on disk; their programs end with the process.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { must } from '../../machinery/must.ts';
import { EventHub } from '../event-hub.ts';
import { normalizeReference } from '../images/reference.ts';
import type { ContainerConfig, ContainerStatus, Image, RuntimeEvent, Sandbox, SandboxConfig } from '../interface.ts';
import { podUidLabel } from '../labels.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { BuiltInProgram } from './program.ts';
import { isBuiltInPod, needsBuiltInPod, unsupportedOfContainer, unsupportedOfSandbox } from './rules.ts';
import { Run, type RunOptions } from './run.ts';
import { readState, writeState } from './state-file.ts';

interface Container {
  status: ContainerStatus;
  readonly program: BuiltInProgram | undefined;
  readonly config?: ContainerConfig;
  run?: Run;
}

export interface BuiltInOptions extends RunOptions {
  readonly programs: readonly BuiltInProgram[];
  /** File of the state. */
  readonly stateFile: string;
}

/** The images' part of the runtime interface: sandboxes and containers that are not found here are others. */
export class BuiltIn {
  readonly #options: BuiltInOptions;
  readonly #byImage: ReadonlyMap<string, BuiltInProgram>;
  readonly #hub = new EventHub();
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();

  constructor(options: BuiltInOptions) {
    this.#options = options;
    this.#byImage = new Map(options.programs.flatMap((p) => [[p.image, p] as const, [imageOf(p).id, p] as const]));
    const { sandboxes, containers } = readState(options.stateFile);
    for (const sandbox of sandboxes) this.#sandboxes.set(sandbox.id, sandbox);
    const finishedAt = options.clock.now();
    for (const status of containers) {
      // Its process ended without a record, as containerd reports it.
      const lost = { ...status, state: 'exited', exitCode: 255, reason: 'Unknown', finishedAt } as const;
      this.#containers.set(status.id, {
        status: status.state === 'running' ? lost : status,
        program: this.#byImage.get(status.image),
      });
    }
  }

  image(reference: string): Image | undefined {
    const program = this.#byImage.get(reference) ?? this.#byImage.get(canonical(reference));
    return program && imageOf(program);
  }

  /** Throws for another tag of an image that is built in: no registry has it. */
  checkReference(reference: string): void {
    const { name } = normalizeReference(reference);
    const found = this.#options.programs.find(({ image }) => image.startsWith(`${name}:`));
    if (found) throw new RuntimeError('image', `${reference} does not exist: the image of this node is ${found.image}`);
  }

  /** The new sandbox's id; undefined for a pod that the other runtime runs. Throws RuntimeError. */
  runPodSandbox(config: SandboxConfig): string | undefined {
    if (!isBuiltInPod(config, (image) => this.#options.programs.some((p) => p.image === image))) return undefined;
    refuse('sandbox', unsupportedOfSandbox(config));
    const id = this.#newId();
    const { name, namespace, uid, attempt, labels, annotations } = config;
    const createdAt = this.#options.clock.now();
    const own = { name, namespace, uid, attempt, labels, annotations };
    this.#sandboxes.set(id, { id, config: own, state: 'ready', createdAt, ips: [] });
    this.#save();
    this.#hub.sandbox('started', id, uid);
    return id;
  }

  hasSandbox(id: string): boolean {
    return this.#sandboxes.has(id);
  }

  hasContainer(id: string): boolean {
    return this.#containers.has(id);
  }

  async stopPodSandbox(id: string): Promise<void> {
    const sandbox = must(this.#sandboxes.get(id), id);
    await Promise.all(this.#of(id).map(({ status }) => this.stopContainer(status.id, 0)));
    if (sandbox.state !== 'ready') return;
    this.#sandboxes.set(id, { ...sandbox, state: 'notready' });
    this.#save();
    this.#hub.sandbox('stopped', id, sandbox.config.uid);
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.stopPodSandbox(id);
    for (const { status } of this.#of(id)) await this.removeContainer(status.id);
    const sandbox = must(this.#sandboxes.get(id), id);
    this.#sandboxes.delete(id);
    this.#save();
    this.#hub.sandbox('deleted', id, sandbox.config.uid);
  }

  sandboxes(podUid?: string): readonly Sandbox[] {
    return [...this.#sandboxes.values()].filter(({ config }) => podUid === undefined || config.uid === podUid);
  }

  /** Throws RuntimeError with the fields that such a container cannot have. */
  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): string {
    const program = this.#byImage.get(config.image);
    if (!program)
      throw new RuntimeError('create', `pod ${sandbox.name} is a part of the node: other images do not run in it`);
    refuse('create', unsupportedOfContainer(config));
    const id = this.#newId();
    const status: ContainerStatus = {
      ...{ id, sandboxId, name: config.name, attempt: config.attempt, state: 'created' },
      ...{ createdAt: this.#options.clock.now(), startedAt: 0, finishedAt: 0 },
      ...{ exitCode: 0, reason: '', message: '', image: program.image, imageRef: imageOf(program).repoDigests[0] },
      ...{ labels: config.labels, annotations: config.annotations },
      logPath: join(sandbox.logDirectory, config.logPath),
    };
    this.#containers.set(id, { status, program, config });
    this.#save();
    this.#hub.container('created', id, sandboxId, status);
    return id;
  }

  /** Throws for an image that is built in: in a sandbox of the other runtime it does not run. */
  refuseElsewhere(image: string): void {
    const program = this.#byImage.get(image);
    if (program) throw new RuntimeError('create', needsBuiltInPod(program.image));
  }

  /** Resolves when the program has started, has failed, or takes long. */
  async startContainer(id: string): Promise<void> {
    const container = must(this.#containers.get(id), id);
    const { status, program, config } = container;
    if (status.state !== 'created') return;
    const { uid, namespace, name } = must(this.#sandboxes.get(status.sandboxId), status.sandboxId).config;
    // Created by a process that ended before the start.
    if (!program || !config) return this.#exit(container, 128, 'StartError');
    container.run = new Run({ program, config, pod: { uid, namespace, name }, logPath: status.logPath }, this.#options);
    this.#change(container, { state: 'running', startedAt: this.#options.clock.now() });
    this.#hub.container('started', id, status.sandboxId, status);
    void container.run.ended.then(({ exitCode, reason }) => this.#exit(container, exitCode, reason));
    await container.run.started;
  }

  async stopContainer(id: string, gracePeriodSeconds: number): Promise<void> {
    const container = must(this.#containers.get(id), id);
    if (container.status.state === 'created') this.#exit(container, 137, 'Error');
    await container.run?.stop(gracePeriodSeconds * 1000);
    const end = await container.run?.ended;
    if (end) this.#exit(container, end.exitCode, end.reason);
  }

  async removeContainer(id: string): Promise<void> {
    await this.stopContainer(id, 0);
    const { status } = must(this.#containers.get(id), id);
    this.#containers.delete(id);
    this.#save();
    this.#hub.container('deleted', id, status.sandboxId, status);
  }

  containers(podUid?: string): readonly ContainerStatus[] {
    const all = Array.from(this.#containers.values(), ({ status }) => status);
    return podUid === undefined ? all : all.filter(({ labels }) => labels[podUidLabel] === podUid);
  }

  status(id: string): ContainerStatus | undefined {
    return this.#containers.get(id)?.status;
  }

  /** Throws if it does not run. */
  reopenLog(id: string): void {
    const { status, run } = must(this.#containers.get(id), id);
    if (status.state !== 'running' || !run) throw new RuntimeError('not-found', `container ${id} does not run`);
    run.reopenLog();
  }

  stats() {
    return [...this.#containers.values()].flatMap(({ status: { id, name, sandboxId, state }, run }) => {
      if (state !== 'running' || !run) return [];
      const { cpuNanoseconds, memoryBytes } = run.usage();
      return [{ id, name, sandboxId, cpuNanoseconds, memoryWorkingSetBytes: memoryBytes, memoryRssBytes: memoryBytes }];
    });
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    return this.#hub.events(signal);
  }

  /** Ends the programs, before their process ends. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#containers.keys()].map((id) => this.stopContainer(id, this.#options.closeSeconds)));
  }

  async removeAll(): Promise<void> {
    for (const id of [...this.#sandboxes.keys()]) await this.removePodSandbox(id);
  }

  #of(sandboxId: string): Container[] {
    return [...this.#containers.values()].filter(({ status }) => status.sandboxId === sandboxId);
  }

  #exit(container: Container, exitCode: number, reason: string): void {
    if (container.status.state === 'exited') return;
    this.#change(container, { state: 'exited', exitCode, reason, finishedAt: this.#options.clock.now() });
    this.#hub.container('stopped', container.status.id, container.status.sandboxId, container.status);
  }

  #change(container: Container, change: Partial<ContainerStatus>): void {
    container.status = { ...container.status, ...change };
    this.#save();
  }

  #save(): void {
    writeState(this.#options.stateFile, { sandboxes: [...this.#sandboxes.values()], containers: this.containers() });
  }

  #newId(): string {
    return Buffer.from(this.#options.random.bytes(32)).toString('hex');
  }
}

function refuse(kind: 'sandbox' | 'create', fields: readonly string[]): void {
  if (fields.length > 0)
    throw new RuntimeError(kind, `a part of the node runs without isolation, so it cannot have ${fields.join(', ')}`);
}

function canonical(reference: string): string {
  try {
    return normalizeReference(reference).canonical;
  } catch {
    return reference; // an id
  }
}

/** It has no content beside the program: nothing to pull and nothing to collect. */
function imageOf({ image, version }: BuiltInProgram): Image {
  const digest = `sha256:${createHash('sha256').update(`${image} ${version}`).digest('hex')}`;
  const name = image.slice(0, image.lastIndexOf(':'));
  return { id: digest, repoTags: [image], repoDigests: [`${name}@${digest}`], sizeBytes: 0, pinned: true };
}
