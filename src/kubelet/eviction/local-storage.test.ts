import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { diskUsage } from '../machine/real-meter.ts';
import { hasStorageLimits, overStorageLimit } from './local-storage.ts';

const MiB = 2 ** 20;
const limited = (name: string, limit?: string) => ({
  name,
  ...(limit && { resources: { limits: { 'ephemeral-storage': limit } } }),
});
const pod = (containers: object[], emptyDir?: object) =>
  ({ spec: { containers, volumes: emptyDir ? [{ name: 'v', emptyDir }] : [] } }) as unknown as Pod;

test.each<[string, Pod, number, Record<string, number>, string | undefined]>([
  ['no limits', pod([limited('c')], {}), 900 * MiB, { c: 900 * MiB }, undefined],
  ['a volume within its limit', pod([limited('c')], { sizeLimit: '10Mi' }), 10 * MiB, {}, undefined],
  [
    'a volume over its limit',
    pod([limited('c')], { sizeLimit: '1Mi' }),
    MiB + 1,
    {},
    'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
  ],
  [
    'a container over its limit, which its pod keeps',
    pod([limited('c', '1Mi'), limited('d', '5Mi')]),
    0,
    { c: 2 * MiB, d: 0 },
    'Container c exceeded its local ephemeral storage limit "1Mi". ',
  ],
  [
    'a pod over the limits of its containers together, volumes counted',
    pod([limited('c', '1Mi'), limited('d', '1Mi')], {}),
    MiB,
    { c: MiB, d: 1 },
    'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ',
  ],
  ['a volume in memory takes no disk', pod([limited('c', '1Mi')], { medium: 'Memory' }), 9 * MiB, { c: 1 }, undefined],
])('%s', (_, given, volume, containers, message) =>
  expect(
    overStorageLimit(given, {
      emptyDirs: new Map(given.spec.volumes?.length ? [['v', volume]] : []),
      containers: new Map(Object.entries(containers)),
    }),
  ).toBe(message),
);

test('only pods with limits are measured', () => {
  expect(hasStorageLimits(pod([limited('c')], {}))).toBe(false);
  expect(hasStorageLimits(pod([limited('c')], { sizeLimit: '1Mi' }))).toBe(true);
  expect(hasStorageLimits(pod([limited('c', '1Gi')]))).toBe(true);
});

test('disk usage counts blocks, each file once, and follows no link', async () => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'coracle-usage-'));
  try {
    const [a, b] = ['a', '-b'].map((name) => path.join(directory, name));
    for (const each of [a, b]) fs.mkdirSync(each);
    fs.writeFileSync(path.join(a, 'data'), Buffer.alloc(3 * MiB, 1));
    fs.linkSync(path.join(a, 'data'), path.join(a, 'again'));
    fs.symlinkSync('/usr', path.join(a, 'link'));
    fs.truncateSync(path.join(a, 'data'), 3 * MiB);
    fs.closeSync(fs.openSync(path.join(b, 'sparse'), 'w'));
    fs.truncateSync(path.join(b, 'sparse'), 2 ** 40);
    const used = await diskUsage([a, b, path.join(directory, 'none')], new AbortController().signal);
    expect(used.get(a)! / MiB).toBeCloseTo(3, 0);
    expect(used.get(b)!).toBeLessThan(MiB);
    expect([...used.keys()]).toEqual([a, b]);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
