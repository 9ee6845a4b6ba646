import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { meantToEndAnnotation } from '../labels.ts';
import { containerConfig, runtimeContract, sandboxConfig } from '../runtime.contract.ts';
import type { SimulatedBehaviour } from './behaviour.ts';
import { play } from './commands.ts';
import { createSimulatedRuntime } from './simulated.ts';

async function start(behaviour?: SimulatedBehaviour, options: { startMs?: number; pullMs?: number } = {}) {
  const clock = new VirtualClock();
  const runtime = createSimulatedRuntime({
    clock,
    random: seededRandom(1),
    behaviour,
    podCidrs: ['10.244.0.0/24'],
    ...options,
  });
  const pulled = runtime.pullImage('nginx');
  await clock.advance(options.pullMs ?? 0);
  await pulled;
  const config = sandboxConfig('/tmp/none');
  const sandbox = await runtime.runPodSandbox(config);
  const id = await runtime.createContainer(sandbox, containerConfig({ image: 'nginx' }), config);
  return { clock, runtime, sandbox, id };
}

runtimeContract('simulated', async () => {
  const runtime = createSimulatedRuntime({
    clock: new VirtualClock(),
    random: seededRandom(1),
    podCidrs: ['10.244.0.0/24'],
  });
  await runtime.pullImage('nginx');
  return { runtime, image: 'nginx', logDirectory: '/tmp/none', end: () => runtime.close() };
});

test('a container without a script runs until it is stopped, and ends with 0', async () => {
  const { runtime, id } = await start();
  await runtime.startContainer(id);
  expect((await runtime.containerStatus(id))?.state).toBe('running');
  await runtime.stopContainer(id, 30);
  expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: 0, reason: 'Completed' });
});

test('programmed times are kept to the millisecond', async () => {
  const { runtime, clock, id } = await start({ container: () => ({ startMs: 500, runMs: 2000, exitCode: 3 }) });
  const created = clock.now();
  const started = runtime.startContainer(id);
  await clock.advance(5000);
  await started;
  expect(await runtime.containerStatus(id)).toMatchObject({
    startedAt: created + 500,
    finishedAt: created + 2500,
    exitCode: 3,
    reason: 'Error',
  });
});

test('SIGTERM that is not obeyed becomes SIGKILL after the grace period', async () => {
  const { runtime, clock, id } = await start({ container: () => ({ terminationMs: Infinity }) });
  await runtime.startContainer(id);
  const stopped = runtime.stopContainer(id, 2);
  await clock.advance(1999);
  expect((await runtime.containerStatus(id))?.state).toBe('running');
  await clock.advance(1);
  await stopped;
  expect((await runtime.containerStatus(id))?.exitCode).toBe(137);
});

test('a failed start has a reason', async () => {
  const { runtime, id } = await start({ container: () => ({ startError: 'no such file' }) });
  await expect(runtime.startContainer(id)).rejects.toThrow('no such file');
  expect(await runtime.containerStatus(id)).toMatchObject({ reason: 'StartError', exitCode: 128 });
});

test('annotations script a container', async () => {
  const { runtime, clock, sandbox } = await start();
  const config = {
    ...sandboxConfig('/tmp/none'),
    annotations: { 'simulated.coracle.local/run-ms': '100', 'simulated.coracle.local/exit-code': '7' },
  };
  const id = await runtime.createContainer(sandbox, containerConfig({ image: 'nginx' }), config);
  await runtime.startContainer(id);
  await clock.advance(100);
  expect((await runtime.containerStatus(id))?.exitCode).toBe(7);
});

test('lists are the same array until a change', async () => {
  const { runtime, id } = await start();
  const before = await runtime.listContainers();
  expect(await runtime.listContainers()).toBe(before);
  await runtime.startContainer(id);
  expect(await runtime.listContainers()).not.toBe(before);
});

test('exec and probes answer as programmed', async () => {
  const { runtime, id, sandbox } = await start({
    exec: (_, command) => ({ exitCode: command.length, stdout: 'hi' }),
    probe: (_, probe) => ({ success: probe.port === 80, message: 'programmed' }),
  });
  await runtime.startContainer(id);
  expect(await runtime.execSync(id, ['a', 'b'], 1000)).toMatchObject({ exitCode: 2, stdout: Buffer.from('hi') });
  const probe = { kind: 'httpGet', host: '', port: 81 } as const;
  expect(await runtime.probe?.(sandbox, probe)).toEqual({ success: false, message: 'programmed' });
});

