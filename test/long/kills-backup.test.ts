// Backups and restores whose program is killed at random moments. A backup is whole or absent. A restore leaves the
// former cluster or the restored one, with objects and keys that belong together, in the embedded store and in etcd.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupBytes, inspectBackup, openPlace, packBackup } from '../../src/cluster/backup/backup.ts';
import { settleRestore } from '../../src/cluster/backup/settle.ts';
import { dataDirectory } from '../../src/cluster/data-directory.ts';
import { systemClock as clock } from '../../src/machinery/time/clock.ts';
import { createMemoryStore, openStore, type Store } from '../../src/store/store.ts';
import { isLong, rounds, seeded } from './long.ts';

const home = mkdtempSync(path.join(tmpdir(), 'coracle-backup-kills-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});
const program = path.resolve(import.meta.dirname, '../../dist/coracle.js');
const place = (name: string) => path.join(home, name);
const objects = 1500;

/** Writes the backup of a cluster whose objects and key carry a letter. */
async function makeBackup(letter: string): Promise<string> {
  const directory = dataDirectory(place(`source-${letter}`));
  mkdirSync(directory.pki, { recursive: true });
  writeFileSync(path.join(directory.pki, 'ca.key'), letter);
  const store = createMemoryStore({ clock });
  for (let i = 0; i < objects; i += 100)
    await store.commit(
      Array.from({ length: 100 }, (_, k) => ({
        key: `/registry/configmaps/${letter}/${i + k}`,
        value: `${letter}${i + k} `.repeat(400),
      })),
    );
  const saved = { name: 'c', store: 'embedded', flags: {} } as const;
  const file = place(`${letter}.backup`);
  const { folder, name } = openPlace(file, { scratch: home, environment: {} });
  await folder.write(name, packBackup(backupBytes({ directory, store, clock, saved }), {}));
  await store.close();
  return file;
}

/** Runs the program; killed after `killMs`, it resolves with true. */
function run(
  args: readonly string[],
  killMs = Number.POSITIVE_INFINITY,
): Promise<{ wasKilled: boolean; text: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  const timer = Number.isFinite(killMs) ? setTimeout(() => child.kill('SIGKILL'), killMs) : undefined;
  return new Promise((resolve) =>
    child.on('close', (_, signal) => {
      clearTimeout(timer);
      children.delete(child);
      resolve({ wasKilled: signal === 'SIGKILL', text });
    }),
  );
}

/** The time of a whole run, from which random moments of it are taken. */
async function measured(args: readonly string[]): Promise<number> {
  const beginMs = performance.now();
  const { text } = await run(args);
  expect(text).toMatch(/complete|restored/);
  return performance.now() - beginMs;
}

/** The letter of all objects. */
async function letterIn(store: Store): Promise<string> {
  const { entries } = await store.range({ start: '/registry/', end: '/registry0' });
  const letters = new Set(entries.map(({ key }) => key.split('/')[3]));
  expect([...letters], 'objects of one cluster').toHaveLength(1);
  expect(entries).toHaveLength(objects);
  return [...letters][0];
}

const keyIn = (root: string) => readFileSync(path.join(root, 'pki/ca.key'), 'utf8');

describe('kills', () => {
  const files: Record<string, string> = {};
  beforeAll(async () => {
    for (const letter of ['a', 'b']) files[letter] = await makeBackup(letter);
  });

  test('of a backup leave no file or a whole one', async () => {
    const random = seeded('kills of backups');
    const root = place('live');
    await run(['restore', files['a'], '--data-dir', root, '--yes']);
    const create = (file: string) => ['backup', 'create', file, '--data-dir', root];
    const wholeMs = await measured(create(place('first.backup')));
    const seen = { whole: 0, absent: 0 };
    for (let round = 0; round < rounds(4, 150); round++) {
      const file = place(`round-${round}.backup`);
      await run(create(file), wholeMs * (0.2 + random.next()));
      if (existsSync(file)) {
        const { folder, name } = openPlace(file, { scratch: home, environment: {} });
        expect((await inspectBackup(folder.read(name), {})).objects).toBe(objects);
        rmSync(file);
        seen.whole++;
      } else seen.absent++;
    }
    if (isLong) expect(Math.min(seen.whole, seen.absent), JSON.stringify(seen)).toBeGreaterThan(5);
    const { text } = await run(create(place('last.backup')));
    expect(text, 'no remains are in the way').toMatch(/complete/);
  }, 600_000);

  test('of a restore leave the former cluster or the restored one', async () => {
    const random = seeded('kills of restores');
    const root = place('restored');
    const directory = dataDirectory(root);
    const restore = (letter: string) => ['restore', files[letter], '--data-dir', root, '--yes'];
    await run(restore('a'));
    const wholeMs = await measured(restore('a'));
    const seen = { former: 0, restored: 0 };
    for (let round = 0, current = 'a'; round < rounds(5, 150); round++) {
      const next = current === 'a' ? 'b' : 'a';
      await run(restore(next), wholeMs * (0.3 + random.next() * 0.9));
      await settleRestore(directory, clock);
      const store = await openStore({ kind: 'embedded', clock, directory: directory.store, mustExist: true });
      const found = await letterIn(store);
      await store.close();
      expect(keyIn(root), 'the key belongs to the objects').toBe(found);
      seen[found === current ? 'former' : 'restored']++;
      current = found;
    }
    if (isLong) expect(Math.min(seen.former, seen.restored), JSON.stringify(seen)).toBeGreaterThan(5);
  }, 600_000);

  test.skipIf(!hasEtcd())(
    'of a restore into etcd leave the former cluster, or the restored one when it is finished',
    async () => {
      const random = seeded('kills of restores into etcd');
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const peer = `http://127.0.0.1:${await freePort()}`;
      const options = {
        'data-dir': place('etcd'),
        ...{ 'listen-client-urls': endpoint, 'advertise-client-urls': endpoint },
        ...{ 'listen-peer-urls': peer, 'initial-advertise-peer-urls': peer, 'initial-cluster': `default=${peer}` },
      };
      const etcd = spawn(
        'etcd',
        Object.entries(options).map(([name, value]) => `--${name}=${value}`),
        { stdio: 'ignore' },
      );
      children.add(etcd);
      const root = place('with-etcd');
      const directory = dataDirectory(root);
      // A cluster that has just stopped is not awaited: nothing else writes here.
      const restore = (letter: string) => [
        'restore',
        files[letter],
        '--data-dir',
        root,
        '--yes',
        '--etcd-endpoints',
        endpoint,
      ];
      const open = () => openStore({ kind: 'etcd', clock, endpoints: [endpoint] });
      await ready(open);
      await run(restore('a'));
      const wholeMs = await measured(restore('a'));
      const seen = { former: 0, restored: 0, marked: 0 };
      let newest = 0;
      for (let round = 0, current = 'a'; round < rounds(1, 40); round++) {
        const next = current === 'a' ? 'b' : 'a';
        await run(restore(next), wholeMs * (0.8 + random.next() * 0.22));
        const early = await open().catch((error: Error) => error);
        if (early instanceof Error) {
          expect(early.message).toMatch(/did not finish/);
          seen.marked++;
        } else await early.close();
        await settleRestore(directory, clock);
        const store = await open();
        const found = await letterIn(store);
        expect(await store.revision(), 'revisions only rise').toBeGreaterThanOrEqual(newest);
        newest = await store.revision();
        await store.close();
        expect(keyIn(root), 'the key belongs to the objects').toBe(found);
        seen[found === current ? 'former' : 'restored']++;
        current = found;
      }
      if (isLong) expect(seen.restored, JSON.stringify(seen)).toBeGreaterThan(5);
      etcd.kill('SIGKILL');
    },
    900_000,
  );
});

async function ready(open: () => Promise<Store>): Promise<void> {
  for (let tries = 0; ; tries++)
    try {
      return await (await open()).close();
    } catch (error) {
      if (tries > 50) throw error;
      await clock.sleep(100);
    }
}

function hasEtcd(): boolean {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
