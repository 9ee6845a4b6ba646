// Pod sandboxes: network, ipc and uts namespaces bound to files, without a process (no pause container).

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../../machinery/logger.ts';
import type { Random } from '../../../machinery/random.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import type { ContainerConfig, Mount, Sandbox, SandboxConfig } from '../../interface.ts';
import { HostPorts } from '../../network/host-ports.ts';
import type { PodNetwork } from '../../network/pod-network.ts';
import { bootId, run, signal } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import type { SandboxRecord, StateDirectory } from '../state.ts';
import type { PidHolder } from './pid-holder.ts';
import { sandboxScript } from './sandbox-script.ts';

/** statfs type of the file system that namespace files are bound from (NSFS_MAGIC). */
const namespaceFileSystem = 0x6e736673;

export class Sandboxes {
  readonly records = new Map<string, SandboxRecord>();
  readonly #state: StateDirectory;
  readonly #network: PodNetwork;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #holder: PidHolder;
  readonly #hostPorts: HostPorts;

  constructor(state: StateDirectory, network: PodNetwork, holder: PidHolder, clock: Clock, random: Random) {
    this.#state = state;
    this.#network = network;
    this.#holder = holder;
    this.#clock = clock;
    this.#random = random;
    this.#hostPorts = new HostPorts(clock, (forwards) => network.setHostPorts(forwards));
    const boot = bootId();
    for (const record of state.sandboxes()) {
      const alive = record.bootId === boot && (record.config.hostNetwork || isNamespace(this.netFile(record.id)));
      const usable = alive && !endFormerHolder(state.sandbox(record.id));
      this.records.set(record.id, usable ? record : { ...record, state: 'notready', ips: [] });
    }
  }

  /** The relays of hostPorts ended with the previous process; logs ports that cannot be opened again. */
  async adopt(logger: Logger): Promise<void> {
    for (const { id, config, ips } of this.records.values())
      if (ips.length > 0)
        await this.#hostPorts
          .open(id, config.portMappings ?? [], ips)
          .catch((error) => logger.error('cannot open the host ports of a pod again', { pod: config.name, error }));
  }

  close(): void {
    this.#hostPorts.closeAll();
  }

