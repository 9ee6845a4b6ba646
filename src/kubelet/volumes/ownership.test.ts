import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { giveToGroup } from './ownership.ts';

let directory: string;
let outside: string;
beforeEach(() => {
  [directory, outside] = ['in', 'out'].map((name) => mkdtempSync(path.join(tmpdir(), `coracle-group-${name}-`)));
  mkdirSync(path.join(directory, 'deep'));
  for (const file of ['deep/file', 'script']) writeFileSync(path.join(directory, file), '');
  chmodSync(path.join(directory, 'deep/file'), 0o400);
  chmodSync(path.join(directory, 'script'), 0o755);
  writeFileSync(path.join(outside, 'secret'), '', { mode: 0o600 });
  symlinkSync(path.join(outside, 'secret'), path.join(directory, 'link'));
});
afterEach(() => [directory, outside].forEach((each) => void rmSync(each, { recursive: true })));

const stateOf = (file: string, root = directory) => {
  const { gid, mode } = lstatSync(path.join(root, file));
  return `${gid} ${(mode & 0o7777).toString(8)}`;
};

const asRoot = test.skipIf(process.getuid?.() !== 0);

asRoot('the group may use every file, and owns new ones', async () => {
  await giveToGroup(directory, 4321, undefined);
  expect(['', 'deep', 'deep/file', 'script'].map((file) => stateOf(file))).toEqual([
    '4321 2770',
    '4321 2775',
    '4321 660',
    '4321 775',
  ]);
});

asRoot('a link gets the group, and its target stays as it is', async () => {
  const before = stateOf('secret', outside);
  await giveToGroup(directory, 4321, undefined);
  expect(lstatSync(path.join(directory, 'link')).gid).toBe(4321);
  expect(stateOf('secret', outside)).toBe(before);
});

asRoot('with OnRootMismatch a directory that is right stays untouched', async () => {
  await giveToGroup(directory, 4321, undefined);
  chownSync(path.join(directory, 'script'), 0, 0);
  await giveToGroup(directory, 4321, 'OnRootMismatch');
  expect(lstatSync(path.join(directory, 'script')).gid).toBe(0);
  await giveToGroup(directory, 4322, 'OnRootMismatch');
  expect(lstatSync(path.join(directory, 'script')).gid).toBe(4322);
});