test('addresses run out with a clear error', async () => {
  const runtime = createSimulatedRuntime({
    clock: new VirtualClock(),
    random: seededRandom(1),
    podCidrs: ['10.0.0.0/30'],
  });
  const id = await runtime.runPodSandbox(sandboxConfig('/tmp/none'));
  expect((await runtime.listPodSandboxes())[0].ips).toEqual(['10.0.0.2']);
  await expect(runtime.runPodSandbox(sandboxConfig('/tmp/none'))).rejects.toThrow('no IP addresses available');
  await runtime.removePodSandbox(id);
  await runtime.runPodSandbox(sandboxConfig('/tmp/none'));
});

test('a container without a program interprets its command, and ends after a moment if it should end', async () => {
  const around = { hostname: 'web-0', env: [{ key: 'NAME', value: 'Ann' }] };
  const forever = Number.POSITIVE_INFINITY;
  const cases: [string[], { output?: string; runMs?: number; exitCode?: number } | undefined][] = [
    [['sleep', '5'], { runMs: 5000 }],
    [['/bin/sleep', '1m'], { runMs: 60_000 }],
    [['sleep', 'infinity'], { runMs: forever }],
    [['/bin/false'], { exitCode: 1 }],
    [['sh', '-c', 'echo "hello $NAME"; exit 7; echo never'], { output: 'hello Ann\n', exitCode: 7 }],
    [['bash', '-ec', 'echo a && sleep 2 && false || echo b'], { output: 'a\nb\n', runMs: 2000 }],
    [['hostname'], { output: 'web-0\n' }],
    [['sh', '-c', 'tail -f /dev/null'], { runMs: forever }],
    [['sh', '-c', 'cat x | sort > y'], undefined],
    [['nginx', '-g', 'daemon off;'], undefined],
  ];
  for (const [words, expected] of cases)
    expect(play(words, around), words.join(' ')).toEqual(
      expected && { output: '', runMs: 0, exitCode: 0, ...expected },
    );
});

test.each([
  ['is meant to end', { [meantToEndAnnotation]: 'true' }, [], 'exited'],
  ['is meant to stay', {}, [], 'running'],
  ['has a command that ends', {}, ['sh', '-c', 'echo hi; sleep 1'], 'exited'],
])('a container that %s', async (_, annotations, command, state) => {
  const { runtime, clock, sandbox } = await start();
  const config = containerConfig({ image: 'nginx', command, annotations });
  const id = await runtime.createContainer(sandbox, config, sandboxConfig('/tmp/none'));
  await runtime.startContainer(id);
  await clock.advance(1500);
  expect((await runtime.containerStatus(id))?.state).toBe(state);
});

test('exec runs simple commands, and a forwarded port serves HTTP', async () => {
  const { runtime, sandbox, id } = await start();
  await runtime.startContainer(id);
  const { stdout, exitCode } = await runtime.execSync(id, ['echo', 'hi'], 1000);
  expect([stdout.toString(), exitCode]).toEqual(['hi\n', 0]);
  const stream = await runtime.portForward(sandbox, 80);
  stream.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await text(stream)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*simulated pod .*, port 80\n$/);
});

test('reading each of 20,000 pods of a node does not read all of them each time', async () => {
  const runtime = createSimulatedRuntime({
    clock: new VirtualClock(),
    random: seededRandom(1),
    podCidrs: ['10.0.0.0/8'],
  });
  await runtime.pullImage('nginx');
  const config = sandboxConfig('/tmp/none');
  const uids = Array.from({ length: 20_000 }, (_, i) => `pod-${i}`);
  for (const uid of uids) {
    const sandbox = await runtime.runPodSandbox({ ...config, uid });
    const labels = { 'io.kubernetes.pod.uid': uid };
    await runtime.createContainer(sandbox, { ...containerConfig({ image: 'nginx' }), labels }, config);
  }
  const started = process.threadCpuUsage();
  for (const uid of uids) {
    const [sandboxes, containers] = [await runtime.listPodSandboxes(uid), await runtime.listContainers(uid)];
    expect([sandboxes.length, containers.length, containers[0].sandboxId]).toEqual([1, 1, sandboxes[0].id]);
  }
  // All pods for each pod take 10 s and more.
  expect(process.threadCpuUsage(started).user).toBeLessThan(3_000_000);
  for (const { id } of await runtime.listPodSandboxes(uids[0])) await runtime.removePodSandbox(id);
  expect(await runtime.listContainers(uids[0])).toEqual([]);
  expect(await runtime.listContainers(uids[1])).toHaveLength(1);
}, 20_000);
