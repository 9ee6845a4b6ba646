import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { prefixRange } from '../interface.ts';
import { openEmbeddedStore } from './embedded.ts';

const directories: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'coracle-store-'));
  directories.push(path);
  return path;
}
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);
const clock = new VirtualClock();

const fsyncs = [
  ['with fsync', false],
  ['without fsync', true],
] as const;

test.each(fsyncs)('entries and recent history survive a restart, %s', async (_, unsafeNoFsync) => {
  const path = directory();
  let store = await openEmbeddedStore({ directory: path, clock, unsafeNoFsync });
  await store.commit([{ key: '/registry/a', value: bytes('one') }]);
  await store.commit([{ key: '/registry/a', value: bytes('two') }]);
  await store.commit([{ key: '/registry/b', value: bytes('b') }]);
  await store.commit([{ key: '/registry/a' }]);
  await store.close();
  store = await openEmbeddedStore({ directory: path, clock, unsafeNoFsync });
  expect(await store.revision()).toBe(5);
  expect((await store.range(prefixRange('/registry/'))).entries.map((entry) => entry.key)).toEqual(['/registry/b']);
  expect(Buffer.from((await store.get('/registry/a', 3))!.value).toString()).toBe('two');
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { changes } of store.watch(prefixRange('/registry/'), 2, stop.signal)) {
    for (const change of changes) seen.push(`${change.type} ${change.type === 'put' ? change.entry.key : change.key}`);
    if (seen.length === 3) stop.abort();
  }
  expect(seen).toEqual(['put /registry/a', 'put /registry/b', 'delete /registry/a']);
  await store.compact(4);
  await store.close();
  store = await openEmbeddedStore({ directory: path, clock, unsafeNoFsync });
  await expect(store.get('/registry/a', 3)).rejects.toThrow(/compacted/);
  await store.close();
});

test('a store without fsync may be opened with it after it was closed', async () => {
  const path = directory();
  let store = await openEmbeddedStore({ directory: path, clock, unsafeNoFsync: true });
  for (let i = 0; i < 50; i++) await store.commit([{ key: `/registry/${i}`, value: bytes('x') }]);
  await store.close();
  store = await openEmbeddedStore({ directory: path, clock });
  expect((await store.range(prefixRange('/registry/'))).entries).toHaveLength(50);
  await store.close();
});

test.each(fsyncs)(
  'kill -9 loses no acknowledged write, and leaves the directory usable, %s',
  async (_, unsafeNoFsync) => {
    const path = directory();
    const program = `
    import { openEmbeddedStore } from ${JSON.stringify(join(import.meta.dirname, 'embedded.ts'))};
    import { systemClock } from ${JSON.stringify(join(import.meta.dirname, '../../machinery/time/clock.ts'))};
    const store = await openEmbeddedStore({ directory: ${JSON.stringify(path)}, clock: systemClock, unsafeNoFsync: ${unsafeNoFsync} });
    for (let i = 0; ; i++) {
      await store.commit([{ key: '/registry/' + String(i).padStart(6, '0'), value: new Uint8Array(100) }]);
      console.log(i);
    }`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const piece of child.stdout) {
      output += piece;
      if (output.length > 200) {
        // A living process holds the directory.
        if (child.signalCode === null && !child.killed) {
          await expect(openEmbeddedStore({ directory: path, clock })).rejects.toMatchObject({ reason: 'in-use' });
          child.kill('SIGKILL');
        }
      }
    }
    // Its output ends before the process, which holds the directory until then.
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const last = Number(output.trimEnd().split('\n').at(-1));
    const store = await openEmbeddedStore({ directory: path, clock, unsafeNoFsync });
    expect((await store.range(prefixRange('/registry/'))).entries.length).toBeGreaterThanOrEqual(last + 1);
    await store.close();
  },
  20_000,
);
