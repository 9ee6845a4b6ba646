// kill -9 of the whole server at random moments, on the embedded store and on etcd: the next start has every
// acknowledged write and no rejected one, and every watch contained the writes acknowledged during it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { checkout } from '../e2e/machine.ts';
import { ApiWriters } from './api-writers.ts';
import { rounds, seed, seeded } from './long.ts';

const home = mkdtempSync(join(tmpdir(), 'coracle-kills-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs `up --foreground` and resolves when it listens; rejects with its output when it ends first. */
async function up(data: string, port: number, ...more: string[]): Promise<ChildProcess> {
  const options = ['--data-dir', data, '--port', String(port), '--runtime', 'simulated'];
  const args = ['up', '--foreground', ...options, '--components', 'kube-apiserver', ...more];
  const child = spawn(join(checkout, 'coracle'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  await new Promise<void>((resolve, reject) => {
    let text = '';
    const read = (piece: Buffer) => {
      text += piece;
      if (text.includes('cluster ready')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => {
      children.delete(child);
      reject(new Error(`the server ended: ${text.slice(-2_000)}`));
    });
  });
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

const etcdInstalled = (() => {
  try {
    return execFileSync('etcd', ['--version']).length > 0;
  } catch {
    return false;
  }
})();

async function startEtcd(): Promise<string[]> {
  const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const urls = { 'listen-client-urls': client, 'advertise-client-urls': client, 'listen-peer-urls': peer };
  const peers = { 'initial-advertise-peer-urls': peer, 'initial-cluster': `default=${peer}` };
  const options = Object.entries({ 'data-dir': join(home, 'etcd'), ...urls, ...peers });
  const child = spawn(
    'etcd',
    options.map(([name, value]) => `--${name}=${value}`),
    { stdio: 'ignore' },
  );
  children.add(child);
  return ['--store', 'etcd', '--etcd-endpoints', client];
}

describe.each([
  { store: 'embedded', isPresent: true },
  { store: 'etcd', isPresent: etcdInstalled },
])('kill -9 on $store', ({ store, isPresent }) => {
  test.skipIf(!isPresent)(
    'loses no acknowledged write and no watch event',
    async () => {
      const random = seeded(`kills on ${store}`);
      const data = join(home, `cluster-${store}`);
      const more = store === 'etcd' ? await startEtcd() : [];
      const port = await freePort();
      let server = await up(data, port, ...more);
      const writers = new ApiWriters(join(data, 'kubeconfig'), random);
      writers.start(8);
      const kills = rounds(3, 40);
      for (let round = 0; round < kills; round++) {
        await systemClock.sleep(300 + random.int(1_200));
        await kill(server);
        server = await up(data, port, ...more);
      }
      await systemClock.sleep(500);
      await writers.stop();
      expect(await writers.faults(), `seed ${seed}`).toEqual([]);
      console.log(`${kills} kills, ${writers.ledger.count} writes acknowledged, ${writers.watched} events seen`);
      expect(writers.ledger.count).toBeGreaterThan(kills * 20);
      expect(writers.watched).toBeGreaterThan(kills * 20);
      await kill(server);
    },
    1_200_000,
  );
});
