// Restores in the place of real etcd members, and into a real etcd with TLS.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { longTest } from '../../../test/long/long.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock as clock } from '../../machinery/time/clock.ts';
import { createMemoryStore, openStore, pack, type Store, StoreUnusable } from '../../store/store.ts';
import { type DataDirectory, dataDirectory, formerStore } from '../data-directory.ts';
import { type EtcdMember, type EtcdMemberOptions, startEtcdMember } from '../etcd-member/etcd-member.ts';
import { memberLayout } from '../etcd-member/layout.ts';
import {
  environment,
  eventually,
  isEtcdInstalled,
  type TestMachines,
  testMachines,
} from '../etcd-member/test-members.ts';
import { migrateToEtcd } from '../joining/migrate.ts';
import { backupBytes, everything } from './content.ts';
import { prepareRestore } from './restore.ts';
import { settleRestore } from './settle.ts';
import { withStoppedStore } from './stopped.ts';
import type { RestoreTarget } from './target.ts';

const system = { key: '/registry/namespaces/kube-system', value: JSON.stringify({ metadata: { uid: 'uid-1' } }) };

describe.skipIf(!isEtcdInstalled)('with a real etcd (skipped where the command etcd is not installed)', () => {
  let machines: TestMachines;
  let directory: DataDirectory;
  beforeEach(async () => {
    machines = await testMachines();
    directory = dataDirectory(path.join(machines.root, 'server'));
    mkdirSync(directory.pki, { recursive: true });
    writeFileSync(path.join(directory.pki, 'etcd-ca.crt'), machines.ca.cert);
    writeFileSync(path.join(directory.pki, 'etcd-ca.key'), machines.ca.key);
  }, 30_000);
  afterEach(() => machines.end(), 30_000);

  /** The member of the server whose directory is restored. */
  const own = (given?: Partial<EtcdMemberOptions>) =>
    machines.start('one', { directory: path.join(directory.root, 'etcd'), ...given });
  const openAt = ({ endpoints, tls }: EtcdMember) => openStore({ kind: 'etcd', clock, endpoints, tls });

  async function write(store: Store, ...names: string[]): Promise<void> {
    for (const name of names) await store.commit([{ key: `/registry/pods/default/${name}`, value: name }]);
  }
  async function namesIn(store: Store): Promise<string[]> {
    const { entries } = await store.range(everything);
    return entries.map(({ key }) => path.basename(key)).filter((name) => name !== 'kube-system');
  }
  async function backupOf(store: Store, isServer = true): Promise<Buffer> {
    const saved = { name: 'c', store: isServer ? 'etcd' : 'embedded', isServer, flags: {} } as const;
    const chunks: Uint8Array[] = [];
    for await (const chunk of pack(backupBytes({ directory, store, clock, saved }), {})) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
  async function smallBackup(...names: string[]): Promise<Buffer> {
    const store = createMemoryStore({ clock });
    await store.commit([system]);
    await write(store, ...names);
    return backupOf(store, false);
  }
  async function* streamed(bytes: Buffer): AsyncIterable<Uint8Array> {
    yield bytes;
  }
  const prepare = (bytes: Buffer, target?: RestoreTarget, into = directory) =>
    prepareRestore({
      ...{ directory: into, name: 'c', bytes: streamed(bytes), decryption: {}, clock, quietMs: 100 },
      ...(target && { target }),
    });
  /** As the start of the first server does it. */
  async function startRestored(): Promise<{ member: EtcdMember; store: Store }> {
    const member = await own();
    await migrateToEtcd(directory, member, { clock, logger: silentLogger });
    return { member, store: await openAt(member) };
  }

  test('a server becomes the first of a new control plane, and revisions only rise, also with an older backup', async () => {
    writeFileSync(path.join(directory.root, 'server.json'), '{}');
    mkdirSync(formerStore(directory));
    const first = await own();
    const former = await openAt(first);
    await former.commit([system]);
    await write(former, 'a', 'b');
    const bytes = await backupOf(former);
    await write(former, 'later');
    let newest = await former.revision();
    await former.close();
    await first.stop();

    for (const names of [['a', 'b'], ['old']]) {
      const restore = await prepare(names[0] === 'old' ? await smallBackup('old') : bytes);
      expect(restore.losses).toMatchObject([{ place: directory.root, isSameCluster: true }]);
      expect(restore.losses[0].resources).toMatchObject([{ resource: 'pods', lost: names[0] === 'old' ? 2 : 1 }]);
      expect(restore.startCommand).toMatch(/^\.\/coracle server --cluster-init/);
      await restore.commit();
      // No etcd, no mark of a server, and no former store: the next start begins a control plane.
      expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
      const { member, store } = await startRestored();
      expect(await namesIn(store)).toEqual(names);
      for (const { modRevision } of (await store.range(everything)).entries)
        expect(modRevision).toBeGreaterThan(newest);
      newest = await store.revision();
      await store.close();
      await member.stop();
      writeFileSync(path.join(directory.root, 'server.json'), '{}');
    }
  }, 60_000);

  test('nothing changes before the decision, and a restore that was cut short after it is finished', async () => {
    const first = await own();
    const former = await openAt(first);
    await write(former, 'present');
    await former.close();
    await first.stop();
    const before = readdirSync(directory.root).sort();
    const discarded = await prepare(await smallBackup('a'), { store: 'embedded' });
    await discarded.discard();
    expect(readdirSync(directory.root).sort()).toEqual([...before, 'coracle.json'].sort());
    const same = await own();
    const store = await openAt(same);
    expect(await namesIn(store)).toEqual(['present']);
    await store.close();
    await same.stop();

    const cut = await prepare(await smallBackup('a'), { store: 'embedded' });
    const obstacle = path.join(directory.root, 'former');
    writeFileSync(obstacle, 'in the way');
    await expect(cut.commit()).rejects.toThrow();
    expect(existsSync(path.join(directory.root, 'etcd'))).toBe(true);
    rmSync(obstacle);
    await settleRestore(directory, clock);
    expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki', 'settings.json', 'store']);
  }, 60_000);

  longTest(
    'an etcd whose data is damaged is replaced, and revisions are above those of the restore before',
    async () => {
      const bytes = await smallBackup('a');
      await (await prepare(bytes, { store: 'embedded', isServer: true })).commit();
      const { member, store } = await startRestored();
      const newest = await store.revision();
      await store.close();
      await member.stop();
      const { data } = memberLayout(await machines.options('one', { directory: path.join(directory.root, 'etcd') }));
      writeFileSync(path.join(data, 'member/snap/db'), 'rubbish');
      const restore = await prepare(bytes, { store: 'embedded', isServer: true });
      expect(restore.losses).toMatchObject([
        { place: directory.root, problem: expect.stringMatching(/etcd does not/) },
      ]);
      await restore.commit();
      const again = await startRestored();
      expect(await again.store.revision()).toBeGreaterThan(newest);
      await again.store.close();
    },
    60_000,
  );

  longTest(
    'while another server runs nothing is restored',
    async () => {
      const one = await own();
      const two = await machines.start('two', { join: { endpoints: one.endpoints } });
      await eventually(() => expect(one.endpoints).toHaveLength(2));
      await one.stop();
      await expect(prepare(await smallBackup('a'))).rejects.toThrow(
        `the cluster runs: its etcd answers at ${two.endpoints[0]}. Stop every server with "coracle down"`,
      );
      expect(existsSync(path.join(directory.root, 'restoring'))).toBe(false);
    },
    60_000,
  );

  longTest(
    'members of the former cluster stop when they see the restored one, and do not start again',
    async () => {
      const one = await own();
      const reports: string[] = [];
      const onRemoved = (error: Error) => void reports.push(error.message);
      const two = await machines.start('two', { join: { endpoints: one.endpoints }, onRemoved });
      await one.stop();
      // As if the restore did not reach the second server.
      await own({ directory: path.join(machines.root, 'restored-etcd') });

      const seen = /has a newer etcd cluster, which a restore began.*Run "coracle down --delete" here/;
      await eventually(() => expect(reports).toEqual([expect.stringMatching(seen)]));
      expect(two.health()).toMatch(seen);
      await two.stop();
      await expect(startEtcdMember(await machines.options('two'), environment)).rejects.toThrow(seen);
    },
    60_000,
  );

  describe('an external etcd with TLS', () => {
    const file = (name: string) => path.join(machines.root, `${name}.pem`);
    const filesOf = ({ tls }: EtcdMember) => {
      for (const name of ['ca', 'cert', 'key'] as const) writeFileSync(file(name), tls[name]);
      return { etcdCafile: file('ca'), etcdCertfile: file('cert'), etcdKeyfile: file('key') };
    };

    test('gets the cluster, is backed up with its files, restored from them, and left for an embedded store', async () => {
      const external = await machines.start('external');
      const files = filesOf(external);
      const endpoints = [external.endpoints[0]];
      const restore = await prepare(await smallBackup('a', 'b'), { store: 'etcd', endpoints, files });
      await restore.commit();
      expect(restore.startCommand).toContain(
        `--store etcd --etcd-endpoints ${endpoints[0]} --etcd-cafile ${file('ca')} --etcd-certfile ${file('cert')}`,
      );
      const store = await openAt(external);
      expect(await namesIn(store)).toEqual(['a', 'b']);
      const first = await store.revision();
      expect(first).toBeGreaterThan(1_000_000_000);

      const flags = {
        ...{ store: 'etcd', 'etcd-endpoints': endpoints[0], 'etcd-cafile': file('ca') },
        ...{ 'etcd-certfile': file('cert'), 'etcd-keyfile': file('key') },
      };
      const saved = { name: 'c', store: 'etcd', flags } as const;
      const chunks: Uint8Array[] = [];
      await withStoppedStore(directory, saved, clock, async (opened) => {
        for await (const chunk of pack(backupBytes({ directory, store: opened, clock, saved }), {})) chunks.push(chunk);
      });
      await write(store, 'later');
      const place = dataDirectory(path.join(machines.root, 'another'));
      const again = await prepare(Buffer.concat(chunks), undefined, place);
      await again.commit();
      expect(again.startCommand).toContain(`--etcd-cafile ${place.root}/files/etcd-cafile/ca.pem`);
      expect(again.losses[0].resources).toMatchObject([{ resource: 'pods', lost: 1 }]);
      await store.close();
      const restored = await openAt(external);
      expect(await namesIn(restored)).toEqual(['a', 'b']);
      expect(await restored.revision()).toBeGreaterThan(first);
      const last = await restored.revision();
      await restored.close();

      await (await prepare(Buffer.concat(chunks), { store: 'embedded' }, place)).commit();
      const embedded = await openStore({ kind: 'embedded', clock, directory: place.store, mustExist: true });
      expect(await namesIn(embedded)).toEqual(['a', 'b']);
      expect(await embedded.revision()).toBeGreaterThan(last);
      await embedded.close();
    }, 60_000);

    test.each([
      ['no certificate', () => ({}), StoreUnusable],
      ['a missing file', () => ({ etcdCafile: '/nowhere/ca.pem' }), /--etcd-cafile \/nowhere\/ca.pem cannot be read/],
    ])(
      'is not reached with %s, and nothing changes',
      async (_, files, error) => {
        const external = await machines.start('external');
        const target = { store: 'etcd', endpoints: [external.endpoints[0]], files: files() } as const;
        await expect(prepare(await smallBackup('a'), target)).rejects.toThrow(error);
        expect(readdirSync(directory.root).sort()).toEqual(['coracle.json', 'pki']);
      },
      30_000,
    );
  });
});
