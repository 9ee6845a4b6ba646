import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import {
  type BackupHeader,
  type BackupPart,
  Compacted,
  createMemoryStore,
  encodeBackup,
  openStore,
  pack,
  type Store,
  textOf,
} from '../../store/store.ts';
import { dataDirectory } from '../data-directory.ts';
import { backupBytes, everything } from './content.ts';
import { inspectBackup } from './inspect.ts';
import { prepareRestore } from './restore.ts';
import type { SavedSettings } from './saved-settings.ts';
import { settleRestore } from './settle.ts';
import { withStoppedStore } from './stopped.ts';
import type { RestoreTarget } from './target.ts';

const clock = systemClock;
const home = mkdtempSync(path.join(tmpdir(), 'coracle-restore-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

let places = 0;
const newPlace = () => dataDirectory(path.join(home, `cluster-${++places}`));
const object = (name: string, uid = name) => JSON.stringify({ metadata: { name, uid } });
const system = { key: '/registry/namespaces/kube-system', value: object('kube-system', 'uid-1') };

async function write(store: Store, ...names: string[]): Promise<void> {
  for (const name of names) await store.commit([{ key: `/registry/pods/default/${name}`, value: object(name) }]);
}

/** A cluster with a store in memory and files, and its backup. */
async function madeBackup(names = ['a', 'b'], flags: Record<string, string> = {}, isServer = false) {
  const directory = newPlace();
  mkdirSync(directory.pki, { recursive: true });
  writeFileSync(path.join(directory.pki, 'ca.key'), 'the key of the CA');
  const store = createMemoryStore({ clock });
  await store.commit([system]);
  const lease = await store.grantLease(3600);
  await store.commit([{ key: '/registry/events/default/e', value: object('e'), lease }]);
  await write(store, ...names);
  const saved: SavedSettings = {
    ...{ name: 'original', store: isServer ? 'etcd' : 'memory', flags },
    ...(isServer && { isServer }),
  };
  const bytes = await collected(pack(backupBytes({ directory, store, clock, saved }), {}));
  return { bytes, revision: await store.revision() };
}

async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* streamed<T>(...items: T[]): AsyncIterable<T> {
  yield* items;
}

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[changed.length >> 1] ^= 1;
  return changed;
}

const prepared = (bytes: Uint8Array, directory = newPlace(), target?: RestoreTarget) =>
  prepareRestore({
    ...{ directory, name: 'restored', bytes: streamed(bytes), decryption: {}, clock, quietMs: 300 },
    ...(target && { target }),
  });

const openIn = (directory: { store: string }) =>
  openStore({ kind: 'embedded', clock, directory: directory.store, mustExist: true });

async function podsIn(store: Store): Promise<string[]> {
  const { entries } = await store.range(everything);
  return entries.map(({ key }) => key).filter((key) => key.includes('/pods/'));
}

async function restored(bytes: Uint8Array, directory = newPlace(), target?: RestoreTarget) {
  const restore = await prepared(bytes, directory, target);
  await restore.commit();
  return { directory, restore };
}

describe('a backup in an empty directory', () => {
  test('becomes the cluster, with its files, and revisions far above those of before', async () => {
    const { bytes, revision } = await madeBackup();
    const { directory, restore } = await restored(bytes);
    expect(restore.losses).toEqual([]);
    expect(readFileSync(path.join(directory.pki, 'ca.key'), 'utf8')).toBe('the key of the CA');
    expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
    const store = await openIn(directory);
    expect(await podsIn(store)).toEqual(['/registry/pods/default/a', '/registry/pods/default/b']);
    expect(await store.revision()).toBe(revision + 1_000_000_000);
    await expect(store.get('/registry/pods/default/a', revision)).rejects.toThrow(Compacted);
    const event = await store.get('/registry/events/default/e');
    expect(await store.leaseSeconds(event!.lease)).toBe(3600);
    await store.close();
  });

  test('has the encryption configuration of the user as its own', async () => {
    const configuration = path.join(home, 'encryption.yaml');
    writeFileSync(configuration, 'kind: EncryptionConfiguration');
    const { bytes } = await madeBackup(['a'], { 'encryption-config': configuration });
    const { directory, restore } = await restored(bytes);
    expect(readFileSync(path.join(directory.pki, 'encryption.yaml'), 'utf8')).toBe('kind: EncryptionConfiguration');
    expect(restore.startCommand).not.toContain('encryption');
  });

  test('takes along files that settings name', async () => {
    const policy = path.join(home, 'policy.yaml');
    writeFileSync(policy, 'kind: Policy');
    const { bytes } = await madeBackup(['a'], { 'audit-policy': policy, port: '7000' });
    const { directory, restore } = await restored(bytes);
    const kept = path.join(directory.root, 'files/audit-policy/policy.yaml');
    expect(readFileSync(kept, 'utf8')).toBe('kind: Policy');
    expect(restore.startCommand).toBe(
      `./coracle up --name restored --data-dir ${directory.root} --audit-policy ${kept} --port 7000`,
    );
  });
});

test('a backup of a server names the shared etcd, and is restored for the first of new servers', async () => {
  const { bytes } = await madeBackup(['a'], { port: '7000' }, true);
  expect(await inspectBackup(streamed(bytes), {})).toMatchObject({ store: 'etcd', isServer: true });
  const { directory, restore } = await restored(bytes);
  expect(restore.target).toEqual({ store: 'embedded', isServer: true });
  expect(restore.startCommand).toBe(
    `./coracle server --cluster-init --name restored --data-dir ${directory.root} --port 7000`,
  );
});

test('a stopped server is not backed up from an empty store', async () => {
  const saved: SavedSettings = { name: 'a', store: 'etcd', isServer: true, flags: {} };
  await expect(withStoppedStore(newPlace(), saved, clock, async () => {})).rejects.toThrow(
    /is the etcd of all servers, which a stopped server cannot read: start it/,
  );
});

describe('a present cluster', () => {
  test('is compared, and replaced on commit only', async () => {
    const { bytes } = await madeBackup(['a', 'b', 'c']);
    const { directory } = await restored(bytes);
    const before = await openIn(directory);
    await before.commit([{ key: '/registry/pods/default/b' }]);
    await before.commit([{ key: '/registry/pods/default/c', value: 'changed' }]);
    await write(before, 'later');
    const revision = await before.revision();
    await before.close();
    writeFileSync(path.join(directory.root, 'kubeconfig'), 'of before');

    const discarded = await prepared(bytes, directory);
    expect(discarded.losses).toEqual([
      {
        place: directory.root,
        isSameCluster: true,
        resources: [{ resource: 'pods', lost: 1, changed: 1, returned: 1 }],
      },
    ]);
    await discarded.discard();
    const same = await openIn(directory);
    expect(await podsIn(same)).toContain('/registry/pods/default/later');
    await same.close();
    expect(readdirSync(directory.root)).not.toContain('restoring');

    await (await prepared(bytes, directory)).commit();
    const after = await openIn(directory);
    expect(await podsIn(after)).toEqual(['a', 'b', 'c'].map((name) => `/registry/pods/default/${name}`));
    expect(textOf((await after.get('/registry/pods/default/c'))!.value)).toBe(object('c'));
    expect(await after.revision()).toBe(revision + 1_000_000_000);
    await after.close();
    expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
  });

  test('that is damaged is replaced, and its damage is shown', async () => {
    const { bytes } = await madeBackup();
    const { directory } = await restored(bytes);
    writeFileSync(path.join(directory.store, 'store.mdb'), 'rubbish'.repeat(2000));
    const restore = await prepared(bytes, directory);
    expect(restore.losses).toMatchObject([{ problem: expect.stringMatching(/damaged/) }]);
    await restore.commit();
    const store = await openIn(directory);
    expect(await podsIn(store)).toHaveLength(2);
    await store.close();
  });

  test('that runs is not touched', async () => {
    const { bytes } = await madeBackup();
    const { directory } = await restored(bytes);
    const store = await openIn(directory);
    await expect(prepared(bytes, directory)).rejects.toThrow(/in use by process/);
    await store.close();
  });
});

const header: BackupHeader = {
  ...{ cluster: 'c', revision: 5, time: '2026-01-01T00:00:00Z' },
  ...{ coracle: '0.1.0', kubernetes: 'v1.36.2', store: 'embedded', settings: {} },
};
const file = (name: string): BackupPart => ({ type: 'file', path: name, content: Buffer.from('x') });

describe('refused, with nothing changed:', () => {
  const made = (change: Partial<BackupHeader>, ...parts: BackupPart[]) =>
    collected(pack(encodeBackup({ ...header, ...change }, streamed(...parts)), {}));

  test.each([
    ['a newer Coracle', () => made({ coracle: '9.0.0' }), /from the future: Coracle 9\.0\.0 with Kubernetes v1\.36\.2/],
    ['a newer Kubernetes', () => made({ kubernetes: 'v1.37.0' }), /from the future.*v1\.37\.0/],
    ['a file with a flipped bit', async () => flipped((await madeBackup()).bytes), /^it is damaged: /],
    ['a cut file', async () => (await madeBackup()).bytes.subarray(0, 300), /damaged/],
    ['a file outside of the cluster', () => made({}, file('pki/../../../etc/passwd')), /belongs to no cluster/],
    ['a file in a strange place', () => made({}, file('nodes/x')), /belongs to no cluster/],
    ['an absolute file', () => made({}, file('/etc/passwd')), /belongs to no cluster/],
    ['etcd without endpoints', () => made({ store: 'etcd' }), /give --etcd-endpoints/],
  ])('%s', async (_, bytes, message) => {
    const directory = newPlace();
    await expect(prepared(await bytes(), directory)).rejects.toThrow(message);
    expect(existsSync(directory.root) ? readdirSync(directory.root) : []).toSatisfy((names: string[]) =>
      names.every((name) => name === 'coracle.json'),
    );
  });

  test.each([{ coracle: '0.0.9' }, { kubernetes: 'v1.35.9' }, { kubernetes: 'v1.36.99' }])(
    'but not an older version: %j',
    async (change) => {
      await (await prepared(await made(change))).discard();
    },
  );
});

test('the directory of a node is refused, and stays as it is', async () => {
  const { bytes } = await madeBackup();
  const directory = newPlace();
  mkdirSync(directory.root, { recursive: true });
  writeFileSync(path.join(directory.root, 'membership.json'), '{}');
  await expect(prepared(bytes, directory)).rejects.toThrow(/is that of a node: restore on a machine of the control/);
  expect(existsSync(directory.store)).toBe(false);
});

test('after an interruption at any step of the replacement, the next settling finishes it', async () => {
  const { bytes } = await madeBackup();
  const { directory } = await restored((await madeBackup(['former'])).bytes);
  await prepared(bytes, directory);
  // The steps of `settleRestore`, in its order: the state after each is settled in a copy.
  const { root } = directory;
  const steps: (() => void)[] = [
    () => {},
    () => execFileSync('mv', [path.join(root, 'restoring'), path.join(root, 'restored')]),
    () => mkdirSync(path.join(root, 'former')),
    ...['pki', 'store', 'settings.json', 'coracle.json'].flatMap((name) => [
      () => execFileSync('mv', [path.join(root, name), path.join(root, 'former', name)]),
      () => execFileSync('mv', [path.join(root, 'restored', name), path.join(root, name)]),
    ]),
    () => rmSync(path.join(root, 'restored/plan.json')),
    () => rmSync(path.join(root, 'restored'), { recursive: true }),
    () => rmSync(path.join(root, 'former/pki'), { recursive: true }),
  ];
  for (const [index, step] of steps.entries()) {
    step();
    const copy = newPlace();
    cpSync(root, copy.root, { recursive: true });
    await settleRestore(copy, clock);
    const store = await openIn(copy);
    expect(await podsIn(store), `after step ${index}`).toEqual(
      index === 0 ? ['/registry/pods/default/former'] : ['/registry/pods/default/a', '/registry/pods/default/b'],
    );
    await store.close();
    expect(
      readdirSync(copy.root)
        .filter((name) => !['run.json'].includes(name))
        .sort(),
    ).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
  }
});

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
      'data-dir': path.join(home, 'etcd'),
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
    const bytes = await collected(pack(backupBytes({ directory: newPlace(), store, clock, saved }), {}));
    const revision = await store.revision();
    await store.close();
    return { bytes, revision };
  }

  test('embedded to etcd, etcd to etcd, etcd to embedded: nothing is lost, and revisions only rise', async () => {
    const { bytes, revision } = await madeBackup(Array.from({ length: 300 }, (_, i) => `pod-${i}`));
    const first = await restored(bytes, newPlace(), target());
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
    const again = await restored(second.bytes, newPlace());
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
    const { directory } = await restored(third.bytes, newPlace(), { store: 'embedded' });
    const embedded = await openIn(directory);
    expect(await podsIn(embedded)).toHaveLength(300);
    expect(await embedded.revision()).toBe(third.revision + 1_000_000_000);
    await embedded.close();
  }, 60_000);

  test('a cluster that runs on etcd is seen by its writes', async () => {
    const { bytes } = await madeBackup();
    const store = await openEtcd();
    await store.commit([system]);
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) {
        await store.commit([{ key: '/registry/leases/x', value: String(clock.now()) }]);
        await clock.sleep(50);
      }
    })();
    await expect(prepared(bytes, newPlace(), target())).rejects.toThrow(/a cluster runs on the etcd/);
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
