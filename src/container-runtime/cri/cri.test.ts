// Real containerd, with a separate root and socket, in a network namespace: the outer run makes the namespace and runs
// this file again inside it, because containerd's streaming server listens on that namespace's loopback.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import type { ContainerRuntime, ExecSession } from '../interface.ts';
import { isolationContract } from '../isolation.contract.ts';
import { containerConfig, runtimeContract, sandboxConfig } from '../runtime.contract.ts';
import { createCriRuntime } from './cri.ts';
import { pauseImage } from './hello-import.ts';

const inside = process.env['CORACLE_CRI_TEST'] === 'inside';
const installed = existsSync('/usr/bin/containerd') && existsSync('/usr/lib/cni/bridge') && process.getuid?.() === 0;

const config = (directory: string) => `version = 2
root = "${directory}/root"
state = "${directory}/state"
[grpc]
  address = "${directory}/c.sock"
[ttrpc]
  address = "${directory}/c.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${directory}/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;

const network = (directory: string) => ({
  cniVersion: '0.4.0',
  name: 'test',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir: `${directory}/ipam`, ranges: [[{ subnet: '10.87.0.0/24' }]] },
    },
  ],
});

async function startContainerd() {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-cri-'));
  mkdirSync(join(directory, 'net.d'));
  writeFileSync(join(directory, 'config.toml'), config(directory));
  writeFileSync(join(directory, 'net.d/test.conflist'), JSON.stringify(network(directory)));
  const containerd: ChildProcess = spawn('containerd', ['-c', join(directory, 'config.toml'), '-l', 'warn'], {
    stdio: ['ignore', 'ignore', openSync(join(directory, 'containerd.log'), 'a')],
  });
  const options = {
    endpoint: `unix://${directory}/c.sock`,
    owner: 'test',
    imageDirectory: join(directory, 'images'),
    clock: systemClock,
    random: systemRandom,
  };
  let runtime: ContainerRuntime | undefined;
  for (let tries = 0; !runtime && tries < 100; tries++) {
    await systemClock.sleep(100);
    if (existsSync(join(directory, 'c.sock'))) runtime = await createCriRuntime(options).catch(() => undefined);
  }
  if (!runtime) throw new Error('containerd did not start');
  const started = runtime;
  return {
    runtime,
    options,
    image: 'coracle.local/hello',
    startLine: 'listens on port',
    logDirectory: join(directory, 'logs'),
    async end() {
      await started.destroyAll?.();
      await started.close();
      const gone = new Promise((resolve) => containerd.once('close', resolve));
      containerd.kill('SIGTERM');
      await gone;
      for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n').reverse()) {
        const path = line.split(' ')[4] ?? '';
        if (path.startsWith(`${directory}/`)) spawnSync('umount', ['-l', path]);
      }
      rmSync(directory, { recursive: true, force: true });
      removeCgroups();
    },
  };
}

/** runc leaves the parents. */
function removeCgroups() {
  spawnSync('sh', ['-c', `find /sys/fs/cgroup -depth -type d -path '*coracle-test-${process.pid}*' -exec rmdir {} +`]);
}

describe.skipIf(!installed || inside)('cri (needs root, containerd, runc and the CNI plugins)', () => {
  test('real containerd, in a separate network', () => {
    const run = 'ip link set lo up && exec vitest run --reporter=verbose src/container-runtime/cri/cri.test.ts';
    const env = { ...process.env, CORACLE_CRI_TEST: 'inside', VITEST: undefined };
    const { status, stdout, stderr } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', run], {
      env,
      encoding: 'utf8',
      timeout: 180_000,
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  }, 200_000);
});

describe.runIf(inside)('cri, inside', () => {
  runtimeContract('containerd', startContainerd);
  isolationContract('containerd', startContainerd, {
    privileged: {
      writable: {
        is: ['/', '/dev', '/dev/shm', '/etc', '/proc/sys', '/sys/fs/cgroup', '/tmp'],
        reason: "its pause container mounts the sysfs of the pod's network first, and read-only",
      },
    },
  });

  let subject: Awaited<ReturnType<typeof startContainerd>>;
  let sandbox: string;
  let id: string;
  beforeAll(async () => {
    subject = await startContainerd();
    const pod = sandboxConfig(subject.logDirectory);
    sandbox = await subject.runtime.runPodSandbox(pod);
    await subject.runtime.pullImage(subject.image);
    id = await subject.runtime.createContainer(sandbox, containerConfig({ image: subject.image }), pod);
    await subject.runtime.startContainer(id);
  }, 60_000);
  afterAll(() => subject?.end(), 60_000);

  test('exec: input to its end, both outputs, exit code', async () => {
    const all = { stdin: true, tty: false, stdout: true, stderr: true };
    const session = await subject.runtime.exec(id, ['sh', '-c', 'cat; echo err >&2; exit 3'], all);
    session.stdin!.end('through');
    expect(await text(session)).toEqual({ stdout: 'through', stderr: 'err\n', exitCode: 3 });
  });

  test('exec with a terminal of the requested size', async () => {
    const session = await subject.runtime.exec(id, ['sh'], { stdin: true, tty: true, stdout: true, stderr: false });
    session.resize(100, 30);
    session.stdin!.write('while test "$(stty size)" = "0 0"; do sleep 0.1; done; stty size; exit 5\r');
    const { stdout, exitCode } = await text(session);
    expect(stdout).toContain('30 100');
    expect(exitCode).toBe(5);
  });

  test('execSync ends at its time-out', async () => {
    await expect(subject.runtime.execSync(id, ['sleep', '30'], 1000)).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('port-forward reaches the pod', async () => {
    const stream = await subject.runtime.portForward(sandbox, 8080);
    stream.end('GET /healthz HTTP/1.0\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toContain('200 OK');
  });

  test('a log in the CRI format, and usage', async () => {
    const status = await subject.runtime.containerStatus(id);
    expect(readFileSync(status!.logPath, 'utf8')).toMatch(/^\S+Z stdout F hello: \S+ listens on port 8080/);
    await subject.runtime.listContainers();
    const stats = (await subject.runtime.containerStats()).find((entry) => entry.id === id);
    expect(stats).toMatchObject({ sandboxId: sandbox, name: 'main' });
    expect(stats!.memoryWorkingSetBytes).toBeGreaterThan(1e6);
  });

  test('another node at the same runtime does not see this one', async () => {
    const other = await createCriRuntime({ ...subject.options, owner: 'other' });
    expect(await other.listPodSandboxes()).toEqual([]);
    expect(await other.listContainers()).toEqual([]);
    expect(await other.containerStats()).toEqual([]);
    await other.destroyAll?.();
    expect((await subject.runtime.containerStatus(id))?.state).toBe('running');
    await other.close();
  });

  test('an endpoint without a server', async () => {
    const options = { owner: 'test', imageDirectory: '/nosuch', clock: systemClock, random: systemRandom };
    const reaching = createCriRuntime({ endpoint: 'unix:///nosuch.sock', ...options });
    await expect(reaching).rejects.toMatchObject({ kind: 'unavailable' });
  }, 20_000);
});

async function text(session: ExecSession) {
  const read = async (stream?: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const [stdout, stderr, exitCode] = await Promise.all([read(session.stdout), read(session.stderr), session.exitCode]);
  return { stdout, stderr, exitCode };
}
