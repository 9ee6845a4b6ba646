// Pod sandboxes: network, ipc and uts namespaces kept by files, without a process of their own (no pause container).

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../machinery/clock.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Random } from '../../machinery/random.ts';
import type { Sandbox, SandboxConfig } from '../container-runtime.ts';
import { HostPorts } from '../network/host-ports.ts';
import { type PodNetwork, sysctlScript } from '../network/pod-network.ts';
import { RuntimeError } from '../runtime-error.ts';
import { bootId, quote, run, signal } from './process.ts';
import type { SandboxRecord, StateDirectory } from './state.ts';

/** statfs type of the file system that namespace files are bound from (NSFS_MAGIC). */
const namespaceFileSystem = 0x6e736673;

export class Sandboxes {
  readonly records = new Map<string, SandboxRecord>();
  readonly #state: StateDirectory;
  readonly #network: PodNetwork;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hostPorts: HostPorts;

  constructor(state: StateDirectory, network: PodNetwork, clock: Clock, random: Random) {
    this.#state = state;
    this.#network = network;
    this.#clock = clock;
    this.#random = random;
    this.#hostPorts = new HostPorts(clock);
    const boot = bootId();
    for (const record of state.sandboxes()) {
      const alive = record.bootId === boot && (record.config.hostNetwork || isNamespace(this.netFile(record.id)));
      this.records.set(record.id, alive ? record : { ...record, state: 'notready', ips: [] });
    }
  }

  /** The relays of hostPorts ended with the process before; what cannot be opened again is told. */
  async adopt(logger: Logger): Promise<void> {
    for (const { id, config, ips } of this.records.values())
      if (ips.length > 0)
        await this.#hostPorts
          .open(id, config.portMappings ?? [], ips[0])
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
    let ips: readonly string[] = [];
    try {
      const network = config.hostNetwork ? undefined : this.#network.plan(id);
      ips = network?.ips ?? [];
      const { code, stderr } = await run('sh', ['-c', sandboxScript(directory, config, network)]);
      if (code !== 0) throw new RuntimeError('sandbox', `failed to setup sandbox ${id}: ${stderr.trim()}`);
      writeFiles(directory, config, ips);
      if (ips.length > 0) await this.#hostPorts.open(id, config.portMappings ?? [], ips[0]);
    } catch (error) {
      await this.#clear(id, ips);
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
    this.#state.addCgroupParent(config.cgroupParent);
    this.#state.save(directory, record);
    this.records.set(id, record);
    return id;
  }

  /** Takes its network and namespaces; containers in it have ended before. */
  async stop(id: string): Promise<void> {
    const record = this.records.get(id);
    if (record?.state !== 'ready') return;
    await this.#release(id, record.ips);
    const stopped: SandboxRecord = { ...record, state: 'notready', ips: [] };
    this.#state.save(this.#state.sandbox(id), stopped);
    this.records.set(id, stopped);
  }

  async remove(id: string): Promise<void> {
    const record = this.records.get(id);
    if (!record) return;
    await this.#clear(id, record.ips);
    this.records.delete(id);
  }

  async #clear(id: string, ips: readonly string[]): Promise<void> {
    await this.#release(id, ips);
    fs.rmSync(this.#state.sandbox(id), { recursive: true, force: true });
  }

  async #release(id: string, ips: readonly string[]): Promise<void> {
    this.#hostPorts.close(id);
    await this.#network.detach(id, ips);
    const directory = this.#state.sandbox(id);
    endHolder(directory);
    const mounts = ['net', 'ipc', 'uts', 'pid', 'shm'].map((name) => join(directory, name));
    await run('umount', ['-n', '-l', '-q', ...mounts.filter((path) => fs.existsSync(path))]);
  }
}

function endHolder(directory: string): void {
  const path = join(directory, 'holder');
  if (!fs.existsSync(path)) return;
  const pid = Number(fs.readFileSync(path, 'utf8'));
  try {
    if (fs.readlinkSync(`/proc/${pid}/cwd`) === directory) signal(pid, 'SIGKILL');
  } catch {} // it has ended
}

function isNamespace(path: string): boolean {
  try {
    return fs.statfsSync(path).type === namespaceFileSystem;
  } catch {
    return false;
  }
}

function sandboxScript(
  directory: string,
  config: SandboxConfig,
  network?: { inside: string; outside: string },
): string {
  const kinds = [...(config.hostNetwork ? [] : ['net', 'uts']), ...(config.hostIpc ? [] : ['ipc'])];
  const files = kinds.map((kind) => quote(join(directory, kind)));
  const inside = [
    config.hostNetwork ? '' : `printf %s ${quote(hostnameOf(config))} >/proc/sys/kernel/hostname || exit 1`,
    sysctlScript(config.sysctls ?? {}),
    network ? `exec ip -batch - <<'END'\n${network.inside}END\n` : '',
  ].join('\n');
  const script: string[] = [];
  if (!config.hostIpc) {
    const options = 'nosuid,nodev,noexec,mode=1777,size=64m';
    script.push(`mount -n -t tmpfs -o ${options} shm ${quote(join(directory, 'shm'))} || exit 1`);
  }
  if (kinds.length > 0) {
    script.push(`: >${files.join(' && : >')}`);
    const namespaces = kinds.map((kind, i) => `--${kind}=${files[i]}`).join(' ');
    script.push(`unshare ${namespaces} sh -c ${quote(inside)} || exit 1`);
  }
  if (network) script.push(network.outside);
  if (config.sharePid && !config.hostPid) script.push(pidHolder(directory));
  return script.join('\n');
}

/**
 * A process namespace lives as long as its first process, so a pod that shares one has a shell that waits, and takes in
 * whom others leave behind. It keeps all capabilities: that is what keeps containers from looking into it.
 */
function pidHolder(directory: string): string {
  const file = quote(join(directory, 'pid'));
  return `cd ${quote(directory)} && : >pid
setsid unshare --pid=${file} --fork --kill-child sh -c 'while :; do sleep 1000000 & wait; done' </dev/null >/dev/null 2>&1 &
echo $! >holder
tries=0
until nsenter --pid=${file} true 2>/dev/null; do
  tries=$((tries+1)); [ $tries -lt 500 ] || exit 1; sleep 0.01
done`;
}

export function hostnameOf(config: SandboxConfig): string {
  if (!config.hostNetwork) return (config.hostname ?? config.name).slice(0, 63);
  return fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim();
}

/** What a container gets in /etc when the kubelet does not bring its own. */
export const sandboxFiles = ['hostname', 'hosts', 'resolv.conf'] as const;

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
