// Containers of the native runtime: from their configuration to processes, and to the record of their exit.

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImageRecord } from '../../images/image-store.ts';
import type { ContainerConfig, ContainerStatus, SandboxConfig } from '../../interface.ts';
import { bootId, signal, startTimeOf } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { removeDirectory } from '../remove-directory.ts';
import { sandboxMounts } from '../sandboxes/sandboxes.ts';
import type { Started } from '../shim/shim-start.ts';
import type { ContainerRecord } from '../state.ts';
import { bundleFiles } from './bundle.ts';
import type { ContainerParts } from './container-parts.ts';
import { ended, signalName } from './ends.ts';
import { InitExits } from './init-exits.ts';
import { createBundle, newRecord } from './new-container.ts';

/** After SIGKILL the kernel ends a process at once, unless it hangs in a device or file system. */
const killedMs = 10_000;
const killPollMs = 5;
const sweepMs = 5_000;
/** How long the OCI runtime may take; the kubelet's runtimeRequestTimeout. */
const startMs = 120_000;
/** How long a start by another process may delay this one's. */
const adoptMs = 2_000;
const formerGraceSeconds = 2;

export class Containers {
  readonly records = new Map<string, ContainerRecord>();
  readonly #parts: ContainerParts;
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #finishing = new Map<string, Promise<void>>();
  readonly #starting = new Map<string, Promise<void>>();
  readonly #watcher: fs.FSWatcher;
  readonly #initExits: InitExits;
  #sweptMs = 0;

