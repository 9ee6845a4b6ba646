import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod, Secret, Volume } from '../../api/api.ts';
import { setUpVolumes } from './volumes.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-sources-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const secret = { data: { large: Buffer.alloc(1_000_000).toString('base64'), small: '' } } as unknown as Secret;

const setUp = (volumes: readonly Omit<Volume, 'name'>[]) => {
  const pod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'u', annotations: { long: 'x'.repeat(100_000) } },
    spec: { containers: [{ name: 'main' }], volumes: volumes.map((each, i) => ({ name: `v${i}`, ...each })) },
  } as unknown as Pod;
  const fields = { podIPs: [], hostIPs: [], nodeName: 'n' };
  return setUpVolumes(
    pod,
    { disk: path.join(directory, 'pod'), memory: path.join(directory, 'memory') },
    {
      configMap: async () => undefined,
      secret: async () => secret,
      serviceAccountToken: async () => '',
      fields: { ...fields, allocatable: { cpuMillis: 1000, memoryBytes: 1, ephemeralStorageBytes: 1 } },
      warn: () => {},
    },
  );
};

const many = <Item>(count: number, item: (file: string) => Item) =>
  Array.from({ length: count }, (_, i) => item(`p${i}`));
const large = (file: string) => ({ name: 's', items: [{ key: 'large', path: file }] });
const field = (file: string) => ({ path: file, fieldRef: { fieldPath: "metadata.annotations['long']" } });

test.each<[string, readonly Omit<Volume, 'name'>[]]>([
  [
    'one key in many files',
    [
      {
        projected: { sources: [{ secret: { name: 's', items: many(100, (file) => ({ key: 'large', path: file })) } }] },
      },
    ],
  ],
  ['one key in many sources', [{ projected: { sources: many(100, (file) => ({ secret: large(file) })) } }]],
  ['one key in many volumes', many(100, (file) => ({ secret: { ...large(file), secretName: 's' } }))],
  ['one field in many files', [{ downwardAPI: { items: many(1000, field) } }]],
  ['empty files', [{ secret: { secretName: 's', items: many(20_000, (file) => ({ key: 'small', path: file })) } }]],
])('the files of a pod are bounded in all: %s', async (_, volumes) => {
  await expect(setUp(volumes)).rejects.toThrow(`have more than ${64 << 20} bytes`);
});

test('files within the bound are written', async () => {
  const volumes = await setUp([{ projected: { sources: many(20, (file) => ({ secret: large(file) })) } }]);
  expect([...volumes.keys()]).toEqual(['v0']);
});
