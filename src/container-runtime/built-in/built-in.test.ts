import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import type { ContainerConfig, RuntimeEvent, SandboxConfig } from '../interface.ts';
import { containerConfig, runtimeContract, sandboxConfig } from '../runtime.contract.ts';
import { createSimulatedRuntime } from '../simulated/simulated.ts';
import type { BuiltInProgram, BuiltInRun } from './program.ts';
import { withBuiltIn } from './with-built-in.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'coracle-built-in-'));
afterAll(() => rmSync(directory, { recursive: true }));

const image = 'coracle.local/part:built-in';
let directories = 0;

interface Started {
  run?: BuiltInRun;
  stops: number;
}

function setUp(
  start: (run: BuiltInRun) => Promise<void> = async () => {},
  stop: () => Promise<void> = async () => {},
  stateFile = path.join(directory, `${++directories}`, 'state.json'),
) {
  const started: Started = { stops: 0 };
  const program: BuiltInProgram = {
    image,
    version: '1',
    async start(run) {
      started.run = run;
      await start(run);
      return {
        stop() {
          started.stops++;
          return stop();
        },
      };
    },
  };
  const clock = systemClock;
  const usage = { cpuNanoseconds: 5, memoryBytes: 7 };
  const inner = createSimulatedRuntime({ clock, random: seededRandom(1), podCidrs: ['10.244.0.0/24'] });
  const runtime = withBuiltIn(inner, {
    ...{ programs: [program], stateFile, clock, random: seededRandom(directories), logger: silentLogger },
    ...{ usage: () => usage, closeSeconds: 1, addresses: ['127.0.0.2', '127.0.0.1'] },
  });
  const logDirectory = path.dirname(stateFile);
  const system = (change: Partial<SandboxConfig> = {}) =>
    sandboxConfig(logDirectory, { namespace: 'kube-system', hostNetwork: true, images: [image], ...change });
  const create = async (change: Partial<ContainerConfig> = {}, config = system()) => {
    const sandbox = await runtime.runPodSandbox(config);
    const { id = '' } = (await runtime.imageStatus(image)) ?? {};
    return { sandbox, id: await runtime.createContainer(sandbox, containerConfig({ image: id, ...change }), config) };
  };
  return { runtime, inner, started, system, create, stateFile, usage };
}

runtimeContract('simulated with built-in images', async () => {
  const runtime = createSimulatedRuntime({
    ...{ clock: new VirtualClock(), random: seededRandom(1), podCidrs: ['10.244.0.0/24'] },
  });
  const options = { programs: [], clock: systemClock, random: seededRandom(2), logger: silentLogger, addresses: [] };
  const stateFile = path.join(directory, 'contract', 'state.json');
  const usage = () => ({ cpuNanoseconds: 0, memoryBytes: 0 });
  const joined = withBuiltIn(runtime, { ...options, stateFile, usage, closeSeconds: 1 });
  await joined.pullImage('nginx');
  return { runtime: joined, image: 'nginx', logDirectory: '/tmp/none', end: () => joined.close() };
});

test('a container is a program of this process, with arguments and a log in CRI format', async () => {
  const { runtime, inner, started, create } = setUp(async (run) => run.log(`started\n${'x'.repeat(20_000)}`));
  const { id, sandbox } = await create({ args: ['--a=b'] });
  await runtime.startContainer(id);
  expect(started.run?.args).toEqual(['--a=b']);
  const running = await runtime.containerStatus(id);
  expect(running).toMatchObject({
    state: 'running',
    image,
    imageRef: expect.stringMatching(/^coracle.local\/part@sha256:/),
  });
  const lines = readFileSync(running!.logPath, 'utf8').split('\n');
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+000000Z stderr F started$/);
  expect(lines.map((line) => line.split(' ')[2])).toEqual(['F', 'P', 'F', undefined]);
  expect(await runtime.listPodSandboxes()).toMatchObject([{ id: sandbox, state: 'ready', ips: [] }]);
  expect(await inner.listPodSandboxes()).toEqual([]);
  await runtime.stopContainer(id, 10);
  expect(started).toMatchObject({ stops: 1, run: { signal: { aborted: true } } });
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 0, reason: 'Completed' });
});

test('a start that fails ends with exit code 1, and its log says why', async () => {
  const { runtime, create } = setUp(async () => Promise.reject(new Error('no such mode')));
  const { id } = await create();
  await runtime.startContainer(id);
  const status = await runtime.containerStatus(id);
  expect(status).toMatchObject({ state: 'exited', exitCode: 1, reason: 'Error' });
  expect(readFileSync(status!.logPath, 'utf8')).toMatch(/ stderr F no such mode\n$/);
});

