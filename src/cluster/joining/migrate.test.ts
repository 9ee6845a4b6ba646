// An embedded store moves into a real etcd.

import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock as clock } from '../../machinery/time/clock.ts';
import {
  openStore,
  type PausableStore,
  pausableStore,
  prefixRange,
  type Store,
  type StoreUnusable,
  valueOfText,
} from '../../store/store.ts';
import { completeConfig, defaultRanges, type RunConfig, runConfigOf } from '../config.ts';
import { type DataDirectory, dataDirectory, formerStore } from '../data-directory.ts';
import { type EtcdMember, startEtcdMember } from '../etcd-member/etcd-member.ts';
import { environment, isEtcdInstalled, type TestMachines, testMachines } from '../etcd-member/test-members.ts';
import { migrateToEtcd, needsMigration } from './migrate.ts';
import { copyToMember } from './migrate-running.ts';

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

  describe('of a running cluster', () => {
    let store: PausableStore;
    beforeEach(async () => {
      await write('a');
      store = pausableStore(await openStore({ kind: 'embedded', clock, directory: directory.store }));
    });
    afterEach(() => store.close());
    const put = (name: string) =>
      store.commit([{ key: `/registry/configmaps/default/${name}`, value: valueOfText('{}') }]);
    async function copied(source: Store = store, given: Partial<RunConfig> = {}) {
      const { name, address, clientPort, peerPort } = await machines.options('running');
      const complete = completeConfig({ name: 'c', dataDirectory: directory.root });
      const config = {
        ...runConfigOf({ ...complete, givenNodeIPs: [address] }, defaultRanges(complete)),
        nodeNames: [name],
        ...given,
      };
      return copyToMember({ config, directory, writes: store, store: source }, environment, (options, tools) =>
        startEtcdMember({ ...options, clientPort, peerPort }, tools),
      );
    }

    test('all acknowledged writes are copied, none is made afterwards, and the start finds the copy', async () => {
      const acknowledged: string[] = [];
      const refusals = new Set<string>();
      let isOver = false;
      const writing = (async () => {
        for (let i = 0; !isOver; i++) {
          await put(`w${i}`).then(
            () => acknowledged.push(`w${i}`),
            (error: StoreUnusable) => refusals.add(error.reason),
          );
          await clock.sleep(1);
        }
      })();
      const { revision, stop } = await copied();
      expect((await store.range(prefixRange('/registry/'))).entries.length).toBe(acknowledged.length + 1);
      await clock.sleep(50);
      isOver = true;
      await writing;
      expect([...refusals]).toEqual(['paused']);
      expect(await store.revision()).toBe(revision);
      await store.close();
      await stop();
      const { clientPort, peerPort } = await machines.options('running');
      member = await machines.start('server', { directory: path.join(directory.root, 'etcd'), clientPort, peerPort });
      const before = await moved();
      await move();
      const entries = await moved();
      expect(entries, 'nothing is copied again').toEqual(before);
      expect(entries.map(({ name }) => name).sort()).toEqual(['a', ...acknowledged].sort());
      for (const entry of entries) expect(entry.revision).toBeGreaterThan(revision);
    }, 60_000);

    test('writes are accepted again after a copy that failed, and nothing of it stays', async () => {
      const failing: Store = Object.assign(Object.create(store) as Store, {
        revision: () => store.revision(),
        async *readAll() {
          yield* [];
          throw new Error('the disk cannot be read');
        },
      });
      await expect(copied(failing)).rejects.toThrow('the disk cannot be read');
      await put('b');
      expect(existsSync(path.join(directory.root, 'etcd'))).toBe(false);
      expect(needsMigration(directory)).toBe(true);
    }, 60_000);

    test('an address of another machine is refused, and writes go on', async () => {
      await expect(copied(store, { nodeIP: '192.0.2.77' })).rejects.toThrow(/is no address of this machine/);
      await put('b');
    });
  });
});
