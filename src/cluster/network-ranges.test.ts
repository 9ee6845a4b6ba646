import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClusterConfig, completeConfig } from './config.ts';
import { dataDirectory } from './data-directory.ts';
import { releaseRanges, withOwnRanges } from './network-ranges.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'coracle-ranges-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const place = async (name: string, more: Partial<ClusterConfig> = {}, addresses: readonly string[] = []) => {
  const data = path.join(root, name);
  mkdirSync(data, { recursive: true });
  const config = completeConfig({ name, dataDirectory: data, nodeIP: '192.0.2.1', ...more });
  const { clusterCidr, serviceCidr } = await withOwnRanges(config, dataDirectory(data), {
    registry: path.join(root, 'registry'),
    addresses,
  });
  return `${clusterCidr} ${serviceCidr}`;
};
const first = '10.244.0.0/16 10.96.0.0/12';
const second = '10.245.0.0/16 10.112.0.0/12';

test('the first cluster has the customary ranges, the second the next ones, each for good', async () => {
  expect(await place('a')).toBe(first);
  expect(await place('b')).toBe(second);
  expect([await place('a'), await place('b')]).toEqual([first, second]);
});

test('clusters that start at one time get different ranges', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
  expect(new Set(await Promise.all(names.map((name) => place(name)))).size).toBe(9);
  await expect(place('j')).rejects.toThrow(/no range of addresses is left .* "coracle down --delete"/);
});

test('ranges of a cluster that was removed are free again', async () => {
  await place('a');
  rmSync(path.join(root, 'a'), { recursive: true });
  expect(await place('b')).toBe(first);
});

test('and when it says so itself, nothing is left of it', async () => {
  await place('a');
  await place('b');
  await releaseRanges(path.join(root, 'a'), path.join(root, 'registry'));
  expect(readdirSync(path.join(root, 'registry'))).toEqual(['10.245.0.0_16']);
});

test("the machine's own networks are left alone", async () => {
  expect(await place('a', {}, ['127.0.0.1', '10.100.3.4'])).toBe(second);
  expect(await place('b', {}, ['10.246.0.1'])).toBe(first);
});

test.each<[string, Partial<ClusterConfig>, string]>([
  ['ranges that were asked for', { clusterCidr: '10.1.0.0/16' }, '10.1.0.0/16 10.96.0.0/12'],
  ['simulated nodes, which have no network', { runtime: 'simulated' }, first],
  ['a control plane alone', { components: ['kube-apiserver'] }, first],
])('nothing is taken for %s', async (_, more, ranges) => {
  expect(await place('a', more)).toBe(ranges);
  expect(readdirSync(root)).toEqual(['a']);
});

test('damaged ranges are an error, and stay', async () => {
  mkdirSync(path.join(root, 'a'));
  writeFileSync(path.join(root, 'a/network.json'), '{"clu');
  await expect(place('a')).rejects.toThrow(/network\.json is damaged: write the cluster's ranges into it/);
  expect(readFileSync(path.join(root, 'a/network.json'), 'utf8')).toBe('{"clu');
});