  netFile(id: string): string {
    return join(this.#state.sandbox(id), 'net');
  }

  get(id: string): SandboxRecord {
    const record = this.records.get(id);
    if (!record) throw new RuntimeError('not-found', `sandbox ${id} not found`);
    return record;
  }

  /** All, or those of one pod. */
  list(podUid?: string): readonly Sandbox[] {
    const records = [...this.records.values()].filter(({ config }) => podUid === undefined || config.uid === podUid);
    return records.map(({ id, config, state, createdAt, ips }) => {
      const { name, namespace, uid, attempt, labels, annotations } = config;
      return { id, config: { name, namespace, uid, attempt, labels, annotations }, state, createdAt, ips };
    });
  }

  async run(config: SandboxConfig): Promise<string> {
    const id = Buffer.from(this.#random.bytes(32)).toString('hex');
    const directory = this.#state.sandbox(id);
    fs.mkdirSync(join(directory, 'shm'), { recursive: true, mode: 0o700 });
    const hostname = hostnameOf(config);
    let ips: readonly string[] = [];
    // Recorded before use, so that it can be found and removed after a crash.
    this.#state.addCgroupParent(config.cgroupParent);
    try {
      const network = config.hostNetwork ? undefined : this.#network.plan(id);
      ips = network?.ips ?? [];
      const { code, stderr } = await run('sh', ['-c', sandboxScript(directory, config, hostname, network)]);
      if (code !== 0) throw new RuntimeError('sandbox', `failed to setup sandbox ${id}: ${stderr.trim()}`);
      writeFiles(directory, config, ips);
      if (config.sharePid && !config.hostPid) await this.#holder.start(id, config, directory, hostname);
      if (ips.length > 0) await this.#hostPorts.open(id, config.portMappings ?? [], ips);
    } catch (error) {
      await this.#clear(id, config, ips);
      throw error;
    }
    const record: SandboxRecord = {
      id,
      config,
      createdAt: this.#clock.now(),
      ips,
      state: 'ready',
      bootId: bootId(),
    };
    this.#state.save(directory, record);
    this.records.set(id, record);
    return id;
  }

  /** Takes its network and namespaces; containers in it have ended before. */
  async stop(id: string): Promise<void> {
    const record = this.records.get(id);
    if (record?.state !== 'ready') return;
    await this.#release(id, record.config, record.ips);
    const stopped: SandboxRecord = { ...record, state: 'notready', ips: [] };
    this.#state.save(this.#state.sandbox(id), stopped);
    this.records.set(id, stopped);
  }

  async remove(id: string): Promise<void> {
    const record = this.records.get(id);
    if (!record) return;
    await this.#clear(id, record.config, record.ips);
    this.records.delete(id);
  }

  async #clear(id: string, config: SandboxConfig, ips: readonly string[]): Promise<void> {
    await this.#release(id, config, ips);
    fs.rmSync(this.#state.sandbox(id), { recursive: true, force: true });
  }

  async #release(id: string, config: SandboxConfig, ips: readonly string[]): Promise<void> {
    await this.#hostPorts.close(id);
    await this.#network.detach(id, ips);
    const directory = this.#state.sandbox(id);
    if (config.sharePid && !config.hostPid) this.#holder.end(id, config);
    const mounts = ['net', 'ipc', 'uts', 'pid', 'user', 'shm'].map((name) => join(directory, name));
    await run('umount', ['-n', '-l', '-q', ...mounts.filter((path) => fs.existsSync(path))]);
  }
}

/**
 * A former version of Coracle held a pod's process namespace by a shell of the machine. True if there was one: it is
 * ended, and with it the namespace, so that the pod is made again.
 */
function endFormerHolder(directory: string): boolean {
  const path = join(directory, 'holder');
  if (!fs.statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const pid = Number(fs.readFileSync(path, 'utf8'));
  try {
    if (fs.readlinkSync(`/proc/${pid}/cwd`) === directory) signal(pid, 'SIGKILL');
  } catch {} // it has ended
  fs.rmSync(path);
  return true;
}

function isNamespace(path: string): boolean {
  try {
    return fs.statfsSync(path).type === namespaceFileSystem;
  } catch {
    return false;
  }
}

export function hostnameOf(config: SandboxConfig): string {
  if (!config.hostNetwork) return (config.hostname ?? config.name).slice(0, 63);
  return fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim();
}

const etcFiles = ['hostname', 'hosts', 'resolv.conf'] as const;

/** Files in a container's /etc that the kubelet does not mount. */
export function sandboxMounts({ mounts, security }: ContainerConfig, sandboxDirectory: string): readonly Mount[] {
  const given = new Set(mounts.map((mount) => mount.containerPath));
  return etcFiles
    .map((name) => ({
      hostPath: join(sandboxDirectory, name),
      containerPath: `/etc/${name}`,
      readOnly: security.readOnlyRootFilesystem,
    }))
    .filter((mount) => !given.has(mount.containerPath));
}

function writeFiles(directory: string, config: SandboxConfig, ips: readonly string[]): void {
  const hostname = hostnameOf(config);
  fs.writeFileSync(join(directory, 'hostname'), `${hostname}\n`);
  const hosts = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...ips.map((ip) => `${ip}\t${hostname}`),
  ];
  fs.writeFileSync(join(directory, 'hosts'), `${hosts.join('\n')}\n`);
  const { servers = [], searches = [], options = [] } = config.dns ?? {};
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  const own = '/etc/resolv.conf';
  const text = lines.length > 0 ? `${lines.join('\n')}\n` : fs.existsSync(own) ? fs.readFileSync(own, 'utf8') : '';
  fs.writeFileSync(join(directory, 'resolv.conf'), text);
}
