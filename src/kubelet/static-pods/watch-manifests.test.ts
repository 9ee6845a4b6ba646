import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { watchManifests } from './watch-manifests.ts';

let directory: string;
let stopped: AbortController;
let ended: Promise<void>;
let reads: boolean[];
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-watch-'));
  stopped = new AbortController();
  reads = [];
});
afterEach(async () => {
  stopped.abort();
  await ended;
  await rm(directory, { recursive: true, force: true });
});

const at = (name: string) => path.join(directory, name);
const follow = (place: string, periodMs = 60_000) => {
  const read = async (isPeriodic: boolean) => void reads.push(isPeriodic);
  ended = watchManifests({ place, periodMs, clock: systemClock, logger: silentLogger }, stopped.signal, read);
};
/** Reads since the last call. */
const more = async () => {
  await expect.poll(() => reads.length, { timeout: 5000 }).toBeGreaterThan(0);
  return reads.splice(0);
};
const quiet = async () => {
  await systemClock.sleep(200);
  return reads.splice(0);
};

test('reads at the start, and after a change of the directory', async () => {
  follow(directory);
  expect(await more()).toEqual([true]);
  await writeFile(at('a'), '');
  await more();
  await quiet();
  await writeFile(at('.hidden'), '');
  expect(await quiet()).toEqual([]);
  await rm(at('a'));
  expect((await more())[0]).toBe(false);
});

test('reads at intervals', async () => {
  follow(directory, 50);
  await systemClock.sleep(300);
  expect(reads.length).toBeGreaterThan(2);
  expect(reads).not.toContain(false);
});

test('of one file, other files do not count', async () => {
  await writeFile(at('a'), '');
  follow(at('a'));
  await more();
  await writeFile(at('b'), '');
  expect(await quiet()).toEqual([]);
  await writeFile(at('a'), 'x');
  await more();
});

test('a directory that is removed and made again', async () => {
  const place = at('manifests');
  await mkdir(place);
  follow(place);
  await more();
  await rm(place, { recursive: true });
  await more();
  await mkdir(place);
  await more();
  await systemClock.sleep(1200);
  await quiet();
  await writeFile(path.join(place, 'a'), '');
  await more();
});

test('many changes are few reads', async () => {
  follow(directory);
  await more();
  for (let i = 0; i < 200; i++) await writeFile(at(`f${i}`), '');
  await quiet();
  expect((await quiet()).length).toBe(0);
});
