import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigMap, Pod, Secret, Volume } from '../../api/api.ts';
import { writeAtomically } from './atomic-files.ts';
import { setUpVolumes, tearDownVolumes } from './volumes.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-volumes-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const filesOf = (entries: Record<string, string>, mode = 0o644) =>
  new Map(Object.entries(entries).map(([name, text]) => [name, { content: Buffer.from(text), mode }]));
const read = (root: string) =>
  Object.fromEntries(
    readdirSync(root)
      .filter((name) => !name.startsWith('..'))
      .sort()
      .flatMap((name) =>
        statSync(path.join(root, name)).isDirectory()
          ? readdirSync(path.join(root, name)).map((inner) => [
              `${name}/${inner}`,
              readFileSync(path.join(root, name, inner), 'utf8'),
            ])
          : [[name, readFileSync(path.join(root, name), 'utf8')]],
      ),
  );

describe('writeAtomically', () => {
  const hidden = () =>
    readdirSync(directory)
      .filter((name) => name.startsWith('..'))
      .sort();

  test('files lie behind one link, also in folders', async () => {
    await writeAtomically(directory, filesOf({ a: '1', 'deep/b': '2' }, 0o440));
    expect(read(directory)).toEqual({ a: '1', 'deep/b': '2' });
    expect(readlinkSync(path.join(directory, 'a'))).toBe('..data/a');
    expect(statSync(path.join(directory, 'a')).mode & 0o777).toBe(0o440);
    expect(hidden()).toHaveLength(2);
  });

  test('all change at once: whoever has the old folder open sees the old files, or none', async () => {
    await writeAtomically(directory, filesOf({ a: '1', b: '1' }));
    const before = readlinkSync(path.join(directory, '..data'));
    await writeAtomically(directory, filesOf({ a: '2', c: '2' }));
    expect(read(directory)).toEqual({ a: '2', c: '2' });
    expect(readlinkSync(path.join(directory, '..data'))).not.toBe(before);
    expect(hidden()).toEqual(['..data', readlinkSync(path.join(directory, '..data'))].sort());
  });

  test('nothing is written when nothing changed', async () => {
    await writeAtomically(directory, filesOf({ a: '1' }));
    const before = readlinkSync(path.join(directory, '..data'));
    await writeAtomically(directory, filesOf({ a: '1' }));
    expect(readlinkSync(path.join(directory, '..data'))).toBe(before);
    await writeAtomically(directory, filesOf({ a: '1' }, 0o600));
    expect(readlinkSync(path.join(directory, '..data'))).not.toBe(before);
  });

  test('what a crash left is cleared away', async () => {
    await writeAtomically(directory, filesOf({ a: '1' }));
    mkdirSync(path.join(directory, '..data_half'));
    symlinkSync('..data_half', path.join(directory, '..data_tmp'));
    await writeAtomically(directory, filesOf({ a: '2' }));
    expect(read(directory)).toEqual({ a: '2' });
    expect(hidden()).toHaveLength(2);
  });
});

const secrets: Record<string, unknown> = { keys: { data: { key: Buffer.from([0, 255]).toString('base64') } } };
const configMaps: Record<string, unknown> = {
  settings: { data: { level: 'debug', mode: 'x' }, binaryData: { raw: 'AAE=' } },
};
const context = {
  configMap: async (name: string) => configMaps[name] as ConfigMap | undefined,
  secret: async (name: string) => secrets[name] as Secret | undefined,
  serviceAccountToken: async (audience: string | undefined, seconds: number) =>
    `token for ${audience ?? 'api'}, ${seconds}`,
  fields: {
    podIPs: ['10.0.0.5'],
    hostIPs: [],
    nodeName: 'n',
    allocatable: { cpuMillis: 1000, memoryBytes: 1, ephemeralStorageBytes: 1 },
  },
};
const setUp = async (volume: Omit<Volume, 'name'>, spec: object = {}) => {
  const pod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x' } },
    spec: {
      containers: [{ name: 'main', resources: { limits: { cpu: '500m' } } }],
      volumes: [{ name: 'v', ...volume }],
      ...spec,
    },
  } as unknown as Pod;
  return (await setUpVolumes(pod, directory, context)).get('v')!;
};

