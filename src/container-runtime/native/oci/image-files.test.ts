import { execFileSync } from 'node:child_process';
import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { accountsOf } from './image-files.ts';

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(path.join(tmpdir(), 'coracle-tree-'));
  mkdirSync(path.join(tree, 'etc'));
});
afterEach(() => rmSync(tree, { recursive: true }));

/** The paths that are opened or read while `work` runs. */
function openedBy(work: () => void): unknown[] {
  const { openSync, readFileSync } = fs;
  const opened: unknown[] = [];
  const recorded =
    <Given extends readonly unknown[], Result>(call: (...given: Given) => Result) =>
    (...given: Given) => {
      opened.push(given[0]);
      return call(...given);
    };
  Object.assign(fs, { openSync: recorded(openSync), readFileSync: recorded(readFileSync) });
  syncBuiltinESMExports();
  try {
    work();
  } finally {
    Object.assign(fs, { openSync, readFileSync });
    syncBuiltinESMExports();
  }
  return opened;
}

test('the files are read, through links within the tree', () => {
  writeFileSync(path.join(tree, 'etc/passwd'), 'one');
  writeFileSync(path.join(tree, 'groups'), 'two');
  symlinkSync('/groups', path.join(tree, 'etc/group'));
  expect(openedBy(() => expect(accountsOf(tree)).toEqual({ passwd: 'one', group: 'two' }))).toHaveLength(2);
});

test('a pipe is not opened to find out that it is no file', () => {
  // A device acts when it is opened: a watchdog restarts the machine.
  execFileSync('mkfifo', [path.join(tree, 'etc/passwd'), path.join(tree, 'etc/group')]);
  expect(openedBy(() => expect(accountsOf(tree)).toEqual({ passwd: '', group: '' }))).toEqual([]);
});
