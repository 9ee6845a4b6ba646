// The visible environment and rights of a container: the same on every runtime with real containers. An ordinary, a
// restricted (Pod Security "restricted") and a privileged pod each run a program that inspects them.

import { readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerRuntime, ContainerSecurity } from './interface.ts';
import { containerConfig, type RuntimeUnderTest, sandboxConfig } from './runtime.contract.ts';

type Facts = Readonly<Record<string, unknown>>;

/** Facts that differ on one runtime, by profile and name, each with its reason. */
export type Differences = Readonly<
  Record<string, Readonly<Record<string, { readonly is: unknown; readonly reason: string }>>>
>;

const base = containerConfig({ image: '' }).security;

const profiles: Readonly<Record<string, ContainerSecurity>> = {
  ordinary: base,
  restricted: {
    ...base,
    runAsUser: 1000,
    runAsGroup: 1000,
    noNewPrivileges: true,
    dropCapabilities: ['ALL'],
    seccomp: { type: 'RuntimeDefault' },
  },
  privileged: { ...base, privileged: true },
};

const defaultCapabilities = '00000000a80425fb';
const machineCapabilities = /^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
/** Without the link `core`, which some runtimes make only where the machine has /proc/kcore. */
const ownDevices = 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero'.split(' ');

const unprivileged: Facts = {
  processes: ['1'],
  descriptors: ['0', '1', '2'],
  namespacesOfTheHost: ['cgroup', 'time', 'user'],
  devices: ownDevices,
  readableDevices: ['/dev/null', '/dev/urandom', '/dev/zero'],
  mounts: [],
  visible: [],
  cgroupsOfOthers: [],
  seesOwnLimits: true,
};

const expected: Readonly<Record<string, Facts>> = {
  ordinary: {
    ...unprivileged,
    user: '0:0',
    capabilities: defaultCapabilities,
    bounding: defaultCapabilities,
    seccomp: '0',
    noNewPrivileges: '0',
    writable: ['/', '/dev', '/dev/shm', '/etc', '/tmp'],
  },
  restricted: {
    ...unprivileged,
    user: '1000:1000',
    capabilities: '0000000000000000',
    bounding: '0000000000000000',
    seccomp: '2',
    noNewPrivileges: '1',
    writable: ['/dev/shm', '/tmp'],
  },
  privileged: {
    processes: ['1'],
    descriptors: ['0', '1', '2'],
    namespacesOfTheHost: ['cgroup', 'time', 'user'],
    user: '0:0',
    capabilities: machineCapabilities,
    bounding: machineCapabilities,
    seccomp: '0',
    noNewPrivileges: '0',
    visible: ['/proc/keys', '/proc/timer_list', '/sys/firmware'],
    mounts: ['bind', 'tmpfs'],
    writable: ['/', '/dev', '/dev/shm', '/etc', '/proc/sys', '/sys', '/sys/fs/cgroup', '/tmp'],
  },
};

export function isolationContract(
  name: string,
  start: () => Promise<RuntimeUnderTest>,
  differences: Differences = {},
): void {
  describe(`${name}: what a container sees and may do`, () => {
    let subject: RuntimeUnderTest;
    let runtime: ContainerRuntime;
    beforeAll(async () => {
      subject = await start();
      runtime = subject.runtime;
      await runtime.pullImage(subject.image);
    }, 60_000);
    afterAll(() => subject?.end(), 60_000);

    async function factsOf(security: ContainerSecurity): Promise<Facts> {
      const config = sandboxConfig(subject.logDirectory, { privileged: security.privileged });
      const sandbox = await runtime.runPodSandbox(config);
      const logPath = `${config.uid}/0.log`;
      const container = containerConfig({ image: subject.image, command: ['sh', '-c', probe], logPath, security });
      const id = await runtime.createContainer(sandbox, container, config);
      await runtime.startContainer(id);
      try {
        for (let tries = 0; tries < 600; tries++) {
          const status = await runtime.containerStatus(id);
          const text = status?.state === 'exited' ? readFileSync(status.logPath, 'utf8') : '';
          const json = /stdout F (\{.*\})$/m.exec(text)?.[1];
          if (json) return JSON.parse(json);
          if (status?.state === 'exited') throw new Error(`the probe failed: ${text}`);
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
        throw new Error('the probe did not end');
      } finally {
        await runtime.removePodSandbox(sandbox);
      }
    }

    test.each(Object.keys(profiles))('%s', async (profile) => {
      const facts = await factsOf(profiles[profile]);
      const wanted = { ...expected[profile] };
      for (const [fact, { is }] of Object.entries(differences[profile] ?? {}))
        wanted[fact as keyof Facts] = is as never;
      expect(facts).toMatchObject(wanted);
      if (profile !== 'privileged') return;
      // Machines have different devices; this one exists everywhere and must be accessible.
      expect(facts['devices']).toContain('kmsg');
    });

    test('an exec has no other descriptors, and the same rights', async () => {
      const config = sandboxConfig(subject.logDirectory);
      const sandbox = await runtime.runPodSandbox(config);
      const logPath = `${config.uid}/0.log`;
      const security = profiles['restricted'];
      const container = containerConfig({ image: subject.image, command: ['sleep', '1000'], logPath, security });
      const id = await runtime.createContainer(sandbox, container, config);
      await runtime.startContainer(id);
      const status = 'grep -E "^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status';
      const script = `${listed('DESCRIPTORS', '/proc/$$/fd/$i')}; echo $DESCRIPTORS; ${status}`;
      const { stdout } = await runtime.execSync(id, ['sh', '-c', script], 10_000);
      expect(stdout.toString().split(/\s+/).join(' ').trim()).toBe(
        '0 1 2 Uid: 1000 1000 1000 1000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2',
      );
      await runtime.removePodSandbox(sandbox);
    });
  });
}

/** The links show whether a namespace is the host's; the test passes their numbers. */
const hostNamespaces = Object.fromEntries(
  ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'].map((kind) => [
    kind,
    readlinkSync(`/proc/self/ns/${kind}`),
  ]),
);