test('a program that fails later ends, and is stopped', async () => {
  const { runtime, started, create } = setUp();
  const abort = new AbortController();
  const events: RuntimeEvent[] = [];
  const reading = (async () => {
    for await (const event of runtime.events(abort.signal)) if (events.push(event) === 4) abort.abort();
  })();
  const { id } = await create();
  await runtime.startContainer(id);
  started.run?.fail(new Error('broken'));
  await reading;
  expect(events.map(({ type }) => type)).toEqual(['started', 'created', 'started', 'stopped']);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 1 });
  expect(started.stops).toBe(1);
});

test('one that does not stop within its grace is reported as killed', async () => {
  const hanging = Promise.withResolvers<void>();
  const { runtime, create } = setUp(undefined, () => hanging.promise);
  const { id } = await create();
  await runtime.startContainer(id);
  await runtime.stopContainer(id, 0.01);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 137 });
  hanging.resolve();
});

test('a slow start does not block, and a stop aborts it', async () => {
  const { runtime, started, create } = setUp(
    (run) => new Promise((resolve) => run.signal.addEventListener('abort', () => resolve())),
  );
  const { id } = await create();
  await runtime.startContainer(id);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'running' });
  await runtime.stopContainer(id, 10);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 0 });
  expect(started.stops).toBe(1);
});

test('the next process finds the pod, and its container as lost', async () => {
  const first = setUp();
  const { id, sandbox } = await first.create();
  await first.runtime.startContainer(id);
  const { runtime } = setUp(undefined, undefined, first.stateFile);
  expect(await runtime.listPodSandboxes()).toMatchObject([{ id: sandbox, state: 'ready' }]);
  expect(await runtime.listContainers()).toMatchObject([{ id, state: 'exited', exitCode: 255, reason: 'Unknown' }]);
  await runtime.removePodSandbox(sandbox);
  expect(await runtime.listContainers()).toEqual([]);
  expect(await setUp(undefined, undefined, first.stateFile).runtime.listPodSandboxes()).toEqual([]);
});

test('a process that ends in order stops its programs', async () => {
  const { runtime, started, create, stateFile } = setUp();
  const { id } = await create();
  await runtime.startContainer(id);
  await runtime.close();
  expect(started.stops).toBe(1);
  const next = setUp(undefined, undefined, stateFile);
  expect(await next.runtime.listContainers()).toMatchObject([{ id, state: 'exited', exitCode: 0 }]);
});

test('a log is continued in a new file after the old one was moved away', async () => {
  const { runtime, started, create } = setUp();
  const { id } = await create();
  await runtime.startContainer(id);
  const { logPath } = (await runtime.containerStatus(id))!;
  started.run?.log('one');
  renameSync(logPath, `${logPath}.old`);
  await runtime.reopenContainerLog(id);
  started.run?.log('two');
  expect(readFileSync(logPath, 'utf8')).toMatch(/^\S+ stderr F two\n$/);
});

test('usage is that since its start', async () => {
  const { runtime, create, usage } = setUp();
  const { id, sandbox } = await create();
  await runtime.startContainer(id);
  usage.cpuNanoseconds += 10;
  const memory = { memoryWorkingSetBytes: 7, memoryRssBytes: 7 };
  expect(await runtime.containerStats()).toEqual([
    { id, name: 'main', sandboxId: sandbox, cpuNanoseconds: 10, ...memory },
  ]);
});

test('no command runs in it, and ports are forwarded to where it listens', async () => {
  const { runtime, create } = setUp();
  const { id, sandbox } = await create();
  await runtime.startContainer(id);
  const streams = { stdin: false, stdout: true, stderr: true, tty: false };
  await expect(runtime.execSync(id, ['ls'], 1000)).rejects.toThrow(/no command can run in it/);
  await expect(runtime.exec(id, ['ls'], streams)).rejects.toThrow(/no command can run in it/);
  await expect(runtime.attach(id, streams)).rejects.toThrow(/no process to attach to/);
  const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  expect(await text(await runtime.portForward(sandbox, port))).toBe('hello');
  server.close();
});

