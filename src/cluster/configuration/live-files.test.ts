import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Logger, silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { LiveFiles, type WatchDirectory } from './live-files.ts';
import { reloadMetrics } from './reload-metrics.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'live-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (name: string) => path.join(directory, name);
/** A document is valid when it ends with a full stop. */
const checked = ([text]: readonly string[]): string => {
  if (!text.endsWith('.')) throw new Error(`no end: ${text}`);
  return text;
};

/** A directory whose changes a test reports by hand. */
function handWatched() {
  const changed: (() => void)[] = [];
  const watchDirectory: WatchDirectory = (_directory, report) => {
    changed.push(report);
    return { close: () => void changed.splice(changed.indexOf(report), 1) };
  };
  return { watchDirectory, report: () => changed.map((report) => report()) };
}

async function opened(options: { watchDirectory?: WatchDirectory; logger?: Logger } = {}) {
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const { watchDirectory = handWatched().watchDirectory, logger = silentLogger } = options;
  const files = new LiveFiles({ clock, logger, watchDirectory });
  const live = await files.open({
    name: '--file',
    files: [at('file')],
    read: checked,
    ...reloadMetrics('authentication', metrics, clock),
  });
  const count = (status: string) =>
    Number(new RegExp(`reloads_total\\{.*status="${status}".*\\} (\\d+)`).exec(metrics.text())?.[1] ?? 0);
  const settled = async (ms: number) => {
    await clock.advance(ms);
    await files.idle();
  };
  return { clock, files, live, count, settled };
}

test('a changed file is read within a minute without any report', async () => {
  await writeFile(at('file'), 'one.');
  const { files, live, settled, count } = await opened();
  files.start();
  await settled(0);
  await writeFile(at('file'), 'two.');
  await settled(59_000);
  expect(live.value).toBe('one.');
  await settled(1_000);
  expect([live.value, count('success'), count('failure')]).toEqual(['two.', 1, 0]);
  await files.stop();
});

test('a change between the first reading and the start of the watch is found', async () => {
  await writeFile(at('file'), 'one.');
  const { files, live, settled } = await opened();
  await writeFile(at('file'), 'two.');
  files.start();
  await settled(0);
  expect(live.value).toBe('two.');
  await files.stop();
});

test('invalid, absent and restored files: the value in use, the counts and the log', async () => {
  await writeFile(at('file'), 'one.');
  const errors: unknown[] = [];
  const logger = { ...silentLogger, error: (_message: string, fields?: object) => void errors.push(fields) };
  const watched = handWatched();
  const { files, live, settled, count } = await opened({ watchDirectory: watched.watchDirectory, logger });
  files.start();
  // The look at the start must not meet a file that is half written.
  await settled(0);
  const step = async (change: () => Promise<void>) => {
    await change();
    watched.report();
    await settled(100);
    return [live.value, count('success'), count('failure')];
  };
  expect(await step(() => writeFile(at('file'), 'tw'))).toEqual(['one.', 0, 1]);
  expect(errors).toEqual([{ name: '--file', files: [at('file')], error: 'no end: tw' }]);
  expect(await step(async () => {})).toEqual(['one.', 0, 1]);
  expect(await step(() => rm(at('file')))).toEqual(['one.', 0, 2]);
  expect(await step(() => writeFile(at('file'), 'one.'))).toEqual(['one.', 0, 2]);
  expect(await step(() => writeFile(at('file'), 'two.'))).toEqual(['two.', 1, 2]);
  await files.stop();
});

test('a value that cannot be brought into use is tried again', async () => {
  await writeFile(at('file'), 'one.');
  const { files, live, settled, count } = await opened();
  let isReady = false;
  const used: string[] = [];
  live.onChange(async (value) => {
    if (!isReady) throw new Error('the issuer does not answer');
    used.push(value);
  });
  files.start();
  await settled(0);
  await writeFile(at('file'), 'two.');
  await settled(60_000);
  expect([live.value, count('failure'), used]).toEqual(['one.', 1, []]);
  isReady = true;
  await settled(60_000);
  expect([live.value, count('success'), used]).toEqual(['two.', 1, ['two.']]);
  await files.stop();
});

test('nothing is read after the stop', async () => {
  await writeFile(at('file'), 'one.');
  const watched = handWatched();
  const { files, live, settled } = await opened({ watchDirectory: watched.watchDirectory });
  files.start();
  await settled(0);
  await files.stop();
  await writeFile(at('file'), 'two.');
  watched.report();
  await settled(120_000);
  expect(live.value).toBe('one.');
});

describe('on a real file system', () => {
  const real = async () => {
    const files = new LiveFiles({ clock: systemClock, logger: silentLogger });
    const live = await files.open({ name: '--file', files: [at('file')], read: checked });
    files.start();
    return { files, shows: (value: string) => vi.waitFor(() => expect(live.value).toBe(value), { timeout: 5_000 }) };
  };

  test('a mounted secret: its files are links into a directory that is swapped', async () => {
    const version = async (name: string, text: string) => {
      await mkdir(at(name));
      await writeFile(at(`${name}/file`), text);
      await symlink(name, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
    };
    await version('..1', 'one.');
    await symlink('..data/file', at('file'));
    const { files, shows } = await real();
    await version('..2', 'two.');
    await rm(at('..1'), { recursive: true });
    await shows('two.');
    await version('..3', 'three.');
    await shows('three.');
    await files.stop();
  });

  test('the last of 100 changes in a row counts, renamed or written in place', async () => {
    await writeFile(at('file'), '0.');
    const { files, shows } = await real();
    for (let i = 1; i <= 100; i++)
      if (i % 2) await writeFile(at('file'), `${i}.`);
      else {
        await writeFile(at('new'), `${i}.`);
        await rename(at('new'), at('file'));
      }
    await shows('100.');
    await writeFile(at('file'), 'half');
    await new Promise((resolve) => setTimeout(resolve, 250));
    await shows('100.');
    await writeFile(at('file'), 'half and the rest.');
    await shows('half and the rest.');
    await files.stop();
  });
});
