import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeWhole } from './write-whole.ts';

const home = mkdtempSync(path.join(tmpdir(), 'coracle-whole-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('a reader of a file that is written again and again sees a whole text', async () => {
  const file = path.join(home, 'config');
  const text = 'x'.repeat(200_000);
  await writeWhole(file, text, 0o600);
  let isWriting = true;
  const writing = (async () => {
    for (let i = 0; i < 30; i++) await writeWhole(file, text, 0o600);
    isWriting = false;
  })();
  while (isWriting) {
    expect(readFileSync(file, 'utf8').length).toBe(text.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(home)).toEqual(['config']);
});

test('a link stays one', async () => {
  symlinkSync(path.join(home, 'config'), path.join(home, 'link'));
  await writeWhole(path.join(home, 'link'), 'new');
  expect(readFileSync(path.join(home, 'config'), 'utf8')).toBe('new');
});