const program = `
const fs = require('fs'), { spawnSync } = require('child_process');
const status = fs.readFileSync('/proc/self/status', 'utf8');
const of = (name) => new RegExp('^' + name + ':\\\\s*(\\\\S+)', 'm').exec(status)?.[1];
const can = (list, attempt) => list.filter((each) => { try { return attempt(each) !== false } catch { return false } });
const run = (...words) => spawnSync(words[0], words.slice(1)).status === 0;
const host = JSON.parse(process.env.HOST_NAMESPACES);
console.log(JSON.stringify({
  user: process.getuid() + ':' + process.getgid(),
  capabilities: of('CapEff'), bounding: of('CapBnd'), seccomp: of('Seccomp'), noNewPrivileges: of('NoNewPrivs'),
  processes: process.env.PROCESSES.split(' '),
  descriptors: process.env.DESCRIPTORS.split(' '),
  namespacesOfTheHost: Object.keys(host).filter((kind) => fs.readlinkSync('/proc/self/ns/' + kind) === host[kind]),
  devices: fs.readdirSync('/dev').filter((name) => name !== 'core').sort(),
  readableDevices: can(['/dev/null', '/dev/urandom', '/dev/zero', '/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda'],
    (path) => fs.closeSync(fs.openSync(path, 'r'))),
  writable: can(['/', '/dev', '/dev/shm', '/etc', '/proc/sys', '/sys', '/sys/fs/cgroup', '/tmp'], (directory) => {
    if (directory === '/proc/sys') return fs.writeFileSync('/proc/sys/kernel/domainname', 'x');
    if (directory === '/sys') return fs.writeFileSync('/sys/kernel/mm/ksm/sleep_millisecs', '20');
    if (directory === '/sys/fs/cgroup') {
      const group = fs.existsSync('/sys/fs/cgroup/memory') ? '/sys/fs/cgroup/memory/x' : '/sys/fs/cgroup/x';
      fs.mkdirSync(group);
      return fs.rmdirSync(group);
    }
    fs.writeFileSync(directory + '/.probe', '');
  }),
  mounts: can(['bind', 'tmpfs'], (kind) => {
    fs.mkdirSync('/tmp/target', { recursive: true });
    return kind === 'bind' ? run('mount', '--bind', '/etc', '/tmp/target') : run('mount', '-t', 'tmpfs', 'x', '/tmp/target');
  }),
  visible: can(['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'], (path) => {
    const stat = fs.statSync(path);
    return stat.isDirectory() ? fs.readdirSync(path).length > 0 : !stat.isCharacterDevice();
  }),
  seesOwnLimits: can(['memory/memory.limit_in_bytes', 'memory.stat'],
    (name) => fs.readFileSync('/sys/fs/cgroup/' + name)).length > 0,
  cgroupsOfOthers: can(['kubepods', 'system.slice'], (name) => fs.existsSync('/sys/fs/cgroup/memory/' + name)),
}));
`;

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Without a wildcard or another process, which would list themselves. */
const listed = (name: string, path: string) => `${name}=; i=0
while [ $i -lt 100 ]; do [ -e ${path} ] && ${name}="$${name} $i"; i=$((i+1)); done; export ${name}="\${${name}# }"`;

/** The shell inspects before it executes Node, which opens additional descriptors. */
const probe = `umask 0; export HOST_NAMESPACES=${quoted(JSON.stringify(hostNamespaces))}
${listed('DESCRIPTORS', '/proc/$$/fd/$i')}
${listed('PROCESSES', '/proc/$i')}
exec node -e ${quoted(program)}`;
