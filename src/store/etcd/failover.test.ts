// Three real members: one is killed or paused under writes.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../../../test/long/long.ts';
import type { EtcdMember } from '../../cluster/etcd-member/etcd-member.ts';
import {
  eventually,
  isEtcdInstalled,
  type TestMachines,
  testMachines,
} from '../../cluster/etcd-member/test-members.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { type Store, StoreUnusable } from '../interface.ts';
import { openStore } from '../store.ts';
import { textOf, valueOfText } from '../value.ts';

describe.skipIf(!isEtcdInstalled)('with three members (skipped where the command etcd is not installed)', () => {
  let machines: TestMachines;
  let members: readonly EtcdMember[];
  let store: Store;

  beforeAll(async () => {
    machines = await testMachines();
    const one = await machines.start('one');
    const join = { endpoints: one.endpoints };
    members = [one, await machines.start('two', { join }), await machines.start('three', { join })];
    await eventually(() => expect(one.endpoints).toHaveLength(3));
    store = await openStore({ kind: 'etcd', clock: systemClock, endpoints: () => one.endpoints, tls: one.tls });
  }, 60_000);
  afterAll(async () => {
    await store.close();
    await machines.end();
  }, 60_000);

  /** The processes: of the leader, and of the member that the store uses first. */
  async function pids(): Promise<{ leader: number; used: number }> {
    const statuses = await Promise.all(members.map((member) => member.status()));
    return { leader: statuses.find(({ isLeader }) => isLeader)!.pid!, used: statuses[0].pid! };
  }
  const allServe = () =>
    eventually(() => expect(members.map((member) => member.health())).toEqual(members.map(() => undefined)), 30_000);

  /** Adds 1 to a number until `isOver`. Returns how often that was acknowledged, how often unknown, and the longest time. */
  async function count(key: string, isOver: () => boolean) {
    const result = { acknowledged: 0, unknown: 0, longestMs: 0 };
    while (!isOver()) {
      const beginMs = systemClock.monotonic();
      try {
        const entry = await store.get(key);
        const value = valueOfText(String(Number(entry ? textOf(entry.value) : 0) + 1));
        const { ok } = await store.commit([{ key, value, expected: entry?.modRevision ?? 0 }]);
        if (ok) result.acknowledged++;
      } catch (error) {
        if (!(error instanceof StoreUnusable)) throw error;
        result.unknown++;
      }
      result.longestMs = Math.max(result.longestMs, systemClock.monotonic() - beginMs);
    }
    return result;
  }

  const faults = [
    ['the leader is killed', 'leader', 'SIGKILL', 4_000],
    ['the member in use is killed', 'used', 'SIGKILL', 4_000],
    ['the member in use is paused', 'used', 'SIGSTOP', 6_000],
    ['the leader is paused', 'leader', 'SIGSTOP', 6_000],
  ] as const;
  test.each(isLong ? faults : [faults[0], faults[2]])(
    '%s: writes go on within seconds, none is lost or made twice, and a watch has each once',
    async (name, which, signal, longestMs) => {
      await allServe();
      const key = `/registry/numbers/${name}`;
      const from = await store.revision();
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        let last = from;
        for await (const { changes, revision } of store.watch({ start: key, end: `${key}\0` }, from, stop.signal)) {
          expect(revision).toBeGreaterThanOrEqual(last);
          last = revision;
          for (const change of changes) if (change.type === 'put') seen.push(textOf(change.entry.value));
        }
      })();
      let isOver = false;
      const counting = count(key, () => isOver);
      await systemClock.sleep(500);
      const pid = (await pids())[which];
      process.kill(pid, signal);
      await systemClock.sleep(4_000);
      if (signal === 'SIGSTOP') process.kill(pid, 'SIGCONT');
      await systemClock.sleep(500);
      isOver = true;
      const { acknowledged, unknown, ...times } = await counting;
      const total = Number(textOf((await store.get(key))!.value));
      expect(total).toBeGreaterThanOrEqual(acknowledged);
      expect(total).toBeLessThanOrEqual(acknowledged + unknown);
      expect(acknowledged).toBeGreaterThan(20);
      expect(times.longestMs).toBeLessThan(longestMs);
      await eventually(() => expect(seen.at(-1)).toBe(String(total)));
      expect(seen).toEqual(Array.from({ length: total }, (_, i) => String(i + 1)));
      stop.abort();
      await watching;
    },
    60_000,
  );

  test('a lease is kept while its member is killed', async () => {
    await allServe();
    const lease = await store.grantLease(4);
    await store.commit([{ key: '/registry/leased', value: valueOfText('a'), expected: 0, lease }]);
    process.kill((await pids()).leader, 'SIGKILL');
    for (let i = 0; i < 8; i++) {
      await store.keepAlive(lease);
      await systemClock.sleep(700);
    }
    expect(await store.get('/registry/leased')).toBeDefined();
    await store.revokeLease(lease);
    expect(await store.get('/registry/leased')).toBeUndefined();
  }, 60_000);
});
