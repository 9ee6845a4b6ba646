// The contract suite of the store: each backend's test file runs it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Compacted,
  type Entry,
  FutureRevision,
  LeaseNotFound,
  prefixRange,
  type Revision,
  type Store,
} from './interface.ts';
import { sameValue, textOf, type Value, valueOfText } from './store.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value?: Value) => value && textOf(value);
const everything = prefixRange('/registry/');

export interface Bench {
  /** An empty store. */
  open(): Promise<Store>;
  /** Lets the time of the store's leases pass. */
  pass(ms: number): Promise<void>;
}

export function storeContract(name: string, bench: Bench): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    let start: Revision;
    beforeEach(async () => {
      store = await bench.open();
      start = await store.revision();
    });
    afterEach(() => store.close());

    const put = async (key: string, value: string, expected?: Revision) => {
      const result = await store.commit([{ key, value: bytes(value), expected }]);
      if (!result.ok) throw new Error('conflict');
      return result.revision;
    };

    test('an entry is created, read, replaced and deleted', async () => {
      const created = await put('/registry/a', 'one', 0);
      expect(created).toBe(start + 1);
      const entry = await store.get('/registry/a');
      expect(text(entry?.value)).toBe('one');
      expect(entry).toMatchObject({ key: '/registry/a', createRevision: created, modRevision: created, lease: 0 });
      const replaced = await put('/registry/a', 'two', created);
      expect(await store.get('/registry/a')).toMatchObject({ createRevision: created, modRevision: replaced });
      expect(await store.commit([{ key: '/registry/a', expected: replaced }])).toEqual({
        ok: true,
        revision: replaced + 1,
      });
      expect(await store.get('/registry/a')).toBeUndefined();
      expect(await store.revision()).toBe(replaced + 1);
    });

    test('an empty value is a value', async () => {
      for (const [key, value] of [
        ['/registry/text', ''],
        ['/registry/bytes', new Uint8Array(0)],
      ] as const) {
        await store.commit([{ key, value: bytes('before') }]);
        expect((await store.commit([{ key, value }])).ok).toBe(true);
        expect(await store.get(key)).toMatchObject({ key });
        expect(text((await store.get(key))?.value)).toBe('');
      }
      const { entries } = await store.range(everything);
      expect(entries.map(({ key, value }) => [key, text(value)])).toEqual([
        ['/registry/bytes', ''],
        ['/registry/text', ''],
      ]);
    });

    test('a healthy store has no problem', async () => {
      expect(await store.health()).toBeUndefined();
    });

    test('a write that expects another revision fails with the current entry', async () => {
      const created = await put('/registry/a', 'one', 0);
      for (const expected of [0, created + 7]) {
        const result = await store.commit([
          { key: '/registry/b', value: bytes('b'), expected: 0 },
          { key: '/registry/a', value: bytes('two'), expected },
        ]);
        expect(result).toMatchObject({ ok: false, current: [{ key: '/registry/a', modRevision: created }] });
      }
      expect(await store.get('/registry/b')).toBeUndefined();
      expect(await store.revision()).toBe(created);
    });

    test('all writes of a transaction share one revision', async () => {
      const result = await store.commit([
        { key: '/registry/a', value: bytes('a') },
        { key: '/registry/b', value: bytes('b') },
      ]);
      expect(result).toEqual({ ok: true, revision: start + 1 });
      const { entries } = await store.range(everything);
      expect(entries.map((entry) => entry.modRevision)).toEqual([start + 1, start + 1]);
    });

    test('concurrent writers each get a distinct revision', async () => {
      const revisions = await Promise.all(Array.from({ length: 100 }, (_, i) => put(`/registry/${i}`, 'x', 0)));
      expect(new Set(revisions).size).toBe(100);
      const wins = await Promise.all(
        Array.from({ length: 20 }, () => store.commit([{ key: '/registry/one', value: bytes('x'), expected: 0 }])),
      );
      expect(wins.filter((result) => result.ok)).toHaveLength(1);
    });

    test('a range is in order, bounded, limited, and counts the rest', async () => {
      for (const key of ['/registry/b/2', '/registry/a/1', '/registry/b/1', '/registry/c', '/registry/b/10'])
        await put(key, key);
      const keys = prefixRange('/registry/b/');
      const all = await store.range(keys);
      expect(all.entries.map((entry) => entry.key)).toEqual(['/registry/b/1', '/registry/b/10', '/registry/b/2']);
      expect(all.remaining).toBe(0);
      const page = await store.range(keys, { limit: 1 });
      expect(page.entries.map((entry) => entry.key)).toEqual(['/registry/b/1']);
      expect(page).toMatchObject({ remaining: 2, revision: start + 5 });
      const next = await store.range({ start: '/registry/b/1\0', end: keys.end }, { at: page.revision, limit: 5 });
      expect(next.entries.map((entry) => entry.key)).toEqual(['/registry/b/10', '/registry/b/2']);
    });

    test('the past can be read until it is compacted', async () => {
      const one = await put('/registry/a', 'one');
      const two = await put('/registry/a', 'two');
      const other = await put('/registry/b', 'b');
      await store.commit([{ key: '/registry/a' }]);
      expect(text((await store.get('/registry/a', one))?.value)).toBe('one');
      expect(text((await store.get('/registry/a', two))?.value)).toBe('two');
      expect((await store.range(everything, { at: two })).entries.map((e) => text(e.value))).toEqual(['two']);
      expect((await store.range(everything, { at: other })).entries.map((e) => text(e.value))).toEqual(['two', 'b']);
      expect((await store.range(everything)).entries.map((e) => text(e.value))).toEqual(['b']);
      await store.compact(other);
      await expect(store.get('/registry/a', two)).rejects.toThrow(Compacted);
      await expect(store.range(everything, { at: one })).rejects.toThrow(Compacted);
      expect((await store.range(everything, { at: other })).entries).toHaveLength(2);
      await expect(store.range(everything, { at: other + 100 })).rejects.toThrow(FutureRevision);
    });

    test('a watch shows each change once, in order, from the past into the future', async () => {
      const one = await put('/registry/a', 'one');
      await put('/elsewhere', 'x');
      await put('/registry/a', 'two');
      const stop = new AbortController();
      const seen: string[] = [];
      let last = 0;
      const watching = (async () => {
        for await (const { changes, revision } of store.watch(everything, one, stop.signal)) {
          expect(revision).toBeGreaterThanOrEqual(last);
          last = revision;
          for (const change of changes)
            seen.push(
              change.type === 'put'
                ? `put ${change.entry.key} ${text(change.entry.value)} was ${text(change.previous?.value)}`
                : `delete ${change.key} at ${change.revision - one} was ${text(change.previous?.value)}`,
            );
          if (seen.length >= 3) stop.abort();
        }
      })();
      await put('/registry/b', 'b');
      await store.commit([{ key: '/registry/a' }]);
      await watching;
      expect(seen).toEqual([
        'put /registry/a two was one',
        'put /registry/b b was undefined',
        'delete /registry/a at 4 was two',
      ]);
    });

    test('a watch of a quiet range learns of progress', async () => {
      const stop = new AbortController();
      const from = await put('/registry/a', 'one');
      setTimeout(() => put('/elsewhere/x', 'x'), 20);
      for await (const { changes, revision } of store.watch(everything, from, stop.signal)) {
        expect(changes).toEqual([]);
        if (revision > from) stop.abort();
      }
    });

    test('a watch from a compacted revision is refused', async () => {
      const one = await put('/registry/a', 'one');
      await put('/registry/a', 'two');
      await put('/registry/a', 'three');
      await store.compact(one + 2);
      const read = async () => {
        for await (const _ of store.watch(everything, one, new AbortController().signal)) break;
      };
      await expect(read()).rejects.toThrow(Compacted);
    });

    test('entries go with their lease', async () => {
      const lease = await store.grantLease(2);
      await store.commit([{ key: '/registry/a', value: bytes('a'), lease }]);
      expect(await store.get('/registry/a')).toMatchObject({ lease });
      await bench.pass(1200);
      await store.keepAlive(lease);
      await bench.pass(1200);
      expect(await store.get('/registry/a')).toBeDefined();
      await bench.pass(3500);
      expect(await store.get('/registry/a')).toBeUndefined();
      expect(await store.leaseSeconds(lease)).toBeUndefined();
      await expect(store.keepAlive(lease)).rejects.toThrow(LeaseNotFound);
      await expect(store.commit([{ key: '/registry/a', value: bytes('a'), lease }])).rejects.toThrow(LeaseNotFound);
      const other = await store.grantLease(60);
      expect(await store.leaseSeconds(other)).toBe(60);
      await store.commit([{ key: '/registry/b', value: bytes('b'), lease: other }]);
      await store.revokeLease(other);
      expect(await store.get('/registry/b')).toBeUndefined();
    }, 20_000);

    test('a big value is stored and read', async () => {
      const value = new Uint8Array(1_400_000).fill(7);
      await store.commit([{ key: '/registry/big', value }]);
      expect((await store.get('/registry/big'))?.value).toHaveLength(value.length);
    });

    test.each(['plain', 'naïve, 漢字 and 🛶'])('a text is stored and read: %s', async (content) => {
      const value = valueOfText(content);
      await store.commit([{ key: '/registry/text', value }]);
      const entry = await store.get('/registry/text');
      expect(textOf(entry!.value)).toBe(content);
      expect(sameValue(entry!.value, value)).toBe(true);
      const after = await put('/registry/text', 'after');
      expect(text((await store.get('/registry/text', after - 1))?.value)).toBe(content);
    });

    test('the store has a size', async () => {
      await put('/registry/a', 'one');
      expect(await store.size()).toBeGreaterThan(3);
    });

    // Values may be encrypted.
    const described = ({ key, modRevision }: Entry) => `${key}@${modRevision - start}`;
    const readAll = async (at?: Revision, onPage = async () => {}) => {
      const found: string[] = [];
      let revision = 0;
      let pages = 0;
      for await (const page of store.readAll(everything, at)) {
        pages++;
        revision = page.revision;
        found.push(...page.entries.map(described));
        await onPage();
      }
      return { found, revision, pages };
    };

    test('everything is read at one revision, now or in the past', async () => {
      expect(await readAll()).toEqual({ found: [], revision: start, pages: 1 });
      await put('/registry/a', 'a1');
      const then = await put('/registry/c', 'c1');
      await put('/elsewhere', 'x');
      await put('/registry/a', 'a2');
      await put('/registry/b', 'b1');
      const now = await put('/registry/d', 'd1');
      await store.commit([{ key: '/registry/c' }]);
      expect((await readAll(then)).found).toEqual(['/registry/a@1', '/registry/c@2']);
      expect(await readAll(now)).toMatchObject({
        found: ['/registry/a@4', '/registry/b@5', '/registry/c@2', '/registry/d@6'],
        revision: now,
      });
      expect(await readAll()).toMatchObject({
        found: ['/registry/a@4', '/registry/b@5', '/registry/d@6'],
        revision: now + 1,
      });
      await expect(readAll(now + 100)).rejects.toThrow(FutureRevision);
      await store.compact(now);
      await expect(readAll(then)).rejects.toThrow(Compacted);
    });

    test('everything is read at one revision while others write', async () => {
      const key = (i: number) => `/registry/${String(i).padStart(4, '0')}`;
      const filler = 'x'.repeat(20_000);
      for (let i = 0; i < 300; i++) await put(key(i), `old ${filler}`);
      let round = 0;
      const write = async () => {
        const from = 250 - 10 * round++;
        await Promise.all([
          put(key(from), `new ${filler}`),
          put(`${key(from + 1)}/between`, 'new'),
          store.commit([{ key: key(from + 2) }]),
        ]);
      };
      const writing = (async () => {
        while (round < 5) await write();
      })();
      const asRange = async (at: Revision) => (await store.range(everything, { at })).entries.map(described);
      const { found, revision } = await readAll(undefined, write);
      await writing;
      expect(await store.revision(), 'others wrote meanwhile').toBeGreaterThan(revision);
      expect(found).toEqual(await asRange(revision));
      for (const at of [revision - 9, revision - 4]) expect((await readAll(at)).found).toEqual(await asRange(at));
    }, 20_000);

    test('closing ends the watches', async () => {
      const ended = (async () => {
        for await (const _ of store.watch(everything, start, new AbortController().signal));
        return 'ended';
      })();
      await new Promise((resolve) => setTimeout(resolve, 10));
      await store.close();
      expect(await ended).toBe('ended');
    });
  });
}
