// Containers of the native runtime: from their configuration to processes, and from their end to the record of it.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../machinery/clock.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Random } from '../../machinery/random.ts';
import type { ContainerConfig, ContainerStatus, SandboxConfig } from '../container-runtime.ts';
import type { EventHub } from '../event-hub.ts';
import type { ImageRecord, ImageStore } from '../images/image-store.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { Cgroups } from './cgroups.ts';
import { commandOf, processSpec, searchPathOf, withSandboxFiles } from './container-spec.ts';
import { writeLaunch } from './launch.ts';
import { bootId, hostEnvironment, signal, startTimeOf } from './process.ts';
import { RootfsView } from './rootfs-view.ts';
import type { ShimClient } from './shim-client.ts';
import type { ContainerRecord, StateDirectory } from './state.ts';
import type { Tools } from './tools.ts';

export interface ContainerParts {
  readonly state: StateDirectory;
  readonly images: ImageStore;
  readonly cgroups: Cgroups;
  readonly tools: Tools;
  readonly shim: ShimClient;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** After SIGKILL the kernel ends a process at once, unless it hangs in a device or file system. */
const killedMs = 10_000;
const sweepMs = 5_000;

export class Containers {
  readonly records = new Map<string, ContainerRecord>();
  readonly #parts: ContainerParts;
  /** Commands that cannot be run, found at creation, told at the start. */
  readonly #problems = new Map<string, string>();
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #finishing = new Map<string, Promise<void>>();
  readonly #watcher: fs.FSWatcher;
  #sweptMs = 0;

