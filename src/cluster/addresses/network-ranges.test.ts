import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClusterConfig, completeConfig, overlap } from '../config.ts';
import { dataDirectory } from '../data-directory.ts';
import { claimRestoredRanges, releaseRanges, withOwnRanges } from './network-ranges.ts';

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
    network: 'main',
  });
  return `${clusterCidr} ${serviceCidr}`;
};
const first = '10.244.0.0/16 10.96.0.0/12';
const second = '10.245.0.0/16 10.112.0.0/12';

test('the first cluster has the customary ranges, the second the next ones, permanently', async () => {
  expect(await place('a')).toBe(first);
  expect(await place('b')).toBe(second);
  expect([await place('a'), await place('b')]).toEqual([first, second]);
});

test('clusters that start at one time get different ranges', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
  expect(new Set(await Promise.all(names.map((name) => place(name)))).size).toBe(9);
  await expect(place('j')).rejects.toThrow(/no range of addresses is left .* "coracle down --delete"/);
});

test('no range is claimed for settings of other families', async () => {
  await expect(place('a', { loadBalancerRange: ['fd00::c8/125'] })).rejects.toThrow('the cluster has IPv4 alone');
  expect(existsSync(path.join(root, 'registry'))).toBe(false);
});

test('a cluster of both families conflicts with others and with the machine in either', async () => {
  const dual = (services: string, pods: string) => ({
    ...{ serviceCidr: `172.30.0.0/16,${services}`, clusterCidr: `172.20.0.0/16,${pods}` },
  });
  expect(await place('a', dual('fd00:1::/112', 'fd00:2::/56'))).toBe(
    '172.20.0.0/16,fd00:2::/56 172.30.0.0/16,fd00:1::/112',
  );
  const other = { serviceCidr: '172.31.0.0/16,fd00:1::/108', clusterCidr: '172.21.0.0/16,fd00:3::/56' };
  await expect(place('b', other)).rejects.toThrow(/overlap with the cluster in .*\/a: choose others/);
  const own = { serviceCidr: '172.31.0.0/16,fd00:4::/112', clusterCidr: '172.21.0.0/16,fd00:3::/56' };
  await expect(place('b', own, ['fd00:3::7'])).rejects.toThrow("overlap with this machine's address fd00:3::7");
  expect(await place('b')).toBe(first);
});

test('ranges of a cluster that was removed are free again', async () => {
  await place('a');
  rmSync(path.join(root, 'a'), { recursive: true });
  expect(await place('b')).toBe(first);
});

test('and its release removes its claim', async () => {
  await place('a');
  await place('b');
  await releaseRanges(path.join(root, 'a'), path.join(root, 'registry'));
  expect(readdirSync(path.join(root, 'registry'))).toEqual(['10.245.0.0_16']);
});

test("the machine's networks are excluded", async () => {
  expect(await place('a', {}, ['127.0.0.1', '10.100.3.4'])).toBe(second);
  expect(await place('b', {}, ['10.246.0.1'])).toBe(first);
});

test.each<[string, Partial<ClusterConfig>, string]>([
  ['simulated nodes, which have no network', { runtime: 'simulated' }, first],
  ['a control plane alone', { components: ['kube-apiserver'] }, first],
])('nothing is taken for %s', async (_, more, ranges) => {
  expect(await place('a', more)).toBe(ranges);
  expect(readdirSync(root)).toEqual(['a']);
});

test.each<[string, Partial<ClusterConfig>, string]>([
  ['of pods', { clusterCidr: '172.20.0.0/16' }, '172.20.0.0/16 10.96.0.0/12'],
  ['of services', { serviceCidr: '172.21.0.0/16' }, '10.244.0.0/16 172.21.0.0/16'],
  ['of both', { clusterCidr: '172.20.0.0/16', serviceCidr: '172.21.0.0/16' }, '172.20.0.0/16 172.21.0.0/16'],
  ['of pods among those of services', { clusterCidr: '10.96.0.0/16' }, '10.96.0.0/16 10.112.0.0/12'],
])('a requested range %s is kept, and excluded for other clusters', async (_, more, ranges) => {
  expect(await place('a', more)).toBe(ranges);
  expect(await place('a')).toBe(ranges);
  const [pods, services] = (await place('b')).split(' ');
  for (const range of ranges.split(' '))
    expect([range, overlap(range, pods), overlap(range, services)]).toEqual([range, false, false]);
});

test('a requested range must be free', async () => {
  await place('a', { clusterCidr: '172.20.0.0/16' });
  await expect(place('b', { clusterCidr: '172.20.128.0/17' })).rejects.toThrow(
    /--cluster-cidr 172\.20\.128\.0\/17 overlap with the cluster in .*\/a: choose others/,
  );
  await expect(place('c', { serviceCidr: '172.30.0.0/16' }, ['172.30.1.1'])).rejects.toThrow(
    /--service-cidr 172\.30\.0\.0\/16 overlap with this machine's address 172\.30\.1\.1/,
  );
  expect(readdirSync(path.join(root, 'c'))).toEqual([]);
});

test('a cluster with data keeps its ranges', async () => {
  await place('a');
  await expect(place('a', { serviceCidr: '10.0.0.0/16' })).rejects.toThrow(
    /has --service-cidr 10\.96\.0\.0\/12, which cannot change/,
  );
  expect(await place('a', { serviceCidr: '10.96.0.0/12' })).toBe(first);
});

test('damaged ranges are an error, and stay', async () => {
  mkdirSync(path.join(root, 'a'));
  writeFileSync(path.join(root, 'a/network.json'), '{"clu');
  await expect(place('a')).rejects.toThrow(/network\.json is damaged: write the cluster's ranges into it/);
  expect(readFileSync(path.join(root, 'a/network.json'), 'utf8')).toBe('{"clu');
});

test('a restored cluster claims its ranges, unless another cluster has them', async () => {
  const machine = { registry: path.join(root, 'registry'), addresses: ['10.112.0.1'], network: 'main' };
  const restored = path.join(root, 'restored.json');
  const claim = (name: string) => claimRestoredRanges(restored, dataDirectory(path.join(root, name)), machine);
  await claim('none');
  await place('a');
  writeFileSync(restored, JSON.stringify({ clusterCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12' }));
  await expect(claim('copy')).rejects.toThrow(/overlap with the cluster in .*\/a:/);
  await claim('a');
  writeFileSync(restored, JSON.stringify({ clusterCidr: '10.245.0.0/16', serviceCidr: '10.112.0.0/12' }));
  await expect(claim('new')).rejects.toThrow(/this machine's address 10\.112\.0\.1/);
  mkdirSync(path.join(root, 'crashed'));
  writeFileSync(path.join(root, 'crashed/network.json'), readFileSync(restored));
  await claim('crashed');
  writeFileSync(restored, JSON.stringify({ clusterCidr: '10.247.0.0/16', serviceCidr: '10.144.0.0/12' }));
  mkdirSync(path.join(root, 'new'));
  writeFileSync(path.join(root, 'new/network.json'), '{"clusterCidr":"10.1.0.0/16","serviceCidr":"10.2.0.0/16"}');
  await claim('new');
  expect(readdirSync(machine.registry)).toContain('10.247.0.0_16');
});