describe('volumes', () => {
  test.each<[string, Omit<Volume, 'name'>, Record<string, string>]>([
    ['a ConfigMap', { configMap: { name: 'settings' } }, { level: 'debug', mode: 'x', raw: '\u0000\u0001' }],
    [
      'some of its keys',
      { configMap: { name: 'settings', items: [{ key: 'level', path: 'etc/level.txt' }] } },
      { 'etc/level.txt': 'debug' },
    ],
    ['one that may be missing', { configMap: { name: 'none', optional: true } }, {}],
    [
      'the downward API',
      {
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu', divisor: '1m' } },
          ],
        },
      },
      { labels: 'app="x"', cpu: '500' },
    ],
    [
      'several sources in one',
      {
        projected: {
          sources: [
            { configMap: { name: 'settings', items: [{ key: 'level', path: 'level' }] } },
            { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } },
          ],
        },
      },
      { level: 'debug', token: 'token for vault, 600' },
    ],
    ['an empty directory', { emptyDir: {} }, {}],
  ])('%s', async (_, volume, files) => expect(read(await setUp(volume))).toEqual(files));

  test('a Secret holds its bytes, with the mode that was asked for', async () => {
    const root = await setUp({ secret: { secretName: 'keys', defaultMode: 0o400 } });
    expect([...readFileSync(path.join(root, 'key'))]).toEqual([0, 255]);
    expect(statSync(path.join(root, 'key')).mode & 0o777).toBe(0o400);
  });

  test.each<[string, Omit<Volume, 'name'>, string]>([
    [
      'no such ConfigMap',
      { configMap: { name: 'none' } },
      'MountVolume.SetUp failed for volume "v" : configmap "none" not found',
    ],
    [
      'no such Secret',
      { secret: { secretName: 'none' } },
      'MountVolume.SetUp failed for volume "v" : secret "none" not found',
    ],
    [
      'no such key',
      { configMap: { name: 'settings', items: [{ key: 'x', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: x',
    ],
    [
      'a directory that is not there',
      { hostPath: { path: '/no/such/place', type: 'Directory' } },
      'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /no/such/place is not a directory',
    ],
    [
      'a source that nobody here knows',
      { nfs: { server: 's', path: '/' } } as Omit<Volume, 'name'>,
      'volume "v": no volume plugin matched: this node does not support nfs volumes',
    ],
  ])('%s', async (_, volume, message) => expect(setUp(volume)).rejects.toMatchObject({ name: 'VolumeError', message }));

  test('hostPath makes what it may make', async () => {
    const at = path.join(directory, 'host');
    expect(await setUp({ hostPath: { path: at, type: 'DirectoryOrCreate' } })).toBe(at);
    expect(statSync(at).isDirectory()).toBe(true);
    await expect(setUp({ hostPath: { path: at, type: 'File' } })).rejects.toThrow('is not a file');
    await setUp({ hostPath: { path: `${at}.txt`, type: 'FileOrCreate' } });
    expect(statSync(`${at}.txt`).isFile()).toBe(true);
  });

  test.skipIf(process.getuid?.() !== 0)('fsGroup may write to an empty directory (needs root)', async () => {
    const { mode, gid } = statSync(await setUp({ emptyDir: {} }, { securityContext: { fsGroup: 2000 } }));
    expect({ mode: mode & 0o7777, gid }).toEqual({ mode: 0o2777, gid: 2000 });
  });

  test('what is torn down is gone, also twice', async () => {
    const root = path.join(directory, 'pod');
    mkdirSync(path.join(root, 'volumes/kubernetes.io~empty-dir/v'), { recursive: true });
    writeFileSync(path.join(root, 'volumes/kubernetes.io~empty-dir/v/file'), '');
    await tearDownVolumes(root);
    await tearDownVolumes(root);
    expect(readdirSync(directory)).toEqual([]);
  });
});
