// Directories simulate the kernel's: the tests compare the written values.

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cgroups, openCgroups, pageSizeName } from './cgroups.ts';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'coracle-cgroups-'));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

const controllers = ['cpu', 'cpuacct', 'memory', 'pids', 'hugetlb'];
const v1Mounts = (names: readonly string[]) => names.map((name) => `cgroup ${root}/${name} cgroup rw,${name} 0 0`);

type Layout = 'v1' | 'hybrid' | 'v2';
function open(layout: Layout, names = controllers): Cgroups {
  const unified = `cgroup2 ${layout === 'v2' ? root : join(root, 'unified')} cgroup2 rw 0 0`;
  const mounts = layout === 'v1' ? v1Mounts(names) : layout === 'v2' ? [unified] : [...v1Mounts(names), unified];
  if (layout === 'v2') {
    fs.writeFileSync(join(root, 'cgroup.controllers'), `cpuset ${names.join(' ')} rdma\n`);
    for (const at of ['', 'kubepods']) fs.mkdirSync(join(root, at), { recursive: true });
  }
  return openCgroups(mounts.join('\n'), ['2MB', '1GB']);
}

const path = '/kubepods/burstable/podu';
const content = (...parts: string[]) => fs.readFileSync(join(root, ...parts), 'utf8');
const full = {
  ...{ cpuShares: 512, cpuPeriod: 100_000, cpuQuota: 50_000, memoryLimitBytes: 2 ** 26, pidsLimit: 100 },
  hugepageLimits: [{ pageSize: '2MB', limitBytes: 2 ** 21 }],
};

test.each(['v1', 'hybrid'] as const)(
  '%s: a new cgroup has its limits in the hierarchy of each controller',
  (layout) => {
    const cgroups = open(layout);
    cgroups.create(path, full);
    expect(
      Object.fromEntries(
        [
          ['cpu', 'cpu.shares'],
          ['cpu', 'cpu.cfs_quota_us'],
          ['cpu', 'cpu.cfs_period_us'],
          ['memory', 'memory.limit_in_bytes'],
          ['pids', 'pids.max'],
          ['hugetlb', 'hugetlb.2MB.limit_in_bytes'],
        ].map(([controller, file]) => [file, content(controller, path, file)]),
      ),
    ).toEqual({
      'cpu.shares': '512',
      'cpu.cfs_quota_us': '50000',
      'cpu.cfs_period_us': '100000',
      'memory.limit_in_bytes': '67108864',
      'pids.max': '100',
      'hugetlb.2MB.limit_in_bytes': '2097152',
    });
    expect(cgroups.version).toBe(1);
  },
);

test.each([
  ['v1' as const, 'cpuset'],
  ['v2' as const, ''],
])('%s: a cgroup has the CPUs and memory nodes that it is given', (layout, at) => {
  const cgroups = open(layout, [...controllers, 'cpuset']);
  cgroups.create(path, {});
  fs.mkdirSync(join(root, at, path), { recursive: true });
  cgroups.update(path, { cpusetCpus: '0-3,5', cpusetMems: '1' });
  expect(['cpuset.cpus', 'cpuset.mems'].map((file) => content(at, path, file))).toEqual(['0-3,5', '1']);
});

test('v2: a new cgroup has its limits, and its parents pass the controllers on', () => {
  const cgroups = open('v2');
  cgroups.create(path, full);
  const files = ['cpu.weight', 'cpu.max', 'memory.max', 'pids.max', 'hugetlb.2MB.max'];
  expect(files.map((file) => content(path, file))).toEqual(['20', '50000 100000', '67108864', '100', '2097152']);
  for (const parent of ['', 'kubepods', 'kubepods/burstable'])
    expect(content(parent, 'cgroup.subtree_control')).toMatch(/^\+(cpuset|cpu|memory|hugetlb|pids)$/);
  expect(fs.existsSync(join(root, path, 'cgroup.subtree_control'))).toBe(false);
});

test.each(['v1', 'hybrid', 'v2'] as const)('%s: limits are read as they were set, and lifted by 0', (layout) => {
  const cgroups = open(layout);
  expect(cgroups.limits(path)).toBeUndefined();
  cgroups.create(path, full);
  const { cpuQuota, cpuPeriod, memoryLimitBytes } = full;
  const shares = layout === 'v2' ? 500 : 512; // a weight is coarser than shares
  expect(cgroups.limits(path)).toEqual({ cpuShares: shares, cpuQuota, cpuPeriod, memoryLimitBytes });
  cgroups.update(path, { cpuQuota: 0, memoryLimitBytes: 0 });
  if (layout !== 'v2') fs.writeFileSync(join(root, 'memory', path, 'memory.limit_in_bytes'), '9223372036854771712\n');
  expect(cgroups.limits(path)).toEqual({ cpuShares: shares });
});

test.each([
  [
    'v1' as const,
    ['memory', 'memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n'],
    ['memory', 'memory.usage_in_bytes'],
  ],
  [
    'v2' as const,
    ['', 'memory.events', 'low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n'],
    ['', 'memory.current'],
  ],
])('%s: out-of-memory kills are counted, and the memory in use', (layout, [at, file, text], [, usage]) => {
  const cgroups = open(layout);
  expect([cgroups.outOfMemoryKills(path), cgroups.memoryUsageBytes(path)]).toEqual([0, 0]);
  cgroups.create(path, {});
  fs.writeFileSync(join(root, at, path, file), text);
  fs.writeFileSync(join(root, at, path, usage), '4096\n');
  expect([cgroups.outOfMemoryKills(path), cgroups.memoryUsageBytes(path)]).toEqual([2, 4096]);
});

test.each(['v1', 'v2'] as const)('%s: a machine without the controller has no huge pages to limit', (layout) => {
  expect(open(layout).hugePageSizes).toEqual(['2MB', '1GB']);
  expect(open(layout, ['cpu', 'memory']).hugePageSizes).toEqual([]);
});

test.each(['v1', 'v2'] as const)('%s: children are the cgroups below, and go with their parent', (layout) => {
  const cgroups = open(layout);
  for (const name of ['poda', 'podb']) cgroups.create(`/kubepods/${name}`, {});
  expect(cgroups.children('/kubepods').toSorted()).toEqual(['poda', 'podb']);
  cgroups.remove('/kubepods/poda');
  expect([cgroups.exists('/kubepods/poda'), cgroups.exists('/kubepods/podb')]).toEqual([false, true]);
});

test.each([
  [2 ** 21, '2MB'],
  [2 ** 30, '1GB'],
  [2 ** 16, '64KB'],
])('a page of %i bytes is %s', (bytes, name) => expect(pageSizeName(bytes)).toBe(name));