  constructor(parts: ContainerParts) {
    this.#parts = parts;
    for (const record of parts.state.containers()) this.records.set(record.id, record);
    this.#watcher = fs.watch(join(parts.state.root, 'exits'), { persistent: false }, (_event, id) => {
      if (id && fs.existsSync(parts.state.exit(id))) void this.#finish(id);
    });
    this.#watcher.on('error', (error) => parts.logger.error('cannot watch for ended containers', { error }));
  }

  /** Takes up what ran on, or ended, while nobody looked. */
  async adopt(): Promise<void> {
    const boot = bootId();
    for (const record of this.records.values()) {
      if (record.state !== 'running') continue;
      if (fs.existsSync(this.#parts.state.exit(record.id)) || record.bootId !== boot || !this.#supervised(record))
        await this.#finish(record.id);
      else await this.#parts.shim.request('adopt', record.id);
    }
  }

  /** Notices containers that ended without a word: their supervisor was killed. Cheap, but not for every list. */
  sweep(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#sweptMs < sweepMs) return;
    this.#sweptMs = now;
    for (const record of this.records.values())
      if (record.state === 'running' && !this.#supervised(record) && startTimeOf(record.pid!) !== record.startTime)
        void this.#finish(record.id);
  }

  async create(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
    image: ImageRecord,
  ): Promise<string> {
    const { state, images, cgroups, tools, clock, random } = this.#parts;
    const id = Buffer.from(random.bytes(32)).toString('hex');
    const directory = state.container(id);
    const sandboxDirectory = state.sandbox(sandboxId);
    for (const name of ['upper', 'work', 'rootfs']) fs.mkdirSync(join(directory, name), { recursive: true });
    fs.chmodSync(join(directory, 'upper'), 0o755); // it becomes the root directory of the container
    try {
      const lower = images.rootfs(image);
      const view = new RootfsView(join(directory, 'upper'), lower);
      const complete = withSandboxFiles(config, sandboxDirectory);
      const process_ = processSpec(complete, sandbox, image, view, cgroups.version === 1);
      const command = commandOf(complete, image);
      const record: ContainerRecord = {
        id,
        sandboxId,
        config: complete,
        logPath: join(sandbox.logDirectory, config.logPath),
        imageId: image.id,
        imageRef: image.repoDigests[0] ?? image.id,
        stopSignal: image.config.StopSignal ?? 'SIGTERM',
        cgroup: join(sandbox.cgroupParent, id),
        createdAt: clock.now(),
        startedAt: 0,
        finishedAt: 0,
        exitCode: 0,
        reason: '',
        message: '',
        state: 'created',
        bootId: bootId(),
        process: process_,
      };
      const exitFile = state.exit(id);
      writeLaunch({
        ...{ record, sandbox, directory, sandboxDirectory, exitFile, lower, view, cgroups, tools, command },
        process: process_,
      });
      view.makeDirectory(process_.cwd);
      // Mounting through an image's link would end up on the machine's own directories.
      for (const path of ['/dev', '/proc', '/sys'])
        if (view.makeDirectory(path) !== path) throw new RuntimeError('create', `image has a link at ${path}`);
      const problem = view.whyNotExecutable(command[0], searchPathOf(process_), process_.cwd);
      if (problem) this.#problems.set(id, problem);
      await images.lease(id, image);
      state.save(directory, record);
      this.records.set(id, record);
    } catch (error) {
      await images.release(id);
      fs.rmSync(directory, { recursive: true, force: true });
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError('create', (error as Error).message, { cause: error });
    }
    this.#parts.hub.container('created', id, sandboxId, config);
    return id;
  }

  async start(id: string): Promise<void> {
    const record = this.get(id);
    if (record.state !== 'created')
      throw new RuntimeError('start', `container ${id} is in state ${record.state}, not created`);
    const problem = this.#problems.get(id);
    if (problem) throw await this.#startFailed(record, problem);
    const { cgroups, shim, state, clock } = this.#parts;
    try {
      cgroups.create(record.cgroup, record.config.resources, record.config.security.privileged);
    } catch (error) {
      throw await this.#startFailed(record, (error as Error).message);
    }
    const child = spawn('sh', ['supervise'], {
      cwd: state.container(id),
      detached: true, // it lives on when Coracle ends
      env: hostEnvironment,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    child.on('error', () => {});
    child.unref();
    let adopted: Promise<void> | undefined;
    const told = await readStatus(child.stdio[3] as Readable, () => (adopted = shim.request('adopt', id)));
    await adopted;
    if (!told.ok) throw await this.#startFailed(record, told.message || this.#launchErrors(id));
    this.#update(record, {
      state: 'running',
      startedAt: clock.now(),
      pid: told.pid,
      startTime: startTimeOf(told.pid),
      supervisorPid: child.pid,
      supervisorStartTime: startTimeOf(child.pid!),
      terminal: told.terminal,
    });
    this.#parts.hub.container('started', id, record.sandboxId, record.config);
    // It may have ended before it was known to run.
    if (fs.existsSync(state.exit(id))) await this.#finish(id);
  }

  async stop(id: string, gracePeriodSeconds: number): Promise<void> {
    const record = this.records.get(id);
    if (record?.state === 'created') return this.#update(record, { ...ended(this.#parts.clock.now(), 137) });
    if (record?.state !== 'running') return;
    if (gracePeriodSeconds > 0 && this.#signal(record, signalName(record.stopSignal)))
      if (await this.#endsWithin(id, gracePeriodSeconds * 1000)) return;
    this.#signal(record, 'SIGKILL');
    if (record.pid && !startTimeOf(record.pid) && !this.#supervised(record)) await this.#finish(id);
    if (!(await this.#endsWithin(id, killedMs)))
      throw new RuntimeError('unavailable', `container ${id} did not end ${killedMs / 1000} s after SIGKILL`);
  }

  async remove(id: string): Promise<void> {
    const record = this.records.get(id);
    if (!record) return;
    await this.stop(id, 0);
    const { state, images, cgroups } = this.#parts;
    cgroups.remove(record.cgroup);
    this.records.delete(id);
    this.#problems.delete(id);
    await images.release(id);
    await fs.promises.rm(state.container(id), { recursive: true, force: true });
    fs.rmSync(state.exit(id), { force: true });
    this.#parts.hub.container('deleted', id, record.sandboxId, record.config);
  }

  get(id: string): ContainerRecord {
    const record = this.records.get(id);
    if (!record) throw new RuntimeError('not-found', `container ${id} not found`);
    return record;
  }

  running(id: string): ContainerRecord {
    const record = this.get(id);
    if (record.state !== 'running' || !record.pid)
      throw new RuntimeError('not-found', `container ${id} is in state ${record.state}, not running`);
    return record;
  }

  /** Throws RuntimeError('start') for a command that is not in the container, in runc's words. */
  checkCommand(record: ContainerRecord, command: string): void {
    const { images, state } = this.#parts;
    const image = images.find(record.imageId);
    // A privileged one may have mounted what cannot be seen from here.
    if (!image || !record.process || record.config.security.privileged) return;
    const view = new RootfsView(join(state.container(record.id), 'upper'), images.rootfs(image));
    for (const { containerPath, hostPath } of record.config.mounts)
      view.addMount(view.locate(containerPath).path, hostPath);
    const problem = view.whyNotExecutable(command, searchPathOf(record.process), record.process.cwd);
    if (!problem) return;
    throw new RuntimeError(
      'start',
      `failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: ${problem}: unknown`,
    );
  }

  status(record: ContainerRecord): ContainerStatus {
    const { id, sandboxId, config, state, createdAt, startedAt, finishedAt, exitCode, reason, message } = record;
    const { name, attempt, image, labels, annotations } = config;
    const common = { id, sandboxId, name, attempt, image, labels, annotations };
    const times = { createdAt, startedAt, finishedAt, exitCode, reason, message };
    const { imageRef, logPath } = record;
    return { ...common, ...times, state, imageRef, logPath, pid: state === 'running' ? record.pid : undefined };
  }

  updateResources(id: string, resources: ContainerConfig['resources']): void {
    const record = this.get(id);
    if (record.state === 'running') this.#parts.cgroups.update(record.cgroup, resources);
    this.#update(record, { config: { ...record.config, resources: { ...record.config.resources, ...resources } } });
  }

  /** Resolves with its exit code. */
  async end(id: string): Promise<number> {
    await this.#endsWithin(id);
    return this.records.get(id)?.exitCode ?? 137;
  }

  close(): void {
    this.#watcher.close();
  }

  /** Once for each end, whoever notices it first. */
  #finish(id: string): Promise<void> {
    const begun = this.#finishing.get(id);
    if (begun) return begun;
    const finishing = this.#recordEnd(id)
      .catch((error) => this.#parts.logger.error('cannot record the end of a container', { id, error }))
      .finally(() => this.#finishing.delete(id));
    this.#finishing.set(id, finishing);
    return finishing;
  }

  async #recordEnd(id: string): Promise<void> {
    const record = this.records.get(id);
    if (record?.state !== 'running') return;
    const { state, shim, cgroups, clock, logger } = this.#parts;
    const exitFile = state.exit(id);
    const known = fs.existsSync(exitFile);
    const exitCode = known ? Number(fs.readFileSync(exitFile, 'utf8')) : 255;
    const finishedAt = known ? Math.floor(fs.statSync(exitFile).mtimeMs) : clock.now();
    // With a process namespace that is not its own, what it started may still be there.
    for (const pid of cgroups.processes(record.cgroup)) signal(pid, 'SIGKILL');
    // All of its output is in the log before it counts as ended.
    await shim.request('drain', id).catch((error) => logger.warn('cannot read a log to its end', { id, error }));
    const outOfMemory = exitCode === 137 && cgroups.outOfMemoryKills(record.cgroup) > 0;
    const reason = outOfMemory ? 'OOMKilled' : known ? undefined : 'Unknown';
    this.#update(record, ended(finishedAt, exitCode, reason));
    fs.rmSync(exitFile, { force: true });
    this.#release(id);
    this.#parts.hub.container('stopped', id, record.sandboxId, record.config);
    for (const wake of this.#ends.get(id) ?? []) wake();
    this.#ends.delete(id);
  }

  /** Lets the supervisor go: nothing is left in the pipes that it holds. */
  #release(id: string): void {
    try {
      const file = fs.openSync(
        join(this.#parts.state.container(id), 'ack'),
        fs.constants.O_RDWR | fs.constants.O_NONBLOCK,
      );
      fs.writeSync(file, '\n');
      fs.closeSync(file);
    } catch {} // removed already
  }

  #launchErrors(id: string): string {
    const path = join(this.#parts.state.container(id), 'errors');
    const errors = fs.existsSync(path) ? fs.readFileSync(path, 'utf8').trim() : '';
    return errors || 'the container ended before its command ran';
  }

  async #startFailed(record: ContainerRecord, why: string): Promise<RuntimeError> {
    const message = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${why.trim()}: unknown`;
    const { state, shim, cgroups, clock } = this.#parts;
    this.#update(record, { ...ended(clock.now(), 128, 'StartError'), message });
    if (!this.#problems.has(record.id)) {
      await shim.request('drain', record.id).catch(() => {});
      this.#release(record.id);
      cgroups.remove(record.cgroup);
    }
    fs.rmSync(state.exit(record.id), { force: true });
    return new RuntimeError('start', message);
  }

  #update(record: ContainerRecord, change: Partial<ContainerRecord>): void {
    const next = { ...(this.records.get(record.id) ?? record), ...change };
    this.records.set(record.id, next);
    this.#parts.state.save(this.#parts.state.container(record.id), next);
  }

  #signal(record: ContainerRecord, name: NodeJS.Signals): boolean {
    // A pid is another process's by now when its start time differs.
    return !!record.pid && startTimeOf(record.pid) === record.startTime && signal(record.pid, name);
  }

  #supervised(record: ContainerRecord): boolean {
    return !!record.supervisorPid && startTimeOf(record.supervisorPid) === record.supervisorStartTime;
  }

  /** False when it still runs after `timeoutMs`. */
  #endsWithin(id: string, timeoutMs?: number): Promise<boolean> {
    if (this.records.get(id)?.state !== 'running') return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiting = this.#ends.get(id) ?? new Set();
      this.#ends.set(id, waiting);
      const timer =
        timeoutMs === undefined
          ? undefined
          : this.#parts.clock.after(timeoutMs, () => {
              waiting.delete(wake);
              resolve(false);
            });
      const wake = () => {
        timer?.cancel();
        resolve(true);
      };
      waiting.add(wake);
    });
  }
}

function ended(finishedAt: number, exitCode: number, reason?: string) {
  const why = reason ?? (exitCode === 0 ? 'Completed' : 'Error');
  return { state: 'exited', finishedAt, exitCode, reason: why } as const;
}

function signalName(name: string): NodeJS.Signals {
  const signals = /^\d+$/.test(name) ? undefined : name.startsWith('SIG') ? name : `SIG${name}`;
  return (signals ??
    ({ 1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 9: 'SIGKILL' } as any)[name] ??
    'SIGTERM') as NodeJS.Signals;
}

interface Told {
  readonly ok: boolean;
  readonly pid: number;
  readonly terminal?: string;
  readonly message: string;
}

/** The launch scripts' status lines, up to `ok` or their end; `piped` is called once the container's pipes are there. */
function readStatus(stream: Readable, piped: () => void): Promise<Told> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (ok: boolean) => {
      const lines = text.split('\n');
      const pid = Number(lines.find((line) => line.startsWith('pid '))?.slice(4) ?? 0);
      const terminal = lines.find((line) => line.startsWith('terminal '))?.slice(9);
      const message = lines.filter((line) => !/^(pipes$|pid |terminal |ok$)/.test(line)).join(' ');
      stream.destroy();
      resolve({ ok, pid, terminal, message });
    };
    stream.on('data', (chunk) => {
      if (text === '') piped();
      text += chunk;
      if (/^ok$/m.test(text)) finish(true);
    });
    stream.on('end', () => finish(false));
    stream.on('error', () => finish(false));
  });
}
