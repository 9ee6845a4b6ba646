import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { removeLog } from './log-files.ts';
import { rotateAll } from './log-rotation.ts';
import { type LogOptions, readLog } from './logs.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-logs-'));
  file = path.join(directory, '0.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

const line = (second: number, text: string, stream = 'stdout', tag = 'F') =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z ${stream} ${tag} ${text}\n`;
const sample = [
  line(1, 'one'),
  line(2, 'oops', 'stderr'),
  line(3, 'thr', 'stdout', 'P'),
  line(3, 'ee'),
  line(4, ''),
  line(5, 'fünf  mit  Leerzeichen'),
].join('');

const allOf = async (options: Partial<LogOptions>, nowMs = Date.parse('2026-01-01T00:00:06Z')) => {
  const clock = { ...systemClock, now: () => nowMs };
  const parts: Buffer[] = [];
  const reading = readLog(
    { root: directory, file },
    { follow: false, timestamps: false, ...options },
    clock,
    () => false,
    new AbortController().signal,
  );
  for await (const part of reading) parts.push(part);
  return Buffer.concat(parts).toString();
};

describe('readLog', () => {
  test.each<[string, Partial<LogOptions>, string]>([
    ['all of it', {}, 'one\noops\nthree\n\nfünf  mit  Leerzeichen\n'],
    ['the last lines, pieces of one line counting as one', { tailLines: 3 }, 'three\n\nfünf  mit  Leerzeichen\n'],
    ['no lines', { tailLines: 0 }, ''],
    ['more lines than there are', { tailLines: 99 }, 'one\noops\nthree\n\nfünf  mit  Leerzeichen\n'],
    ['the last seconds', { sinceSeconds: 2 }, '\nfünf  mit  Leerzeichen\n'],
    ['since a time', { sinceTime: '2026-01-01T00:00:05Z' }, 'fünf  mit  Leerzeichen\n'],
    ['so many bytes', { limitBytes: 6 }, 'one\noo'],
    ['one stream', { stream: 'Stderr' }, 'oops\n'],
    ['all streams', { stream: 'All', tailLines: 5, limitBytes: 8 }, 'one\noops'],
    [
      'with times',
      { timestamps: true, tailLines: 2 },
      '2026-01-01T00:00:04.000000000Z \n2026-01-01T00:00:05.000000000Z fünf  mit  Leerzeichen\n',
    ],
    [
      'the time of a line in pieces, once',
      { timestamps: true, sinceTime: '2026-01-01T00:00:03Z', limitBytes: 37 },
      '2026-01-01T00:00:03.000000000Z three\n',
    ],
  ])('%s', async (_, options, text) => {
    writeFileSync(file, sample);
    expect(await allOf(options)).toBe(text);
  });

  test('the end of a large log is read without its beginning, over blocks and rotated files', async () => {
    const big = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => line(1, `${from + i} ${'x'.repeat(i % 200)}`)).join('');
    writeFileSync(`${file}.20260101-000000.gz`, gzipSync(big(0, 1000)));
    writeFileSync(`${file}.20260101-000001`, big(1000, 1000));
    writeFileSync(file, big(2000, 1000));
    for (const count of [1, 2, 500, 999, 1000, 1001, 1500, 2000, 2001, 2999, 3000, 4000]) {
      const lines = (await allOf({ tailLines: count })).trimEnd().split('\n');
      expect([lines.length, lines[0].split(' ')[0]]).toEqual([
        Math.min(count, 3000),
        String(Math.max(0, 3000 - count)),
      ]);
    }
    // A sparse file would take minutes to read from its beginning.
    truncateSync(file, 2 ** 36);
    appendFileSync(file, `\n${line(5, 'zero')}${line(5, 'one')}${line(5, 'two')}`);
    expect(await allOf({ tailLines: 2 })).toBe('one\ntwo\n');
    expect(await allOf({ tailLines: 1, stream: 'Stdout' })).toBe('two\n');
  });

  test('a last line without newline is a line', async () => {
    writeFileSync(file, sample + line(5, 'DO', 'stdout', 'P') + line(5, 'NE', 'stdout', 'P'));
    expect(await allOf({ tailLines: 1 })).toBe('DONE');
    expect(await allOf({ tailLines: 2 })).toBe('fünf  mit  Leerzeichen\nDONE');
  });

  test('an entry without end is read in pieces', async () => {
    writeFileSync(file, line(1, 'x'.repeat(3 * 2 ** 20)) + line(2, 'two'));
    const text = await allOf({});
    expect([text.length, text.slice(-6)]).toEqual([3 * 2 ** 20 + 5, 'x\ntwo\n']);
    expect(await allOf({ tailLines: 1 })).toBe('two\n');
  });

  test.each([
    ['a link in place of the log', () => symlinkSync('/etc/passwd', file)],
    ['a FIFO', () => void execFileSync('mkfifo', [file])],
    [
      'a link in place of its directory',
      () => {
        symlinkSync('/etc', path.join(directory, 'link'));
        file = path.join(directory, 'link', 'passwd');
      },
    ],
    ['a link in place of a rotated file', () => symlinkSync('/etc/passwd', `${file}.20260101-000000`)],
  ])('%s is not read', async (_, make) => {
    make();
    expect(await allOf({})).toBe('');
    expect(await allOf({ tailLines: 2 })).toBe('');
  });

  test('a log that does not exist is empty', async () => expect(await allOf({})).toBe(''));

  test('a half-written last line waits for its rest', async () => {
    writeFileSync(file, `${line(1, 'one')}2026-01-01T00:00:02`);
    expect(await allOf({})).toBe('one\n');
  });

  test('rotated files come first, compressed or not', async () => {
    writeFileSync(`${file}.20260101-000000.gz`, gzipSync(line(1, 'first')));
    writeFileSync(`${file}.20260101-000001`, line(2, 'second'));
    writeFileSync(`${file}.20260101-000001.gz`, gzipSync(line(2, 'second'))); // before it replaces the other
    writeFileSync(`${file}.20260101-000001.tmp`, 'half');
    writeFileSync(file, line(3, 'third'));
    expect(await allOf({})).toBe('first\nsecond\nthird\n');
    expect(await allOf({ tailLines: 2 })).toBe('second\nthird\n');
  });

  test('follows until the container has ended, across a rotation', async () => {
    writeFileSync(file, line(1, 'one'));
    let running = true;
    let text = '';
    const reading = readLog(
      { root: directory, file },
      { follow: true, timestamps: false },
      systemClock,
      () => running,
      new AbortController().signal,
    );
    const done = (async () => {
      for await (const part of reading) text += part;
    })();
    await expect.poll(() => text).toBe('one\n');
    appendFileSync(file, line(2, 'two'));
    renameSync(file, `${file}.20260101-000002`);
    writeFileSync(file, line(3, 'three'));
    await expect.poll(() => text).toBe('one\ntwo\nthree\n');
    appendFileSync(file, line(4, 'last'));
    running = false;
    await done;
    expect(text).toBe('one\ntwo\nthree\nlast\n');
  });

  test('following ends when the client hangs up', async () => {
    writeFileSync(file, line(1, 'one'));
    const client = new AbortController();
    const reading = readLog(
      { root: directory, file },
      { follow: true, timestamps: false },
      systemClock,
      () => true,
      client.signal,
    );
    expect((await reading.next()).value!.toString()).toBe('one\n');
    client.abort();
    expect(await reading.next()).toEqual({ done: true, value: undefined });
  });
});

describe('rotation', () => {
  const clock = new VirtualClock(Date.parse('2026-05-06T07:08:09Z'));
  const reopened: string[] = [];
  const tools = (reopen: (id: string) => Promise<void>, state: ContainerStatus['state'] = 'running') => ({
    config: { containerLogMaxSize: 100, containerLogMaxFiles: 3, podLogsDirectory: directory },
    runtime: {
      listContainers: async () => [{ id: 'c', state, logPath: file } as ContainerStatus],
      reopenContainerLog: reopen,
    },
    clock,
    logger: silentLogger,
  });
  const reopen = async (id: string) => {
    reopened.push(id);
    writeFileSync(file, '');
  };
  const names = () => readdirSync(directory).sort();

  test('a log below the limit, and that of a container which ended, stay', async () => {
    writeFileSync(file, 'x'.repeat(99));
    await rotateAll(tools(reopen));
    writeFileSync(file, 'x'.repeat(200));
    await rotateAll(tools(reopen, 'exited'));
    expect(names()).toEqual(['0.log']);
    expect(reopened).toEqual([]);
  });

  test('a full log is renamed, older ones are compressed, the oldest is deleted', async () => {
    writeFileSync(`${file}.20260101-000000.gz`, gzipSync('oldest'));
    writeFileSync(`${file}.20260102-000000`, 'older');
    writeFileSync(file, 'x'.repeat(100));
    await rotateAll(tools(reopen));
    expect(reopened).toEqual(['c']);
    expect(names()).toEqual(['0.log', '0.log.20260102-000000.gz', '0.log.20260506-070809']);
    expect(gunzipSync(readFileSync(`${file}.20260102-000000.gz`)).toString()).toBe('older');
    expect(readFileSync(`${file}.20260506-070809`, 'utf8')).toBe('x'.repeat(100));
  });

  test('links that a pod plants beside its log lead nowhere', async () => {
    const victim = path.join(directory, 'victim');
    writeFileSync(victim, 'untouched');
    writeFileSync(`${file}.20260102-000000`, 'older');
    symlinkSync(victim, `${file}.20260102-000000.tmp`);
    symlinkSync(victim, `${file}.20260103-000000`);
    writeFileSync(file, 'x'.repeat(100));
    await rotateAll(tools(reopen));
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    rmSync(file);
    symlinkSync('/dev/zero', file);
    await rotateAll(tools(reopen));
    expect(reopened).toHaveLength(2);
  });

  test('a runtime that cannot reopen its log keeps the file', async () => {
    writeFileSync(file, 'x'.repeat(100));
    await rotateAll(tools(() => Promise.reject(new Error('no'))));
    expect(names()).toEqual(['0.log']);
    expect(readFileSync(file, 'utf8')).toBe('x'.repeat(100));
  });

  test('a log is removed with all that it was rotated into', async () => {
    mkdirSync(path.join(directory, 'other'));
    for (const name of ['0.log', '0.log.20260102-000000.gz', '0.log.20260506-070809', '1.log'])
      writeFileSync(path.join(directory, name), '');
    await removeLog({ root: directory, file });
    expect(names()).toEqual(['1.log', 'other']);
  });
});
