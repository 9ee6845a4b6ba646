import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { TerminationMessages } from './termination-messages.ts';

let directory: string;
let file: string;
let logPath: string;
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'coracle-words-')));
  file = path.join(directory, 'kubelet/pods/u/containers/c/0');
  logPath = path.join(directory, 'logs/ns_p_u/c/0.log');
  for (const each of [file, logPath]) fs.mkdirSync(path.dirname(each), { recursive: true });
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const wordsOf = async (policy = 'File', message = '', more: string[] = []) => {
  const containers = ['c', ...more].map((name) => ({ name, terminationMessagePolicy: policy }));
  const pod = { metadata: { name: 'p', uid: 'u' }, spec: { containers } } as unknown as Pod;
  const config = { rootDirectory: path.join(directory, 'kubelet'), podLogsDirectory: path.join(directory, 'logs') };
  const status = { id: 'x', name: 'c', attempt: 0, state: 'exited', exitCode: 1, message, logPath };
  const [found] = await new TerminationMessages(config, systemClock).of(pod, [status as unknown as ContainerStatus]);
  return found.message;
};
const entry = (text: string, tag: string) => `2026-01-01T00:00:00.000000000Z stdout ${tag} ${text}\n`;

test('the last 4096 bytes of the file, as they are', async () => {
  fs.writeFileSync(file, `${'a'.repeat(5000)}END\n`);
  expect(await wordsOf()).toBe(`${'a'.repeat(4092)}END\n`);
});

test.each([
  ['a link to the host', () => fs.symlinkSync('/etc/passwd', file)],
  ['a FIFO', () => void execFileSync('mkfifo', [file])],
  ['a device', () => fs.symlinkSync('/dev/zero', file)],
  [
    'a directory that became a link',
    () => {
      fs.rmdirSync(path.dirname(file));
      fs.mkdirSync(path.join(directory, 'away'));
      fs.writeFileSync(path.join(directory, 'away/0'), 'secret');
      fs.symlinkSync(path.join(directory, 'away'), path.dirname(file));
    },
  ],
])('%s is empty, and does not hang', async (_, make) => {
  make();
  expect(await wordsOf()).toBe('');
});

test.each<[string, string, string]>([
  ['a line without newline', entry('DONE', 'P'), 'DONE'],
  ['a line with newline', entry('DONE', 'F'), 'DONE\n'],
  ['a line in pieces', entry('DO', 'P') + entry('NE', 'F'), 'DONE\n'],
  [
    'the last 80 lines',
    Array.from({ length: 100 }, (_, i) => entry(String(i), 'F')).join(''),
    `${Array.from({ length: 80 }, (_, i) => i + 20).join('\n')}\n`,
  ],
  ['the last 2048 bytes', entry('y'.repeat(3000), 'F'), `${'y'.repeat(2047)}\n`],
])('FallbackToLogsOnError: %s', async (_, log, message) => {
  fs.writeFileSync(file, '');
  fs.writeFileSync(logPath, log);
  expect(await wordsOf('FallbackToLogsOnError')).toBe(message);
  fs.writeFileSync(file, 'said');
  expect(await wordsOf('FallbackToLogsOnError')).toBe('said');
  expect(await wordsOf('File')).toBe('said');
});

test("the runtime's own message comes first", async () => {
  fs.writeFileSync(file, 'said');
  expect(await wordsOf('File', 'exec failed')).toBe('exec failed: said');
});

test('the containers of a pod share 12 KB', async () => {
  fs.writeFileSync(file, 'a'.repeat(4096));
  expect(await wordsOf('File', '', ['d', 'e', 'f'])).toHaveLength(3072);
});
