import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { dataDirectory } from './data-directory.ts';

describe("a data directory has the kernel's path", () => {
  const home = realpathSync(mkdtempSync(path.join(tmpdir(), 'coracle-data-')));
  afterAll(() => rmSync(home, { recursive: true }));
  mkdirSync(path.join(home, 'disk', 'there'), { recursive: true });
  symlinkSync('disk', path.join(home, 'link'));
  symlinkSync('nowhere', path.join(home, 'dangling'));

  test.each([
    ['disk/there', 'disk/there'],
    ['link/there', 'disk/there'],
    ['link/there/', 'disk/there'],
    ['link/new', 'disk/new'],
    ['link/new/below', 'disk/new/below'],
    ['link/../link', 'disk'],
    ['dangling', 'dangling'],
  ])('%s', (given, real) => {
    const { root, store } = dataDirectory(`${home}/${given}`);
    expect([root, store]).toEqual([path.join(home, real), path.join(home, real, 'store')]);
  });
});