describe('a pod that may not run the image', () => {
  test.each<[string, Partial<SandboxConfig>]>([
    ['another namespace', { namespace: 'default' }],
    ['an own network', { hostNetwork: false }],
    ['another image beside it', { images: [image, 'nginx'] }],
    ['no images', { images: [] }],
    ['the id in place of the name', { images: ['sha256:0'] }],
    ['the name with a digest', { images: ['coracle.local/part@sha256:0'] }],
  ])('%s', async (_, change) => {
    const { inner, create, system, started } = setUp();
    await expect(create({}, system(change))).rejects.toThrow(/runs only in pods of kube-system with hostNetwork: true/);
    expect(await inner.listPodSandboxes()).toHaveLength(1);
    expect(started.run).toBeUndefined();
  });

  const { security } = containerConfig({ image });
  test.each<[string, Partial<ContainerConfig>]>([
    ['command', { command: ['sh'] }],
    ['workingDir', { workingDir: '/' }],
    ['env (A)', { env: [{ key: 'A', value: 'b' }] }],
    ['volumeMounts (/data)', { mounts: [{ hostPath: '/', containerPath: '/data', readOnly: true }] }],
    ...['/etc/hosts', '/dev/termination-log', '/var/run/secrets/kubernetes.io/serviceaccount'].map(
      (containerPath): [string, Partial<ContainerConfig>] => [
        `volumeMounts (${containerPath})`,
        { mounts: [{ hostPath: '/', containerPath, readOnly: true }] },
      ],
    ),
    ['stdin', { stdin: true }],
    ['tty', { tty: true }],
    ['devices', { devices: [{ hostPath: '/dev/a', containerPath: '/dev/a', permissions: 'r' }] }],
    ['resources.limits', { resources: { memoryLimitBytes: 1 } }],
    ['resources.limits', { resources: { cpuQuota: 1 } }],
    ['securityContext.runAsUser', { security: { ...security, runAsUser: 1000 } }],
    ['securityContext.readOnlyRootFilesystem', { security: { ...security, readOnlyRootFilesystem: true } }],
    ['securityContext.capabilities', { security: { ...security, dropCapabilities: ['ALL'] } }],
    ['securityContext.seccompProfile', { security: { ...security, seccomp: { type: 'RuntimeDefault' } } }],
  ])('a container with %s', async (field, change) => {
    const { create } = setUp();
    await expect(create(change)).rejects.toThrow(`it cannot have ${field}`);
  });

  test.each<[string, Partial<SandboxConfig>]>([
    ['hostPID', { hostPid: true }],
    ['shareProcessNamespace', { sharePid: true }],
    ['securityContext.sysctls', { sysctls: { 'net.a': '1' } }],
    ['dnsConfig', { dns: { servers: ['192.0.2.1'], searches: [], options: [] } }],
  ])('%s', async (field, change) => {
    const { create, system } = setUp();
    await expect(create({}, system(change))).rejects.toThrow(`it cannot have ${field}`);
  });

  test('another image in its sandbox, as of an ephemeral container', async () => {
    const { runtime, create, system } = setUp();
    const config = system();
    const { sandbox } = await create({}, config);
    await runtime.pullImage('nginx');
    const debug = runtime.createContainer(sandbox, containerConfig({ image: 'nginx' }), config);
    await expect(debug).rejects.toThrow(/other images do not run in it/);
  });
});

test('mounts and variables of the kubelet are allowed', async () => {
  const { runtime, create } = setUp();
  const env = ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT_HTTPS', 'WEB_PORT', 'WEB_PORT_80_TCP_ADDR'];
  const { id } = await create({
    mounts: [
      { hostPath: '/', containerPath: '/etc/hosts', readOnly: true, origin: 'kubelet' },
      { hostPath: '/', containerPath: '/account', readOnly: true, origin: 'service-account' },
    ],
    env: env.map((key) => ({ key, value: '' })),
    resources: { cpuShares: 102, oomScoreAdj: -997, hugepageLimits: [{ pageSize: '2MB', limitBytes: 0 }] },
  });
  await runtime.startContainer(id);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'running' });
  await runtime.updateContainerResources(id, { cpusetCpus: '0' });
  await expect(runtime.updateContainerResources(id, { cpuQuota: 1 })).rejects.toThrow(/cannot have limits/);
});

test('the image is there by its exact name alone, and takes no space', async () => {
  const { runtime } = setUp();
  expect(await runtime.pullImage(image)).toBe((await runtime.imageStatus(image))?.id);
  await expect(runtime.pullImage('coracle.local/part:v2')).rejects.toThrow(
    `coracle.local/part:v2 does not exist: the image of this node is ${image}`,
  );
  expect(await runtime.imageStatus('coracle.local/part:v2')).toBeUndefined();
  expect(await runtime.listImages()).toEqual([]);
});

test('a state file that was cut short counts as none', async () => {
  const { create, stateFile } = setUp();
  await create();
  writeFileSync(stateFile, readFileSync(stateFile, 'utf8').slice(0, 40));
  expect(await setUp(undefined, undefined, stateFile).runtime.listPodSandboxes()).toEqual([]);
});
