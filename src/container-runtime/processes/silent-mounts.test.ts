import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentPath } from './silent-mounts.ts';

const hasFuse = process.getuid?.() === 0 && existsSync('/dev/fuse');
let directory: string;
let server: number | undefined;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'coracle-silent-')));
});
afterEach(() => {
  if (server !== undefined) closeSync(server); // ends the calls that wait for it
  server = undefined;
  spawnSync('umount', ['-n', '-l', '-q', path.join(directory, 'a b')]);
  rmSync(directory, { recursive: true });
});

/** A file system whose server never answers. */
function mountSilent(): string {
  const at = path.join(directory, 'a b');
  mkdirSync(at);
  server = openSync('/dev/fuse', 'r+');
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  execFileSync('mount', ['-i', '-n', '-t', 'fuse', '-o', options, 'none', at], {
    stdio: ['ignore', 'ignore', 'inherit', server],
  });
  return at;
}

test.skipIf(!hasFuse)('paths on a file system that does not answer are found in time', async () => {
  const at = mountSilent();
  const began = performance.now();
  expect(await silentPath([directory, `${at}/file`], 200)).toBe(`${at}/file`);
  expect(await silentPath([at, at, at], 200)).toBe(at);
  expect(await silentPath([directory, `${at}x`, '/proc/self', '/nosuch'], 200)).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(5_000);
  // No thread of this process waits for it.
  expect(await readFile('/proc/self/comm', 'utf8')).not.toBe('');
});

test('paths on local file systems are not asked', async () => {
  const began = performance.now();
  expect(await silentPath(Array.from({ length: 10_000 }, (_, i) => path.join(directory, String(i))))).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(1_000);
});
