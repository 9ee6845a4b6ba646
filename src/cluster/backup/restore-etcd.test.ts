import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compacted, openStore, pack } from '../../store/store.ts';
import { backupBytes } from './content.ts';
import { clock, collected, openIn, podsIn, system, TestBackups, write } from './test-backups.ts';

const backups = new TestBackups();

const hasEtcd = (() => {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasEtcd)('with a real etcd (skipped where the command etcd is not installed)', () => {
  let etcd: ChildProcess;
  let endpoints: string[];
  beforeAll(async () => {
    endpoints = [`http://127.0.0.1:${await freePort()}`];
    const peer = `http://127.0.0.1:${await freePort()}`;
    const options = {
      'data-dir': path.join(backups.home, 'etcd'),
      ...{ 'listen-client-urls': endpoints[0], 'advertise-client-urls': endpoints[0] },
      ...{ 'listen-peer-urls': peer, 'initial-advertise-peer-urls': peer, 'initial-cluster': `default=${peer}` },
    };
    etcd = spawn(
      'etcd',
      Object.entries(options).map(([name, value]) => `--${name}=${value}`),
      { stdio: 'ignore' },
    );
    for (let tries = 0; ; tries++)
      try {
        return await (await openEtcd()).close();
      } catch (error) {
        if (tries > 50) throw error;
        await clock.sleep(100);
      }
  }, 30_000);
  afterAll(async () => {
    const gone = new Promise((resolve) => etcd.on('exit', resolve));
    etcd.kill('SIGKILL');
    await gone;
  });

  const openEtcd = () => openStore({ kind: 'etcd', clock, endpoints });
  const target = () => ({ store: 'etcd', endpoints }) as const;
  async function backUpEtcd() {
    const store = await openEtcd();
    const saved = { name: 'e', store: 'etcd', flags: { 'etcd-endpoints': endpoints[0] } } as const;
    const bytes = await collected(pack(backupBytes({ directory: backups.newPlace(), store, clock, saved }), {}));
    const revision = await store.revision();
    await store.close();
    return { bytes, revision };
  }

  test('embedded to etcd, etcd to etcd, etcd to embedded: nothing is lost, and revisions only rise', async () => {
    const { bytes, revision } = await backups.made(Array.from({ length: 300 }, (_, i) => `pod-${i}`));
    const first = await backups.restored(bytes, backups.newPlace(), target());
    expect(first.restore.losses).toEqual([]);
    expect(first.restore.startCommand).toContain(`--store etcd --etcd-endpoints ${endpoints[0]}`);
    const store = await openEtcd();
    expect(await podsIn(store)).toHaveLength(300);
    const now = await store.revision();
    expect(now).toBeGreaterThan(revision + 1_000_000_000);
    for (const at of [revision, revision + 1_000_000_000])
      await expect(store.get('/registry/pods/default/pod-1', at)).rejects.toThrow(Compacted);
    const event = await store.get('/registry/events/default/e');
    expect(await store.leaseSeconds(event!.lease)).toBe(3600);
    await store.close();

    const second = await backUpEtcd();
    const changed = await openEtcd();
    await changed.commit([{ key: '/registry/pods/default/pod-1' }]);
    await write(changed, 'later');
    const last = await changed.revision();
    await changed.close();
    const again = await backups.restored(second.bytes, backups.newPlace());
    expect(again.restore.losses).toMatchObject([
      { isSameCluster: true, resources: [{ resource: 'pods', lost: 1, changed: 0, returned: 1 }] },
    ]);
    const restoredStore = await openEtcd();
    expect(await podsIn(restoredStore)).toHaveLength(300);
    const newest = await restoredStore.revision();
    // etcd knows all revisions of its own cluster: no larger step is needed.
    expect(newest).toBeGreaterThan(last);
    expect(newest).toBeLessThan(last + 1000);
    const entry = await restoredStore.get('/registry/pods/default/pod-2');
    expect(entry?.modRevision).toBeGreaterThan(last);
    await expect(restoredStore.get('/registry/pods/default/pod-2', last)).rejects.toThrow(Compacted);
    await restoredStore.close();

    const third = await backUpEtcd();
    const { directory } = await backups.restored(third.bytes, backups.newPlace(), { store: 'embedded' });
    const embedded = await openIn(directory);
    expect(await podsIn(embedded)).toHaveLength(300);
    expect(await embedded.revision()).toBe(third.revision + 1_000_000_000);
    await embedded.close();
  }, 60_000);

  test('a cluster that runs on etcd is seen by its writes', async () => {
    const { bytes } = await backups.made();
    const store = await openEtcd();
    await store.commit([system]);
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) {
        await store.commit([{ key: '/registry/leases/x', value: String(clock.now()) }]);
        await clock.sleep(50);
      }
    })();
    await expect(backups.prepared(bytes, backups.newPlace(), target())).rejects.toThrow(/a cluster runs on the etcd/);
    stop.abort();
    await writing;
    await store.close();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
