import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Container, Pod, Probe } from '../../api/api.ts';
import type { EventRecorder } from '../../client/client.ts';
import { type ContainerRuntime, RuntimeError } from '../../container-runtime/container-runtime.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { runProbe } from './probe-handlers.ts';
import { ProbeManager } from './probes.ts';

const target = { containerId: 'c', sandboxId: 's', podIP: '127.0.0.1', startedAt: 0 };
const container = {
  name: 'main',
  ports: [{ name: 'web', containerPort: 8080 }],
  env: [
    { name: 'FILE', value: '/ready' },
    { name: 'SECRET', valueFrom: {} },
  ],
} as unknown as Container;

type Ran = { stdout?: string; stderr?: string; exitCode?: number };
const running = (command: (words: readonly string[]) => Ran): ContainerRuntime =>
  ({
    async execSync(_id: string, words: readonly string[]) {
      const { stdout = '', stderr = '', exitCode = 0 } = command(words);
      return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), exitCode };
    },
  }) as unknown as ContainerRuntime;

const run = (runtime: ContainerRuntime, probe: object) =>
  runProbe(runtime, new VirtualClock(), probe as Probe, container, target);

describe('exec', () => {
  const command = ['cat'];
  test.each([
    ['an exit code of 0', { stdout: 'out', stderr: 'err' }, 'success', 'outerr'],
    ['another exit code', { stdout: 'out', stderr: 'err', exitCode: 1 }, 'failure', 'outerr'],
    ['a long output', { stdout: 'x'.repeat(10_239), stderr: 'err' }, 'success', `${'x'.repeat(10_239)}e`],
  ])('%s', async (_, ran, result, message) =>
    expect(
      await run(
        running(() => ran),
        { exec: { command } },
      ),
    ).toEqual({ result, message }),
  );

  test('a timeout is a failure', async () => {
    const slow = running(() => {
      throw new RuntimeError('timeout', 'too slow');
    });
    expect(await run(slow, { exec: { command: ['sleep', '9'] }, timeoutSeconds: 2 })).toEqual({
      result: 'failure',
      message: 'command timed out: "sleep 9" timed out after 2s',
    });
  });

  test('a fault of the runtime is no result', async () => {
    const broken = running(() => {
      throw new Error('container is not running');
    });
    expect(await run(broken, { exec: { command } })).toEqual({
      result: 'error',
      state: 'unknown',
      message: 'container is not running',
    });
  });

  test('literal variables of the container are expanded, no others', async () => {
    let ran: readonly string[] = [];
    const runtime = running((words) => {
      ran = words;
      return {};
    });
    await run(runtime, { exec: { command: ['cat', '$(FILE)', '$$(FILE)', '$(SECRET)', '$(HOME)'] } });
    expect(ran).toEqual(['cat', '/ready', '$(FILE)', '', '$(HOME)']);
  });
});

describe('ports', () => {
  const probed = async (port: number | string, more: object = {}) => {
    let asked: unknown;
    const runtime = {
      async probe(_sandbox: string, network: unknown) {
        asked = network;
        return { success: true, message: '' };
      },
    } as unknown as ContainerRuntime;
    const outcome = await run(runtime, { tcpSocket: { port, ...more } });
    return asked ?? outcome;
  };
  const kind = 'tcpSocket';
  const error = (message: string) => ({ result: 'error', state: 'unknown', message });

  test.each<[number | string, object, object]>([
    [80, {}, { kind, host: '127.0.0.1', port: 80 }],
    [80, { host: 'there' }, { kind, host: 'there', port: 80 }],
    ['web', {}, { kind, host: '127.0.0.1', port: 8080 }],
    ['93', {}, { kind, host: '127.0.0.1', port: 93 }],
    ['wbe', {}, error('strconv.Atoi: parsing "wbe": invalid syntax')],
    ['', {}, error('strconv.Atoi: parsing "": invalid syntax')],
    ['1e3', {}, error('strconv.Atoi: parsing "1e3": invalid syntax')],
    [0, {}, error('invalid port number: 0')],
    ['-1', {}, error('invalid port number: -1')],
    [65_536, {}, error('invalid port number: 65536')],
  ])('%j %j', async (port, more, wanted) => expect(await probed(port, more)).toEqual(wanted));
});

describe('tcpSocket', () => {
  test('an open port is a success, a closed one a failure', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const probe = { tcpSocket: { port } };
    expect(await run({} as ContainerRuntime, probe)).toEqual({ result: 'success', message: '' });
    await new Promise((resolve) => server.close(resolve));
    expect(await run({} as ContainerRuntime, probe)).toEqual({
      result: 'failure',
      message: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });
});

test('a probe without a handler is no result', async () =>
  expect(await run({} as ContainerRuntime, {})).toEqual({
    result: 'error',
    state: 'unknown',
    message: 'missing probe handler for main',
  }));

describe('a container with probes', () => {
  async function probedFor(ms: number, runtime: ContainerRuntime, probe: object) {
    const clock = new VirtualClock();
    const events: string[] = [];
    const recorder = {
      event: (_pod: Pod, type: string, reason: string, message: string) =>
        void events.push(`${type} ${reason} ${message}`),
    } as unknown as EventRecorder;
    const probes = new ProbeManager(runtime, clock, recorder, () => {});
    const probed = { ...container, livenessProbe: { failureThreshold: 1, ...probe } } as Container;
    probes.add({ metadata: { uid: 'u' } } as Pod, probed, { ...target, startedAt: clock.now() });
    await clock.advance(ms);
    const liveness = probes.liveness('c');
    probes.stop();
    return { liveness, events };
  }

  test('stays alive when its probe cannot be made, which is tried three times', async () => {
    let tries = 0;
    const broken = running(() => {
      tries++;
      throw new Error('no such container');
    });
    const { liveness, events } = await probedFor(10_000, broken, { exec: { command: ['true'] } });
    const unhealthy = 'Warning Unhealthy Liveness probe errored and resulted in unknown state: no such container';
    expect({ liveness, tries, events }).toEqual({ liveness: undefined, tries: 3, events: [unhealthy] });
  });

  test('is probed no more often when the second try succeeds', async () => {
    let tries = 0;
    const shaky = running(() => {
      if (++tries === 1) throw new Error('busy');
      return {};
    });
    expect([await probedFor(10_000, shaky, { exec: { command: ['true'] } }), tries]).toEqual([
      { liveness: true, events: [] },
      2,
    ]);
  });

  test('reports a failure', async () => {
    const failing = running(() => ({ stdout: 'down', exitCode: 1 }));
    expect(await probedFor(10_000, failing, { exec: { command: ['true'] } })).toEqual({
      liveness: false,
      events: ['Warning Unhealthy Liveness probe failed: down'],
    });
  });
});
