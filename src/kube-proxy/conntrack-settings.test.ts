import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { setConntrack, tableSize } from './conntrack-settings.ts';

let directory: string;
const place = (name: string) => path.join(directory, name);
const files = () => ({ settings: directory, hashSize: place('hashsize') });
const values = () =>
  ['nf_conntrack_max', 'hashsize', 'nf_conntrack_tcp_timeout_established', 'nf_conntrack_tcp_timeout_close_wait'].map(
    (name) => Number(readFileSync(place(name), 'utf8')),
  );
const machine = (max: number, hashSize: number, established: number, closeWait: number): void => {
  writeFileSync(place('nf_conntrack_max'), `${max}\n`);
  writeFileSync(place('hashsize'), `${hashSize}\n`);
  writeFileSync(place('nf_conntrack_tcp_timeout_established'), `${established}\n`);
  writeFileSync(place('nf_conntrack_tcp_timeout_close_wait'), `${closeWait}\n`);
};

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'coracle-conntrack-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each([
  [1, 131_072],
  [4, 131_072],
  [8, 262_144],
  [64, 1_048_576],
])('with %i cores the table holds %i connections', (cores, size) => expect(tableSize(cores)).toBe(size));

test('a small table grows, and timeouts are those of Kubernetes', async () => {
  machine(65_536, 16_384, 432_000, 60);
  await setConntrack(8, silentLogger, files());
  expect(values()).toEqual([262_144, 65_536, 86_400, 3_600]);
});

test('a larger table stays', async () => {
  machine(2_000_000, 500_000, 86_400, 3_600);
  await setConntrack(8, silentLogger, files());
  expect(values()).toEqual([2_000_000, 500_000, 86_400, 3_600]);
});

test('one setting that cannot be changed does not keep the others', async () => {
  machine(65_536, 16_384, 432_000, 60);
  rmSync(place('nf_conntrack_max'));
  mkdirSync(place('nf_conntrack_max'));
  const warned: unknown[] = [];
  const warn = (_message: string, fields?: object) => void warned.push(fields);
  await setConntrack(8, { ...silentLogger, warn }, files());
  expect(warned).toEqual([expect.objectContaining({ file: place('nf_conntrack_max'), value: 262_144 })]);
  expect(Number(readFileSync(place('nf_conntrack_tcp_timeout_close_wait'), 'utf8'))).toBe(3_600);
});
