import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { type Entry, prefixRange, type StoredPart } from '../interface.ts';
import { storeContract } from '../store.contract.ts';
import { textOf } from '../store.ts';
import { dictionary } from './dictionary.ts';
import { openEmbeddedStore, restoreEmbeddedStore } from './embedded.ts';
import { databaseFile } from './files.ts';
import { encodeEntry } from './records.ts';

const directories: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'coracle-store-'));
  directories.push(path);
  return path;
}
afterAll(() => {
  for (const path of directories) rmSync(path, { recursive: true, force: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);
/** Incompressible bytes. */
function noise(length: number): Uint8Array {
  const random = seededRandom(1);
  return Uint8Array.from({ length }, () => random.int(256));
}
let clock = new VirtualClock();
for (const unsafeNoFsync of [false, true])
  storeContract(unsafeNoFsync ? 'embedded without fsync' : 'embedded', {
    open: () => openEmbeddedStore({ directory: directory(), clock: (clock = new VirtualClock()), unsafeNoFsync }),
    async pass(ms) {
      await clock.advance(ms);
      // The disk works in real time.
      await new Promise((resolve) => setTimeout(resolve, 30));
    },
  });

test('a directory in use is refused, and usable when the other process has ended', async () => {
  const path = directory();
  const store = await openEmbeddedStore({ directory: path, clock });
  await expect(openEmbeddedStore({ directory: path, clock })).rejects.toMatchObject({ reason: 'in-use' });
  await store.close();
  await (await openEmbeddedStore({ directory: path, clock })).close();
});

test.each([
  { case: 'no database at all', break: (file: string) => writeFileSync(file, 'this is not a database'.repeat(1000)) },
  { case: 'cut off', break: (file: string) => truncateSync(file, 8192) },
])('a damaged file is refused: $case', async ({ break: damage }) => {
  const path = directory();
  const store = await openEmbeddedStore({ directory: path, clock });
  for (let i = 0; i < 200; i++) await store.commit([{ key: `/registry/${i}`, value: new Uint8Array(2000) }]);
  await store.close();
  damage(join(path, databaseFile));
  await expect(openEmbeddedStore({ directory: path, clock })).rejects.toMatchObject({ reason: 'damaged' });
});

test.each([
  { case: 'missing', lose: (file: string) => rmSync(file) },
  { case: 'empty', lose: (file: string) => truncateSync(file, 0) },
])('a database that is $case where one was made is refused, and no new cluster begins', async ({ lose }) => {
  const path = directory();
  const store = await openEmbeddedStore({ directory: path, clock });
  await store.commit([{ key: '/registry/a', value: bytes('one') }]);
  await store.close();
  lose(join(path, databaseFile));
  await expect(openEmbeddedStore({ directory: path, clock })).rejects.toMatchObject({ reason: 'damaged' });
  rmSync(join(path, 'made'));
  await expect(openEmbeddedStore({ directory: path, clock, mustExist: true })).rejects.toThrow(/missing|empty/);
});

test('an interrupted first start leaves no files', async () => {
  const path = directory();
  writeFileSync(join(path, `${databaseFile}.new`), Buffer.alloc(5_000, 1));
  const store = await openEmbeddedStore({ directory: path, clock });
  expect(await store.revision()).toBe(1);
  await store.close();
});

test('a damaged record is reported by its key', async () => {
  const path = directory();
  const store = await openEmbeddedStore({ directory: path, clock });
  for (const name of ['a', 'b', 'c']) await store.commit([{ key: `/registry/${name}`, value: `the value of ${name}` }]);
  await store.close();
  const file = join(path, databaseFile);
  const content = readFileSync(file);
  for (let at = content.indexOf('the value of b'); at >= 0; at = content.indexOf('the value of b', at + 1))
    content[at] ^= 0x20;
  writeFileSync(file, content);
  await expect(openEmbeddedStore({ directory: path, clock })).rejects.toThrow(/\/registry\/b .*checksum/);
});

/** A record of formats 1 and 2. */
const withoutSum = (entry: Entry): Buffer => encodeEntry(entry).subarray(4);

test('a store of format 2, without checksums, is taken over without its past', async () => {
  const path = directory();
  const { open } = await import('lmdb');
  const env = open<string, string>({ path: join(path, databaseFile), noSubdir: true, maxDbs: 8 });
  const compression = { threshold: 200, dictionary: Buffer.from(dictionary) };
  const meta = env.openDB<string, string>('meta', { encoding: 'string' });
  await meta.put('format', '2');
  await meta.put('revision', '7');
  await env.openDB<string, number>('leases', { encoding: 'string' }).put(3, '60');
  await env.openDB<Buffer, number>('history', { encoding: 'binary', compression }).put(7, Buffer.alloc(400, 1));
  const entries = env.openDB<Buffer, string>('entries', { encoding: 'binary', compression });
  const old = { createRevision: 2, modRevision: 7, lease: 3 };
  for (const name of ['a', 'b'])
    await entries.put(`/registry/${name}`, withoutSum({ key: `/registry/${name}`, value: name.repeat(5_000), ...old }));
  await env.close();
  for (const again of [false, true]) {
    const store = await openEmbeddedStore({ directory: path, clock });
    expect(await store.revision(), String(again)).toBe(7);
    for (const name of ['a', 'b']) {
      const entry = await store.get(`/registry/${name}`);
      expect(entry).toMatchObject(old);
      expect(textOf(entry!.value)).toBe(name.repeat(5_000));
    }
    await store.keepAlive(3);
    await store.close();
  }
});

test('a store of format 1, without compression, is adopted without its history', async () => {
  const path = directory();
  const { open } = await import('lmdb');
  const env = open<string, string>({ path: join(path, databaseFile), noSubdir: true, maxDbs: 8 });
  await env.openDB('meta', { encoding: 'string' }).put('format', '1');
  await env.openDB<Buffer, number>('history', { encoding: 'binary' }).put(1, Buffer.alloc(40, 1));
  const entry = { key: '/registry/old', value: 'x'.repeat(5_000), createRevision: 1, modRevision: 1, lease: 0 };
  await env.openDB<Buffer, string>('entries', { encoding: 'binary' }).put(entry.key, withoutSum(entry));
  await env.close();
  for (const value of [entry.value, 'y'.repeat(5_000)]) {
    const store = await openEmbeddedStore({ directory: path, clock });
    expect(textOf((await store.get(entry.key))!.value)).toBe(value);
    await store.commit([{ key: entry.key, value: 'y'.repeat(5_000) }]);
    await store.close();
  }
});

test('the dictionary is part of formats 2 and 3: another one makes every store unreadable', () => {
  expect(createHash('sha256').update(dictionary).digest('hex')).toBe(
    '7dfedb73ef20050e7e9e8a3f9073072eecb0da5e45aa46ad07f2f26138556a6d',
  );
});

test('transactions that shared a flush are compacted one by one, also for the next start', async () => {
  const path = directory();
  const store = await openEmbeddedStore({ directory: path, clock });
  const written = await Promise.all(
    ['a', 'b', 'c'].map((key) => store.commit([{ key: `/registry/${key}`, value: key }])),
  );
  const [, second, third] = written.map((result) => (result.ok ? result.revision : 0));
  await store.compact(second);
  await store.close();
  const again = await openEmbeddedStore({ directory: path, clock });
  const everything = prefixRange('/registry/');
  const { signal } = new AbortController();
  for await (const { changes, revision } of again.watch(everything, second, signal)) {
    expect(changes.map((change) => change.type === 'put' && change.entry.key)).toEqual(['/registry/c']);
    expect(revision).toBe(third);
    break;
  }
  await expect(again.get('/registry/a', second - 1)).rejects.toMatchObject({ name: 'Compacted' });
  expect((await again.range(everything, { at: second })).entries).toHaveLength(2);
  await again.close();
});

test('another format version is refused', async () => {
  const path = directory();
  await (await openEmbeddedStore({ directory: path, clock })).close();
  const { open } = await import('lmdb');
  const env = open({ path: join(path, databaseFile), noSubdir: true, maxDbs: 8 });
  await env.openDB('meta', { encoding: 'string' }).put('format', '9');
  await env.close();
  await expect(openEmbeddedStore({ directory: path, clock })).rejects.toMatchObject({ reason: 'version' });
});

test('a store is restored into an empty directory only, at the given revision', async () => {
  const entry = { key: '/registry/a', value: bytes('one'), createRevision: 2, modRevision: 3, lease: 0 };
  const leased = { ...entry, key: '/registry/b', lease: 7 };
  const content = async function* (): AsyncIterable<StoredPart> {
    yield { type: 'lease', lease: 7, seconds: 5 };
    yield { type: 'entries', entries: [entry, leased] };
  };
  const path = directory();
  const failing = async function* () {
    yield* content();
    throw new Error('cut off');
  };
  await expect(restoreEmbeddedStore({ directory: path, revision: 1000 }, failing())).rejects.toThrow('cut off');
  expect(existsSync(join(path, databaseFile))).toBe(false);
  await restoreEmbeddedStore({ directory: path, revision: 1000 }, content());
  const passing = new VirtualClock();
  const store = await openEmbeddedStore({ directory: path, clock: passing });
  expect(await store.revision()).toBe(1000);
  expect(await store.get('/registry/a')).toMatchObject({ createRevision: 1000, modRevision: 1000 });
  await expect(store.get('/registry/a', 999)).rejects.toThrow('compacted');
  const watch = store.watch({ start: '/', end: '0' }, 999, new AbortController().signal)[Symbol.asyncIterator]();
  await expect(watch.next()).rejects.toThrow('compacted');
  expect(await store.get('/registry/b')).toMatchObject({ lease: 7 });
  await passing.advance(6000);
  await eventually(async () => expect(await store.get('/registry/b')).toBeUndefined());
  await store.close();
  await expect(restoreEmbeddedStore({ directory: path, revision: 1 }, content())).rejects.toThrow(/empty directory/);
});

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++)
    try {
      return await check();
    } catch (error) {
      if (tries > 100) throw error;
      await systemClock.sleep(20);
    }
}

const canMount = (() => {
  try {
    const path = directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path], { stdio: 'ignore' });
    execFileSync('umount', [path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!canMount)(
  'a full disk rejects writes with the cause, keeps its entries, and recovers',
  async () => {
    const path = directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path]);
    try {
      const diskClock = new VirtualClock();
      const store = await openEmbeddedStore({ directory: join(path, 'store'), clock: diskClock });
      const lease = await store.grantLease(5);
      await store.commit([{ key: '/leased', value: 'x', lease }]);
      let written = 0;
      let failure: unknown;
      for (; written < 100 && !failure; written++)
        await store
          .commit([{ key: `/registry/${written}`, value: noise(100_000) }])
          .catch((error) => (failure = error));
      expect(failure).toMatchObject({ reason: 'disk-full' });
      expect(await store.health()).toMatchObject({
        message: expect.stringMatching(/disk .* is full/),
        canBeRead: true,
      });
      expect((await store.range(prefixRange('/registry/'))).entries).toHaveLength(written - 1);
      await diskClock.advance(6_000);
      await eventually(async () => expect(await store.health()).toBeDefined());
      execFileSync('mount', ['-o', 'remount,size=30m', path]);
      await eventually(async () => expect(await store.health()).toBeUndefined());
      await store.commit([{ key: '/registry/after', value: bytes('x') }]);
      expect(await store.get('/registry/after')).toBeDefined();
      // Leases that expired during the failure are removed now.
      await diskClock.advance(20_000);
      await eventually(async () => expect(await store.get('/leased')).toBeUndefined());
      await store.close();
    } finally {
      execFileSync('umount', ['-l', path]);
    }
  },
  20_000,
);

test.skipIf(!canMount)(
  'on a full disk deletions and small updates work, even if other data takes all space',
  async () => {
    const path = directory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', path]);
    try {
      const options = { directory: join(path, 'store'), clock: new VirtualClock() };
      let store = await openEmbeddedStore(options);
      const large = 40;
      for (let i = 0; i < large; i++) await store.commit([{ key: `/registry/${i}`, value: noise(60_000) }]);
      await store.commit([{ key: '/lease', value: noise(300) }]);
      const takeAll = () =>
        spawnSync('dd', ['if=/dev/zero', `of=${join(path, 'other')}`, 'bs=4k', 'oflag=append', 'conv=notrunc']);
      takeAll();
      const fill = async () => {
        for (let i = 0; i < 1_000; i++) await store.commit([{ key: `/more/${i}`, value: noise(9_000) }]);
      };
      await expect(fill()).rejects.toMatchObject({ reason: 'disk-full', message: /only deletions/ });
      expect(await store.health()).toMatchObject({ message: expect.stringMatching(/only deletions/), canBeRead: true });
      for (let i = 0; i < 300; i++)
        expect(await store.commit([{ key: '/lease', value: noise(300) }])).toMatchObject({ ok: true });
      await store.close();
      store = await openEmbeddedStore(options);
      for (let i = 0; i < large; i++) {
        takeAll();
        expect(await store.commit([{ key: `/registry/${i}` }])).toMatchObject({ ok: true });
      }
      expect((await store.range(prefixRange('/registry/'))).entries).toEqual([]);
      // Other writes may use the space freed by deletions.
      await store.commit([{ key: '/registry/new', value: noise(60_000) }]);
      await store.close();
    } finally {
      execFileSync('umount', ['-l', path]);
    }
  },
  20_000,
);

test('64 writers at once share flushes', async () => {
  const store = await openEmbeddedStore({ directory: directory(), clock });
  const started = performance.now();
  const each = 100;
  await Promise.all(
    Array.from({ length: 64 }, async (_, writer) => {
      for (let i = 0; i < each; i++)
        await store.commit([{ key: `/registry/${writer}/${i}`, value: new Uint8Array(1000), expected: 0 }]);
    }),
  );
  const rate = (64 * each) / ((performance.now() - started) / 1000);
  // Far below the rate of an idle machine (see bench/), far above one flush per write.
  expect(rate).toBeGreaterThan(2_000);
  await store.close();
});
