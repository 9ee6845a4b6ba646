import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { startTestDriver, type TestDriver, type TestDriverOptions } from '../csi/test-driver.ts';
import { forPlugin, onNode } from './kubelet-directory.ts';
import { PluginRegistry } from './plugin-registry.ts';
import { findSockets } from './plugin-sockets.ts';

let directory: string;
let clock: VirtualClock;
let registry: PluginRegistry;
let events: string[];
let failure: string | undefined;
const stops: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-plugins-'));
  mkdirSync(path.join(directory, 'registry'));
  clock = new VirtualClock();
  events = [];
  failure = undefined;
  const handler = {
    validate(name: string) {
      if (name === 'invalid') throw new Error('unusable');
    },
    async register(name: string, endpoint: string, versions: readonly string[]) {
      if (failure) throw new Error(failure);
      events.push(`register ${name} ${path.basename(endpoint)} ${versions}`);
    },
    async deregister(name: string) {
      events.push(`deregister ${name}`);
    },
  };
  registry = new PluginRegistry(new Map([['CSIPlugin', handler]]), { clock, logger: silentLogger });
});
afterEach(async () => {
  await registry.stop();
  for (const stop of stops.splice(0)) await stop();
  rmSync(directory, { recursive: true });
});

const registrySocket = (name: string) => path.join(directory, 'registry', `${name}.sock`);

async function driver(name: string, more: Partial<TestDriverOptions> = {}): Promise<TestDriver> {
  const started = await startTestDriver({
    ...{ name, socket: path.join(directory, `${name}.csi`), registration: registrySocket(name) },
    ...more,
  });
  stops.push(() => started.stop());
  return started;
}

/** Other tests share the machine. */
const slow = { timeout: 15_000 };

/** Time passes until the condition holds. */
const eventually = (condition: () => void) =>
  vi.waitFor(async () => {
    registry.update(await findSockets(path.join(directory, 'registry')));
    await clock.advance(100);
    condition();
  }, slow);

test('a plugin is registered, and removed with its socket', async () => {
  const { notified, stop } = await driver('a');
  await eventually(() => expect(notified).toEqual([{ pluginRegistered: true, error: '' }]));
  await stop();
  await eventually(() => expect(events).toEqual(['register a a.csi 1.0.0', 'deregister a']));
});

test('a socket that was made again is another plugin', async () => {
  const first = await driver('a');
  await eventually(() => expect(first.notified).toHaveLength(1));
  await first.stop();
  const second = await driver('a');
  await eventually(() => expect(second.notified).toHaveLength(1));
  expect(events).toEqual(['register a a.csi 1.0.0', 'deregister a', 'register a a.csi 1.0.0']);
});

test.each([
  {
    case: 'of an unsupported type',
    more: { type: 'Other' },
    error: 'no handler registered for plugin type: Other at socket',
  },
  { case: 'that is not valid', name: 'invalid', error: 'plugin validation failed with err: unusable' },
  { case: 'that does not work', fails: 'no node id', error: 'plugin registration failed with err: no node id' },
])('a plugin $case gets the reason', async ({ name = 'a', more, fails, error }) => {
  failure = fails;
  const { notified } = await driver(name, more);
  await eventually(() => expect(notified[0]).toMatchObject({ pluginRegistered: false }));
  expect(notified[0]['error']).toContain(`RegisterPlugin error -- ${error}`);
  expect(events).toEqual([]);
});

test('a plugin that fails is tried again after a growing delay', async () => {
  failure = 'not yet';
  const { notified } = await driver('a');
  await eventually(() => expect(notified.length).toBeGreaterThan(2));
  failure = undefined;
  await eventually(() => expect(events).toEqual(['register a a.csi 1.0.0']));
});

const listen = (socket: string, server: Server) =>
  new Promise<void>((resolve) => {
    stops.push(() => server.close());
    server.listen(socket, resolve);
  });

test.each<[string, Server]>([
  ['never answers', createServer()],
  ['answers nonsense', createServer((socket) => void socket.on('error', () => {}).end('nonsense'))],
])('a program that %s delays no other plugin', async (_, server) => {
  await listen(registrySocket('0'), server);
  const { notified } = await driver('a');
  await eventually(() => expect(notified).toHaveLength(1));
});

test('sockets are found below the directory, hidden ones and files are left out', async () => {
  for (const name of ['one', 'deep/er/two', '.hidden/three', '.four']) {
    const file = path.join(directory, 'registry', name);
    mkdirSync(path.dirname(file), { recursive: true });
    await listen(file, createServer());
  }
  const found = await findSockets(path.join(directory, 'registry'));
  expect([...found.keys()].map((file) => path.relative(path.join(directory, 'registry'), file)).sort()).toEqual([
    'deep/er/two',
    'one',
  ]);
});

test('a socket with a path that is too long for the kernel is reached', async () => {
  const long = path.join(directory, 'x'.repeat(60), 'y'.repeat(60));
  mkdirSync(long, { recursive: true });
  const moved = new PluginRegistry(new Map(), { clock, logger: silentLogger });
  const { notified } = await driver('a', { registration: registrySocket('a') });
  const { renameSync } = await import('node:fs');
  renameSync(registrySocket('a'), path.join(long, 'a.sock'));
  moved.update(new Map([[path.join(long, 'a.sock'), '1']]));
  await eventually(() => expect(notified).toHaveLength(1));
  await moved.stop();
});

test.each([
  ['/var/lib/kubelet/plugins/a/csi.sock', '/data/kubelet/plugins/a/csi.sock'],
  ['/var/lib/kubelet', '/data/kubelet'],
  ['/var/lib/kubelet/', '/data/kubelet'],
  ['/var/lib/kubelet2/a', '/var/lib/kubelet2/a'],
  ['/var/lib/kubelet/../other', '/var/lib/kubelet/../other'],
  ['/data/kubelet/plugins/a.sock', '/data/kubelet/plugins/a.sock'],
])('%s is %s on the node', (given, expected) => expect(onNode('/data/kubelet', given)).toBe(expected));

test.each([
  ['/var/lib/kubelet/plugins/a.sock', '/data/kubelet/pods/u', '/var/lib/kubelet/pods/u'],
  ['/data/kubelet/plugins/a.sock', '/data/kubelet/pods/u', '/data/kubelet/pods/u'],
  ['/run/a.sock', '/data/kubelet/pods/u', '/data/kubelet/pods/u'],
])('a plugin at %s gets %s as %s', (endpoint, given, expected) =>
  expect(forPlugin('/data/kubelet', endpoint, given)).toBe(expected),
);