  constructor(parts: ContainerParts) {
    this.#parts = parts;
    this.#initExits = new InitExits(parts.state, parts.clock);
    for (const record of parts.state.containers()) this.records.set(record.id, record);
    this.#watcher = fs.watch(join(parts.state.root, 'exits'), { persistent: false }, (_event, id) => {
      if (id && fs.existsSync(parts.state.exit(id))) void this.#finish(id);
    });
    this.#watcher.on('error', (error) => parts.logger.error('cannot watch for ended containers', { error }));
  }

  /** Adopts containers that ran or ended while Coracle was stopped. */
  async adopt(): Promise<void> {
    const boot = bootId();
    const former: Promise<void>[] = [];
    for (const record of this.records.values()) {
      if (record.state === 'created') await this.#adoptStart(record);
      if (record.state !== 'running') continue;
      if (fs.existsSync(this.#parts.state.exit(record.id)) || record.bootId !== boot || !this.#supervised(record))
        await this.#finish(record.id);
      else {
        await this.#parts.shim.request('adopt', record.id);
        this.#initExits.watch(record);
      }
      if (!record.runtime) former.push(this.#endFormer(record));
    }
    await Promise.all(former);
  }

  /** Coracle was killed between the start of a container and its record. */
  async #adoptStart(record: ContainerRecord): Promise<void> {
    if (!fs.existsSync(join(this.#parts.state.container(record.id), bundleFiles.supervisor))) return;
    const started = this.start(record.id).catch(() => {}); // the record has the error
    await Promise.race([started, this.#parts.clock.sleep(adoptMs)]);
  }

  /** A container without an OCI runtime, left by a former version: it ends like one that is stopped. */
  async #endFormer({ id }: ContainerRecord): Promise<void> {
    this.#parts.logger.info('ending a container that a former version started', { id });
    await this.stop(id, formerGraceSeconds).catch((error) =>
      this.#parts.logger.error('cannot end a container that a former version started', { id, error }),
    );
  }

  /** Notices containers that ended without a word: their supervisor was killed. Cheap, but not for every list. */
  sweep(): void {
    const now = this.#parts.clock.monotonic();
    if (now - this.#sweptMs < sweepMs) return;
    this.#sweptMs = now;
    for (const record of this.records.values())
      if (
        record.state === 'running' &&
        !this.#supervised(record) &&
        (record.pid === undefined || startTimeOf(record.pid) !== record.startTime)
      )
        void this.#finish(record.id);
  }

  async create(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
    image: ImageRecord,
  ): Promise<string> {
    const { state, images, random } = this.#parts;
    const id = Buffer.from(random.bytes(32)).toString('hex');
    const directory = state.container(id);
    const complete = { ...config, mounts: [...config.mounts, ...sandboxMounts(config, state.sandbox(sandboxId))] };
    const record = newRecord({ id, sandboxId, config: complete }, sandbox, image, this.#parts);
    try {
      const pidNamespace = this.#pidNamespaceOf(config.targetContainerId, sandboxId);
      await createBundle({ record, sandbox, image, ...(pidNamespace && { pidNamespace }) }, this.#parts);
      await images.lease(id, image);
      state.save(directory, record);
      this.records.set(id, record);
    } catch (error) {
      await images.release(id);
      await removeDirectory(directory);
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError('create', (error as Error).message, { cause: error });
    }
    this.#parts.hub.container('created', id, sandboxId, config);
    return id;
  }

  #pidNamespaceOf(id: string | undefined, sandboxId: string): string | undefined {
    if (id === undefined) return undefined;
    const { pid, sandboxId: own } = this.running(id);
    if (own !== sandboxId) throw new RuntimeError('create', `target container ${id} is in another pod`);
    return `/proc/${pid}/ns/pid`;
  }

  async start(id: string): Promise<void> {
    const record = this.get(id);
    if (record.state !== 'created' || this.#starting.has(id))
      throw new RuntimeError('start', `container ${id} is in state ${record.state}, not created`);
    const starting = this.#start(record).finally(() => this.#starting.delete(id));
    this.#starting.set(id, starting);
    return starting;
  }

  async #start(record: ContainerRecord): Promise<void> {
    const { id } = record;
    const { cgroups, shim, state, clock, runtime } = this.#parts;
    const killsBefore = runtime.keeps ? undefined : cgroups.outOfMemoryKills(dirname(record.cgroup));
    const target = record.config.targetContainerId;
    // Its namespace is found by a number, which is another process's once the target has ended.
    const targetGone = () => target !== undefined && !this.#lives(target);
    let isLate = false;
    const limit = clock.after(startMs, () => {
      isLate = true;
      void this.#endStart(record);
    });
    const started: Started = targetGone()
      ? { problem: `target container ${target} is not running` }
      : await shim.start(id).catch((error) => ({ problem: (error as Error).message }));
    limit.cancel();
    if ('problem' in started)
      throw await this.#startFailed(record, isLate ? 'context deadline exceeded' : started.problem);
    if (targetGone()) throw await this.#startFailed(record, `target container ${target} ended`);
    const supervisorPid = Number(fs.readFileSync(join(state.container(id), bundleFiles.supervisor), 'utf8'));
    this.#update(record, {
      state: 'running',
      startedAt: clock.now(),
      pid: started.pid,
      startTime: startTimeOf(started.pid),
      supervisorPid,
      supervisorStartTime: startTimeOf(supervisorPid),
      ...(killsBefore !== undefined && { killsBefore }),
    });
    this.#initExits.watch(this.get(id));
    this.#parts.hub.container('started', id, record.sandboxId, record.config);
    // It may have ended before its start was recorded.
    if (fs.existsSync(state.exit(id))) await this.#finish(id);
  }

  async stop(id: string, gracePeriodSeconds: number): Promise<void> {
    const record = this.records.get(id);
    if (record?.state === 'created' && this.#starting.has(id)) {
      await this.#endStart(record);
      return this.stop(id, gracePeriodSeconds);
    }
    if (record?.state === 'created') return this.#update(record, { ...ended(this.#parts.clock.now(), 137) });
    if (record?.state !== 'running') return;
    if (gracePeriodSeconds > 0 && this.#signal(record, signalName(record.stopSignal)))
      if (await this.#endsWithin(id, gracePeriodSeconds * 1000)) return;
    this.#signal(record, 'SIGKILL');
    if (record.pid && !startTimeOf(record.pid) && !this.#supervised(record)) await this.#finish(id);
    if (!(await this.#endsWithin(id, killedMs)))
      throw new RuntimeError('unavailable', `container ${id} did not end ${killedMs / 1000} s after SIGKILL`);
  }

  /**
   * Resolves when no start of the container is running. The OCI runtime reads files of the container before its command
   * runs, and blocks forever if /etc/passwd is a FIFO.
   */
  async #endStart({ id, cgroup }: ContainerRecord): Promise<void> {
    const { cgroups, clock } = this.#parts;
    const ended = this.#starting.get(id)?.catch(() => {});
    while (ended && this.#starting.has(id)) {
      for (const pid of cgroups.processes(cgroup)) signal(pid, 'SIGKILL');
      await Promise.race([ended, clock.sleep(killPollMs)]);
    }
  }

  async remove(id: string): Promise<void> {
    const record = this.records.get(id);
    if (!record) return;
    await this.stop(id, 0);
    const { state, images, cgroups } = this.#parts;
    cgroups.remove(record.cgroup);
    this.records.delete(id);
    await images.release(id);
    for (const directory of [state.container(id), join(state.runtimeRoot, id)]) await removeDirectory(directory);
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
    this.#initExits.close();
  }

  /** Runs once per exit, for the first caller. */
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
    const { state, shim, clock, logger, cgroups } = this.#parts;
    const exitFile = state.exit(id);
    const hasExitFile = fs.existsSync(exitFile);
    const exitCode = hasExitFile ? Number(fs.readFileSync(exitFile, 'utf8')) : 255;
    const finishedAt = hasExitFile ? Math.floor(fs.statSync(exitFile).mtimeMs) : clock.now();
    this.#initExits.forget(id);
    await this.#killRest(record);
    // All of its output is in the log before it counts as ended.
    await shim.request('drain', id).catch((error) => logger.warn('cannot read a log to its end', { id, error }));
    const outOfMemory = this.#killsOf(record, exitCode) > 0;
    const reason = outOfMemory ? 'OOMKilled' : hasExitFile ? undefined : 'Unknown';
    // An old limit would prevent lowering the pod's.
    cgroups.remove(record.cgroup);
    this.#update(record, ended(finishedAt, exitCode, reason));
    fs.rmSync(exitFile, { force: true });
    this.#release(id);
    this.#parts.hub.container('stopped', id, record.sandboxId, record.config);
    for (const wake of this.#ends.get(id) ?? []) wake();
    this.#ends.delete(id);
  }

  /**
   * In a shared process namespace, child processes may still run; so may the container, if the runtime's process was
   * killed.
   */
  async #killRest({ cgroup }: ContainerRecord): Promise<void> {
    const { cgroups, clock } = this.#parts;
    const deadlineMs = clock.monotonic() + killedMs;
    for (let left = cgroups.processes(cgroup); left.length > 0; left = cgroups.processes(cgroup)) {
      for (const pid of left) signal(pid, 'SIGKILL');
      if (clock.monotonic() > deadlineMs) return;
      await clock.sleep(killPollMs);
    }
  }

  /** Ends the supervisor: its pipes are drained. */
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

  /** Out-of-memory kills of its processes, unless only the whole pod has a count. */
  #killsOf({ cgroup, killsBefore }: ContainerRecord, exitCode: number): number {
    const { cgroups } = this.#parts;
    if (killsBefore === undefined) return cgroups.outOfMemoryKills(cgroup);
    return exitCode === 137 ? cgroups.outOfMemoryKills(dirname(cgroup)) - killsBefore : 0;
  }

  async #startFailed(record: ContainerRecord, problem: string): Promise<RuntimeError> {
    const why = problem.replace(/^runc run failed/, 'runc create failed').trim();
    const message = `failed to create containerd task: failed to create shim task: OCI runtime create failed: ${why}: unknown`;
    const { state, cgroups, clock } = this.#parts;
    this.#update(record, { ...ended(clock.now(), 128, 'StartError'), message });
    for (const pid of cgroups.processes(record.cgroup)) signal(pid, 'SIGKILL');
    this.#release(record.id);
    cgroups.remove(record.cgroup);
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

  #lives(id: string): boolean {
    const { pid, startTime } = this.records.get(id) ?? {};
    return pid !== undefined && startTimeOf(pid) === startTime;
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
