import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../machinery/logger.ts';
import { Manifests, mostBytes, mostFiles } from './manifests.ts';

let directory: string;
let faults: string[];
const logger: Logger = {
  ...silentLogger,
  error: (_message, { file, error } = {}) => void faults.push(`${path.basename(String(file))}: ${error}`),
};
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-manifests-'));
  faults = [];
});
afterEach(() => rm(directory, { recursive: true }));

const at = (name: string) => path.join(directory, name);
const manifest = (name: string, metadata: object = {}) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata } },
    spec: { containers: [{ name: 'main', image: 'example.com/app:1' }] },
  });
const namesIn = async (manifests: Manifests, isConfirmed = true) =>
  (await manifests.read(isConfirmed))?.map(({ metadata }) => metadata.name);
const manifestsIn = (place = directory) => new Manifests(place, 'n', logger);

test('files of a directory in the order of their names; hidden ones are skipped', async () => {
  await writeFile(at('b.yaml'), manifest('b'));
  await writeFile(at('a'), manifest('a'));
  await writeFile(at('.c.yaml'), manifest('c'));
  expect(await namesIn(manifestsIn())).toEqual(['a-n', 'b-n']);
  expect(faults).toEqual([]);
});

test('one file', async () => {
  await writeFile(at('.a'), manifest('a'));
  expect(await namesIn(manifestsIn(at('.a')))).toEqual(['a-n']);
});

test('other files stop no manifest, and are logged once', async () => {
  await mkdir(at('directory'));
  execFileSync('mkfifo', [at('fifo')]);
  await symlink('/dev/zero', at('device'));
  await symlink(at('loop'), at('loop'));
  await symlink(at('nowhere'), at('nowhere-link'));
  await writeFile(at('target'), manifest('a'));
  await mkdir(at('.data'));
  await writeFile(at('.data/b'), manifest('b'));
  await symlink('.data/b', at('link'));
  await writeFile(at('large'), '');
  await truncate(at('large'), mostBytes * 100);
  await writeFile(at('invalid'), 'a: [');
  const manifests = manifestsIn();
  const wanted = [
    'device: is not a regular file',
    'directory: is a directory, which is not searched',
    'fifo: is not a regular file',
    'invalid: yaml: line 1: did not find expected node content',
    `large: the file has more than ${mostBytes} bytes`,
    `loop: ELOOP: too many symbolic links encountered, stat '${at('loop')}'`,
  ];
  for (const _ of [1, 2]) {
    expect(await namesIn(manifests)).toEqual(['b-n', 'a-n']);
    expect(faults.toSorted()).toEqual(wanted);
  }
});

test('more files than are read', async () => {
  for (let i = 0; i <= mostFiles; i++) await writeFile(at(`f${10_000 + i}`), i < mostFiles ? 'x' : manifest('last'));
  await writeFile(at('a'), manifest('a'));
  expect(await namesIn(manifestsIn())).toEqual(['a-n']);
  expect(faults).toContain(
    `${path.basename(directory)}: more than ${mostFiles} manifests: only the first ${mostFiles} are read`,
  );
});

test('one pod per name, of the last file; one per uid, of the first name', async () => {
  await writeFile(at('a'), manifest('x', { labels: { from: 'a' } }));
  await writeFile(at('b'), manifest('x', { labels: { from: 'b' }, uid: 'u' }));
  await writeFile(at('c'), manifest('y', { uid: 'u' }));
  const pods = await manifestsIn().read(true);
  expect(pods?.map(({ metadata }) => metadata.labels?.['from'])).toEqual(['b']);
  expect(faults).toEqual([
    `a: duplicate pod name "default/x-n": ${at('b')} replaces it`,
    'c: duplicate uid u: pod default/x-n has it',
  ]);
});

test('a file that becomes invalid counts with its former pod until that is confirmed', async () => {
  const manifests = manifestsIn();
  await writeFile(at('a'), manifest('a'));
  expect(await namesIn(manifests)).toEqual(['a-n']);
  await writeFile(at('a'), '');
  expect(await namesIn(manifests, false)).toEqual(['a-n']);
  expect(await namesIn(manifests, false)).toEqual(['a-n']);
  expect(await namesIn(manifests, true)).toEqual([]);
  await writeFile(at('a'), manifest('b'));
  expect(await namesIn(manifests, false)).toEqual(['b-n']);
});

test('a place that does not exist has no pods; of one that cannot be read nothing is known', async () => {
  expect(await namesIn(manifestsIn(at('none')))).toEqual([]);
  execFileSync('mkfifo', [at('fifo')]);
  expect(await namesIn(manifestsIn(at('fifo')))).toBeUndefined();
  expect(faults).toEqual(['none: path does not exist, ignoring', 'fifo: path is not a directory or file']);
});

test('the same file is not parsed again', async () => {
  await writeFile(at('a'), manifest('a'));
  const manifests = manifestsIn();
  const [first] = (await manifests.read(true)) ?? [];
  const [again] = (await manifests.read(true)) ?? [];
  expect(again).toBe(first);
});
