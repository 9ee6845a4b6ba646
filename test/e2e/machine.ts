// A network namespace in which the tests run Coracle, kubectl and containerd, so that changes of addresses, routes and
// rules do not affect the host.

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const checkout = path.resolve(import.meta.dirname, '../..');
const kubectlProgram = path.join(checkout, '.cache/tools/kubectl');

/** Why these tests cannot run here; undefined when they can. */
export function whyNot(...programs: readonly string[]): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['/usr/sbin/ip', '/usr/bin/curl', kubectlProgram, ...programs].filter((file) => !existsSync(file));
  return missing.length > 0 ? `not installed: ${missing.join(', ')} ("./coracle test" brings them)` : undefined;
}

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Background {
  readonly child: ChildProcess;
  /** All that it has written so far. */
  text(): string;
  /** Resolves when its output matches. */
  shows(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Two networks with a router between, for several machines. */
export class Networks {
  readonly #name = `ce2e-lan-${process.pid}`;
  #machines = 0;

  constructor() {
    mustRun('ip', 'netns', 'add', this.#name);
    for (const [bridge, address] of [
      ['one', '192.0.2.1/24'],
      ['two', '198.51.100.1/24'],
    ])
      for (const command of [
        `link add ${bridge} type bridge`,
        `addr add ${address} dev ${bridge}`,
        `link set ${bridge} up`,
      ])
        mustRun('ip', '-n', this.#name, ...command.split(' '));
    mustRun('nsenter', `--net=/run/netns/${this.#name}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    // Frames between machines of one network are no business of the router's rules.
    const filter = '/proc/sys/net/bridge/bridge-nf-call-iptables';
    if (existsSync(filter)) mustRun('nsenter', `--net=/run/netns/${this.#name}`, 'sh', '-c', `echo 0 > ${filter}`);
  }

  /** Cuts a machine's cable, or plugs it in again. */
  connect({ address }: Machine, state: 'up' | 'down'): void {
    mustRun('ip', '-n', this.#name, 'link', 'set', `port${address.split('.')[3]}`, state);
  }

  machine(network: 'one' | 'two'): Machine {
    const host = 10 + this.#machines++;
    const [address, router] =
      network === 'one' ? [`192.0.2.${host}`, '192.0.2.1'] : [`198.51.100.${host}`, '198.51.100.1'];
    const port = `port${host}`;
    return new Machine(address, router, (name) => {
      mustRun('ip', 'link', 'add', port, 'netns', this.#name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      mustRun('ip', '-n', this.#name, 'link', 'set', port, 'master', network, 'up');
    });
  }

  dispose(): void {
    spawnSync('ip', ['netns', 'del', this.#name]);
  }
}

export class Machine {
  readonly address: string;
  readonly directory = mkdtempSync(path.join(tmpdir(), 'ce2e-'));
  readonly #name = path.basename(this.directory);
  readonly #children = new Set<ChildProcess>();
  kubeconfig = '';

  /** `connect` makes eth0 in the network namespace of this name; by default it leads nowhere. */
  constructor(
    address = '192.0.2.10',
    router = '192.0.2.1',
    connect: (name: string) => void = (name) => {
      mustRun('ip', '-n', name, ...'link add eth0 type veth peer name eth0-peer'.split(' '));
      mustRun('ip', '-n', name, ...'link set eth0-peer up'.split(' '));
    },
  ) {
    this.address = address;
    chmodSync(this.directory, 0o755); // for processes of other users
    mustRun('ip', 'netns', 'add', this.#name);
    // Addresses serve at once: Chromium ends its requests when one changes, as at the end of the duplicate detection.
    for (const part of ['all', 'default'])
      mustRun('ip', 'netns', 'exec', this.#name, 'sysctl', '-qw', `net.ipv6.conf.${part}.accept_dad=0`);
    connect(this.#name);
    for (const command of [
      'link set lo up',
      `addr add ${address}/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${router}`,
    ])
      mustRun('ip', '-n', this.#name, ...command.split(' '));
  }

  /** Runs to its end inside the network. */
  run(program: string, args: readonly string[], options: SpawnOptions & { input?: string } = {}): Promise<Result> {
    const child = this.spawn(program, args, options);
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (chunk) => (stdout += chunk));
    child.stderr!.on('data', (chunk) => (stderr += chunk));
    child.stdin!.on('error', () => {}); // it may end before it has read all
    child.stdin!.end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
  }

  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const env = {
      ...process.env,
      PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
      HOME: this.directory,
      KUBECONFIG: this.kubeconfig,
      NO_COLOR: '1',
      ...options.env,
    };
    const child = spawn('nsenter', [`--net=/run/netns/${this.#name}`, program, ...args], { ...options, env });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  background(program: string, args: readonly string[], options: SpawnOptions = {}): Background {
    const child = this.spawn(program, args, options);
    let text = '';
    child.stdout!.on('data', (chunk) => (text += chunk));
    child.stderr!.on('data', (chunk) => (text += chunk));
    return {
      child,
      text: () => text,
      shows: (pattern, timeoutMs = 20_000) =>
        eventually(() => {
          const match = pattern.exec(text);
          if (!match) throw new Error(`${program} ${args.join(' ')} does not show ${pattern}, but:\n${text}`);
          return match;
        }, timeoutMs),
      async end(signal = 'SIGTERM') {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        await ended;
      },
    };
  }

  coracle(...args: readonly string[]): Promise<Result> {
    return this.run(path.join(checkout, 'coracle'), args);
  }

  /** Of the machine's own cluster. */
  get dataDirectory(): string {
    return path.join(this.directory, 'data');
  }

  /** A coracle command on the machine's own cluster. */
  own(...args: readonly string[]): Promise<Result> {
    return this.coracle(...args, '--data-dir', this.dataDirectory);
  }

  /** The output of a coracle command on the machine's own cluster, which must succeed. */
  async must(...args: readonly string[]): Promise<string> {
    return outputOf(`coracle ${args.join(' ')}`, await this.own(...args));
  }

  /** The output of a kubectl that must succeed. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return outputOf(`kubectl ${args.join(' ')}`, await this.tryKubectl(args));
  }

  tryKubectl(args: readonly string[], input?: string): Promise<Result> {
    return this.run(kubectlProgram, args, { input } as SpawnOptions);
  }

  kubectlInBackground(...args: readonly string[]): Background {
    return this.background(kubectlProgram, args);
  }

  /** `script` gives kubectl a terminal. */
  kubectlInTerminal(args: string, environment: NodeJS.ProcessEnv = {}): Background {
    return this.background('script', ['-qefc', `${kubectlProgram} ${args}`, '/dev/null'], { env: environment });
  }

  async apply(...objects: readonly object[]): Promise<void> {
    const input = objects.map((object) => JSON.stringify(object)).join('\n---\n');
    outputOf('kubectl apply', await this.tryKubectl(['apply', '-f', '-'], input));
  }

  async curl(url: string, ...args: readonly string[]): Promise<Result> {
    return this.run('curl', ['-sS', '--max-time', '5', ...args, url]);
  }

  /** Ends its processes by pid, and removes network, mounts and files. */
  dispose(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const pid of this.processes()) kill(pid);
    unmountBelow(this.directory);
    spawnSync('ip', ['netns', 'del', this.#name]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Processes that have a directory on their command line, the test's by default. */
  processes(directory = this.directory): number[] {
    return allProcesses().filter((pid) => pid !== process.pid && commandOf(pid).includes(directory));
  }

  /** The first process of the container whose command line contains a text; throws without one. */
  containerProcess(text: string): number {
    const isFirst = (pid: number) => /^NSpid:\s+\d+.*\s1$/m.test(read(`/proc/${pid}/status`));
    const found = allProcesses().find((pid) => commandOf(pid).includes(text) && isFirst(pid));
    if (found === undefined) throw new Error(`no container runs ${text}`);
    return found;
  }

  /** Pods' cgroups, of every cluster on the machine and in every hierarchy. */
  cgroups(): string[] {
    return spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', 'pod*'], { encoding: 'utf8' }).stdout.split(
      '\n',
    );
  }

  mounts(): string[] {
    return mountsBelow(this.directory);
  }
}

function outputOf(command: string, { code, stdout, stderr }: Result): string {
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

const read = (file: string) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has just ended
  }
};
const commandOf = (pid: number) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
const allProcesses = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function mustRun(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it has ended
}

function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount.startsWith(`${directory}/`))
    .reverse();
}

function unmountBelow(directory: string): void {
  for (const mount of mountsBelow(directory)) spawnSync('umount', ['-l', mount]);
}

/** Retries until it does not throw; throws the last error on timeout. */
export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = 20_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const beginMs = performance.now();
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      // An attempt that starts a program leaves half of the time to the cluster.
      const pauseMs = Math.max(100, performance.now() - beginMs);
      await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, 1_000)));
    }
  }
}
