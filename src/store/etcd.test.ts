import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../machinery/clock.ts';
import { openEtcdStore } from './etcd.ts';
import { storeContract } from './store.contract.ts';
import { prefixRange } from './store.ts';

const isInstalled = (() => {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.skipIf(!isInstalled)('with a real etcd (skipped where the command etcd is not installed)', () => {
  let etcd: ChildProcess;
  let endpoint: string;
  const directory = mkdtempSync(join(tmpdir(), 'coracle-etcd-'));

  beforeAll(async () => {
    endpoint = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const options = {
      'data-dir': directory,
      'listen-client-urls': endpoint,
      'advertise-client-urls': endpoint,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
    };
    etcd = spawn(
      'etcd',
      Object.entries(options).map(([name, value]) => `--${name}=${value}`),
      { stdio: 'ignore' },
    );
    for (let attempt = 0; ; attempt++)
      try {
        await (await open()).close();
        break;
      } catch (error) {
        if (attempt > 20) throw error;
        await systemClock.sleep(200);
      }
  }, 30_000);
  afterAll(async () => {
    const gone = new Promise((resolve) => etcd.on('exit', resolve));
    etcd.kill('SIGKILL');
    await gone;
    rmSync(directory, { recursive: true, force: true });
  });

  const open = () => openEtcdStore({ endpoints: [endpoint], clock: systemClock });

  storeContract('etcd', {
    async open() {
      const store = await open();
      const { entries } = await store.range({ start: '', end: '\uffff' });
      if (entries.length > 0) for (const { key } of entries) await store.commit([{ key }]);
      return store;
    },
    pass: (ms) => systemClock.sleep(ms),
  });

  test('an endpoint that does not answer is passed over; none at all is unreachable', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const store = await openEtcdStore({ endpoints: [dead, endpoint], clock: systemClock });
    await store.commit([{ key: '/registry/a', value: new Uint8Array(1) }]);
    expect(await store.get('/registry/a')).toBeDefined();
    await store.close();
    await expect(openEtcdStore({ endpoints: [dead], clock: systemClock })).rejects.toMatchObject({
      reason: 'unreachable',
    });
  }, 20_000);

  test('a list far above the message limit of gRPC comes through', async () => {
    const store = await open();
    for (let i = 0; i < 10; i++) await store.commit([{ key: `/registry/big/${i}`, value: new Uint8Array(1_000_000) }]);
    expect((await store.range(prefixRange('/registry/big/'))).entries).toHaveLength(10);
    await store.close();
  }, 20_000);
});
