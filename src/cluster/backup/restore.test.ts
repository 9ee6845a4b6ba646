import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BackupHeader, type BackupPart, Compacted, encodeBackup, pack, textOf } from '../../store/store.ts';
import { inspectBackup } from './inspect.ts';
import type { SavedSettings } from './saved-settings.ts';
import { settleRestore } from './settle.ts';
import { withStoppedStore } from './stopped.ts';
import { clock, collected, object, openIn, podsIn, streamed, TestBackups, write } from './test-backups.ts';

const backups = new TestBackups();

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[changed.length >> 1] ^= 1;
  return changed;
}

describe('a backup in an empty directory', () => {
  test('becomes the cluster, with its files, and revisions far above those of before', async () => {
    const { bytes, revision } = await backups.made();
    const { directory, restore } = await backups.restored(bytes);
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
    const configuration = path.join(backups.home, 'encryption.yaml');
    writeFileSync(configuration, 'kind: EncryptionConfiguration');
    const { bytes } = await backups.made(['a'], { 'encryption-config': configuration });
    const { directory, restore } = await backups.restored(bytes);
    expect(readFileSync(path.join(directory.pki, 'encryption.yaml'), 'utf8')).toBe('kind: EncryptionConfiguration');
    expect(restore.startCommand).not.toContain('encryption');
  });

  test('takes along files that settings name', async () => {
    const policy = path.join(backups.home, 'policy.yaml');
    writeFileSync(policy, 'kind: Policy');
    const { bytes } = await backups.made(['a'], { 'audit-policy': policy, port: '7000' });
    const { directory, restore } = await backups.restored(bytes);
    const kept = path.join(directory.root, 'files/audit-policy/policy.yaml');
    expect(readFileSync(kept, 'utf8')).toBe('kind: Policy');
    expect(restore.startCommand).toBe(
      `./coracle up --name restored --data-dir ${directory.root} --audit-policy ${kept} --port 7000`,
    );
  });
});

test('a backup of a server names the shared etcd, and is restored for the first of new servers', async () => {
  const { bytes } = await backups.made(['a'], { port: '7000' }, true);
  expect(await inspectBackup(streamed(bytes), {})).toMatchObject({ store: 'etcd', isServer: true });
  const { directory, restore } = await backups.restored(bytes);
  expect(restore.target).toEqual({ store: 'embedded', isServer: true });
  expect(restore.startCommand).toBe(
    `./coracle server --cluster-init --name restored --data-dir ${directory.root} --port 7000`,
  );
});

test('a stopped server is not backed up from an empty store', async () => {
  const saved: SavedSettings = { name: 'a', store: 'etcd', isServer: true, flags: {} };
  await expect(withStoppedStore(backups.newPlace(), saved, clock, async () => {})).rejects.toThrow(
    /is the etcd of all servers, which a stopped server cannot read: start it/,
  );
});

describe('a present cluster', () => {
  test('is compared, and replaced on commit only', async () => {
    const { bytes } = await backups.made(['a', 'b', 'c']);
    const { directory } = await backups.restored(bytes);
    const before = await openIn(directory);
    await before.commit([{ key: '/registry/pods/default/b' }]);
    await before.commit([{ key: '/registry/pods/default/c', value: 'changed' }]);
    await write(before, 'later');
    const revision = await before.revision();
    await before.close();
    writeFileSync(path.join(directory.root, 'kubeconfig'), 'of before');

    const discarded = await backups.prepared(bytes, directory);
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

    await (await backups.prepared(bytes, directory)).commit();
    const after = await openIn(directory);
    expect(await podsIn(after)).toEqual(['a', 'b', 'c'].map((name) => `/registry/pods/default/${name}`));
    expect(textOf((await after.get('/registry/pods/default/c'))!.value)).toBe(object('c'));
    expect(await after.revision()).toBe(revision + 1_000_000_000);
    await after.close();
    expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
  });

  test('that is damaged is replaced, and its damage is shown', async () => {
    const { bytes } = await backups.made();
    const { directory } = await backups.restored(bytes);
    writeFileSync(path.join(directory.store, 'store.mdb'), 'rubbish'.repeat(2000));
    const restore = await backups.prepared(bytes, directory);
    expect(restore.losses).toMatchObject([{ problem: expect.stringMatching(/damaged/) }]);
    await restore.commit();
    const store = await openIn(directory);
    expect(await podsIn(store)).toHaveLength(2);
    await store.close();
  });

  test('that runs is not touched', async () => {
    const { bytes } = await backups.made();
    const { directory } = await backups.restored(bytes);
    const store = await openIn(directory);
    await expect(backups.prepared(bytes, directory)).rejects.toThrow(/in use by process/);
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
    ['a file with a flipped bit', async () => flipped((await backups.made()).bytes), /^it is damaged: /],
    ['a cut file', async () => (await backups.made()).bytes.subarray(0, 300), /damaged/],
    ['a file outside of the cluster', () => made({}, file('pki/../../../etc/passwd')), /belongs to no cluster/],
    ['a file in a strange place', () => made({}, file('nodes/x')), /belongs to no cluster/],
    ['an absolute file', () => made({}, file('/etc/passwd')), /belongs to no cluster/],
    ['etcd without endpoints', () => made({ store: 'etcd' }), /give --etcd-endpoints/],
  ])('%s', async (_, bytes, message) => {
    const directory = backups.newPlace();
    await expect(backups.prepared(await bytes(), directory)).rejects.toThrow(message);
    expect(existsSync(directory.root) ? readdirSync(directory.root) : []).toSatisfy((names: string[]) =>
      names.every((name) => name === 'coracle.json'),
    );
  });

  test.each([{ coracle: '0.0.9' }, { kubernetes: 'v1.35.9' }, { kubernetes: 'v1.36.99' }])(
    'but not an older version: %j',
    async (change) => {
      await (await backups.prepared(await made(change))).discard();
    },
  );
});

test('the directory of a node is refused, and stays as it is', async () => {
  const { bytes } = await backups.made();
  const directory = backups.newPlace();
  mkdirSync(directory.root, { recursive: true });
  writeFileSync(path.join(directory.root, 'membership.json'), '{}');
  await expect(backups.prepared(bytes, directory)).rejects.toThrow(
    /is that of a node: restore on a machine of the control/,
  );
  expect(existsSync(directory.store)).toBe(false);
});

test('after an interruption at any step of the replacement, the next settling finishes it', async () => {
  const { bytes } = await backups.made();
  const { directory } = await backups.restored((await backups.made(['former'])).bytes);
  await backups.prepared(bytes, directory);
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
    const copy = backups.newPlace();
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
