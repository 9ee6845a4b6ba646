import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { identityOf, isRunning, readIdentity } from './process-identity.ts';

test.skipIf(process.platform !== 'linux')(
  'a process is running until it ends, and differs from another with its id',
  async () => {
    const child = spawn('sleep', ['1000']);
    await once(child, 'spawn');
    const identity = await identityOf(child.pid ?? 0);
    expect(await isRunning(identity)).toBe(true);
    expect(await isRunning({ ...identity, started: `${identity.started}0` })).toBe(false);
    expect(await isRunning({ pid: identity.pid })).toBe(false);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await isRunning(identity)).toBe(false);
  },
);

test.each([
  ['a whole one', '{"pid":1,"started":"a 2"}', { pid: 1, started: 'a 2' }],
  ['half of one', '{"pid":1', undefined],
  ['an empty one', '', undefined],
])('the process that a file names: %s', async (_, text, expected) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'coracle-identity-'));
  writeFileSync(path.join(directory, 'run.json'), text);
  expect(await readIdentity(path.join(directory, 'run.json'))).toEqual(expected);
  expect(await readIdentity(path.join(directory, 'none.json'))).toBeUndefined();
  rmSync(directory, { recursive: true });
});
