// An embedded store moves into a real etcd.

import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock as clock } from '../../machinery/time/clock.ts';
import { openStore, prefixRange, valueOfText } from '../../store/store.ts';
import { type DataDirectory, dataDirectory, formerStore } from '../data-directory.ts';
import type { EtcdMember } from '../etcd-member/etcd-member.ts';
import { isEtcdInstalled, type TestMachines, testMachines } from '../etcd-member/test-members.ts';
import { migrateToEtcd, needsMigration } from './migrate.ts';

describe.skipIf(!isEtcdInstalled)('with a real etcd (skipped where the command etcd is not installed)', () => {
  let machines: TestMachines;
  let member: EtcdMember;
  let directory: DataDirectory;
  beforeEach(async () => {
    machines = await testMachines();
    member = await machines.start('one');
    directory = dataDirectory(path.join(machines.root, 'cluster'));
    mkdirSync(directory.root);
  }, 30_000);
  afterEach(() => machines.end(), 30_000);

  async function write(name: string): Promise<number> {
    const store = await openStore({ kind: 'embedded', clock, directory: directory.store });
    await store.commit([{ key: `/registry/configmaps/default/${name}`, value: valueOfText('{}') }]);
    const revision = await store.revision();
    await store.close();
    return revision;
  }
  const move = () => migrateToEtcd(directory, member, { clock, logger: silentLogger });
  /** As after a kill before the store was put aside: `up` goes on with it. */
  const cutShort = () => renameSync(formerStore(directory), directory.store);
  async function moved() {
    const store = await openStore({ kind: 'etcd', clock, endpoints: () => member.endpoints, tls: member.tls });
    const { entries } = await store.range(prefixRange('/registry/'));
    await store.close();
    return entries.map(({ key, modRevision }) => ({ name: path.basename(key), revision: modRevision }));
  }

  test('writes between a move that was cut short and its repetition are kept', async () => {
    await write('a');
    await move();
    expect(needsMigration(directory)).toBe(false);
    expect((await moved()).map(({ name }) => name)).toEqual(['a']);
    cutShort();
    const last = await write('b');
    await move();
    const entries = await moved();
    expect(entries.map(({ name }) => name)).toEqual(['a', 'b']);
    for (const { revision } of entries) expect(revision).toBeGreaterThan(last);
  }, 60_000);

  test('a repetition without writes changes nothing', async () => {
    await write('a');
    await move();
    const before = await moved();
    cutShort();
    await move();
    expect(await moved()).toEqual(before);
  }, 60_000);
});
