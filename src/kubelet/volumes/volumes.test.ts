import {
  chmodSync,
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
import { memorySize } from './directories.ts';
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

  test('all change at once: an open old folder has the old files, or none', async () => {
    await writeAtomically(directory, filesOf({ a: '1', b: '1' }));
    const before = readlinkSync(path.join(directory, '..data'));
    await writeAtomically(directory, filesOf({ a: '2', c: '2' }));
    expect(read(directory)).toEqual({ a: '2', c: '2' });
    expect(readlinkSync(path.join(directory, '..data'))).not.toBe(before);
    expect(hidden()).toEqual(['..data', readlinkSync(path.join(directory, '..data'))].sort());
  });

  test('no file is written without a change', async () => {
    await writeAtomically(directory, filesOf({ a: '1' }));
    const before = readlinkSync(path.join(directory, '..data'));
    await writeAtomically(directory, filesOf({ a: '1' }));
    expect(readlinkSync(path.join(directory, '..data'))).toBe(before);
    await writeAtomically(directory, filesOf({ a: '1' }, 0o600));
    expect(readlinkSync(path.join(directory, '..data'))).not.toBe(before);
  });

  test('remains of a crash are removed', async () => {
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
  warn: () => {},
};
const directories = () => ({ disk: path.join(directory, 'pod'), memory: path.join(directory, 'memory') });
const setUp = async (volume: Omit<Volume, 'name'>, spec: object = {}) => {
  const pod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { app: 'x' } },
    spec: {
      containers: [{ name: 'main', resources: { limits: { cpu: '500m' } } }],
      volumes: [{ name: 'v', ...volume }],
      ...spec,
    },
  } as unknown as Pod;
  return (await setUpVolumes(pod, directories(), context)).get('v')!.path;
};

describe.skipIf(process.getuid?.() !== 0)('huge pages', () => {
  const spec = (name: string) => ({ containers: [{ name: 'c', resources: { requests: { [name]: '2Mi' } } }] });
  test('are a file system with pages of the requested size', async () => {
    const at = await setUp({ emptyDir: { medium: 'HugePages' } }, spec('hugepages-2Mi'));
    const [line] = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((each) => each.includes(at));
    expect(line).toMatch(/hugetlbfs .*pagesize=2M/);
    expect(statSync(at).mode & 0o777).toBe(0o777);
    await tearDownVolumes(directories());
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(at);
  });

  test('of a size that the machine does not have are refused', async () => {
    const volume = setUp({ emptyDir: { medium: 'HugePages-3Mi' } }, spec('hugepages-3Mi'));
    await expect(volume).rejects.toThrow(`the machine has no huge pages of ${3 * 2 ** 20} bytes`);
  });
});

test("a hostPath below the kubelet's standard directory is one of this kubelet's", async () => {
  const hostPath = { path: '/var/lib/kubelet/plugins/disk', type: 'DirectoryOrCreate' };
  const pod = {
    metadata: { uid: 'u' },
    spec: { containers: [], volumes: [{ name: 'v', hostPath }] },
  } as unknown as Pod;
  const own = { disk: path.join(directory, 'pods', 'u'), memory: path.join(directory, 'memory', 'u') };
  const found = await setUpVolumes(pod, own, context);
  expect(found.get('v')).toEqual({ path: path.join(directory, 'plugins', 'disk'), readOnly: false });
});

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

  test('a Secret has its bytes, with the requested mode', async () => {
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
      'huge pages without a request for them',
      { emptyDir: { medium: 'HugePages' } },
      'MountVolume.SetUp failed for volume "v" : medium HugePages: hugePages storage requested, but there is no resource request for huge pages',
    ],
    [
      'no such key',
      { configMap: { name: 'settings', items: [{ key: 'x', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: x',
    ],
    [
      'no such key of a Secret',
      { secret: { secretName: 'keys', items: [{ key: 'x', path: 'x' }] } },
      'MountVolume.SetUp failed for volume "v" : references non-existent secret key: x',
    ],
    [
      'a hostPath type that does not exist',
      { hostPath: { path: '/', type: 'Pipe' } } as unknown as Omit<Volume, 'name'>,
      'MountVolume.SetUp failed for volume "v" : Pipe is an invalid volume type',
    ],
    [
      'a directory that does not exist',
      { hostPath: { path: '/no/such/place', type: 'Directory' } },
      'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /no/such/place is not a directory',
    ],
    [
      'a source that the kubelet does not support',
      { iscsi: { targetPortal: 's', iqn: 'q', lun: 0 } } as Omit<Volume, 'name'>,
      'volume "v": no volume plugin matched: this node does not support iscsi volumes',
    ],
  ])('%s', async (_, volume, message) => expect(setUp(volume)).rejects.toMatchObject({ name: 'VolumeError', message }));

  test.each<[string, string, string]>([
    ['/dev/null', 'File', 'file'],
    ['/dev/null', 'BlockDevice', 'block device'],
    ['/dev/null', 'Socket', 'socket file'],
    ['/etc', 'CharDevice', 'character device'],
    ['/etc/passwd', 'DirectoryOrCreate', 'directory'],
    ['/etc', 'FileOrCreate', 'file'],
  ])('hostPath %s is no %s', async (at, type, name) =>
    expect(setUp({ hostPath: { path: at, type } } as Omit<Volume, 'name'>)).rejects.toThrow(
      `hostPath type check failed: ${at} is not a ${name}`,
    ),
  );

  test('hostPath creates paths by its type', async () => {
    const at = path.join(directory, 'host');
    expect(await setUp({ hostPath: { path: at, type: 'DirectoryOrCreate' } })).toBe(at);
    expect(statSync(at).isDirectory()).toBe(true);
    await expect(setUp({ hostPath: { path: at, type: 'File' } })).rejects.toThrow('is not a file');
    await setUp({ hostPath: { path: `${at}.txt`, type: 'FileOrCreate' } });
    expect(statSync(`${at}.txt`).isFile()).toBe(true);
    expect(await setUp({ hostPath: { path: '/dev/null', type: 'CharDevice' } })).toBe('/dev/null');
    await expect(setUp({ hostPath: { path: `${at}/no/file`, type: 'FileOrCreate' } })).rejects.toThrow(
      `open ${at}/no/file: no such file or directory`,
    );
  });

  test.each<[string, string]>([
    ['../out', "invalid path: must not contain '..': ../out"],
    ['a/../../out', "invalid path: must not contain '..': a/../../out"],
    ['..data', "invalid path: must not start with '..': ..data"],
    ['/etc/passwd', 'invalid path: must be relative path: /etc/passwd'],
    ['x'.repeat(256), 'invalid path: filenames must be less than or equal to 255 characters'],
  ])('a projected path %s is refused', async (to, message) =>
    expect(setUp({ configMap: { name: 'settings', items: [{ key: 'level', path: to }] } })).rejects.toThrow(message),
  );

  test("containers only read the kubelet's files; secrets and tokens do not reach the disk", async () => {
    const pod = (volume: Omit<Volume, 'name'>) =>
      ({
        metadata: { name: 'p', uid: 'u' },
        spec: { containers: [], volumes: [{ name: 'v', ...volume }] },
      }) as unknown as Pod;
    const volumeOf = async (volume: Omit<Volume, 'name'>) =>
      (await setUpVolumes(pod(volume), directories(), context)).get('v')!;
    const { disk, memory } = directories();
    expect(await volumeOf({ secret: { secretName: 'keys' } })).toEqual({
      path: path.join(memory, 'volumes/kubernetes.io~secret/v'),
      readOnly: true,
    });
    const token = { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } } as Omit<Volume, 'name'>;
    expect(await volumeOf(token)).toMatchObject({ path: expect.stringContaining(memory), readOnly: true });
    expect(await volumeOf({ configMap: { name: 'settings' } })).toMatchObject({ readOnly: true });
    expect(await volumeOf({ emptyDir: {} })).toEqual({
      path: path.join(disk, 'volumes/kubernetes.io~empty-dir/v'),
      readOnly: false,
    });
    for (const closed of ['', 'volumes', 'volumes/kubernetes.io~empty-dir'])
      expect(statSync(path.join(disk, closed)).mode & 0o777).toBe(0o750);
  });

  test('other volumes find their mount points inside one that is read-only', async () => {
    const mount = (name: string, mountPath: string) => ({ name, mountPath });
    const volumeMounts = [
      mount('v', '/etc/app'),
      mount('w', '/etc/app/tls/'),
      mount('x', '/etc/app/tls/deeper'),
      mount('y', '/etc/apps'),
      mount('z', '/etc/app/a/b'),
    ];
    const at = await setUp({ configMap: { name: 'settings' } }, { containers: [{ name: 'c', volumeMounts }] });
    const directoriesIn = () =>
      readdirSync(at, { withFileTypes: true, recursive: true })
        .filter((e) => e.isDirectory() && !e.name.startsWith('..'))
        .map((e) => path.relative(at, path.join(e.parentPath, e.name)))
        .sort();
    expect(directoriesIn()).toEqual(['a', 'a/b', 'tls']);
    await setUp(
      { configMap: { name: 'settings', items: [{ key: 'level', path: 'other' }] } },
      { containers: [{ name: 'c', volumeMounts }] },
    );
    expect(directoriesIn()).toEqual(['a', 'a/b', 'tls']);
  });

  test.each<[string, string | undefined, object[], number]>([
    ['all that the node has', undefined, [{}], 8000],
    ['its sizeLimit', '1000', [{}], 1000],
    [
      "its pod's limits together",
      '9000',
      [{ resources: { limits: { memory: '500' } } }, { resources: { limits: { memory: '200' } } }],
      700,
    ],
    [
      'not the limits that only some containers have',
      undefined,
      [{ resources: { limits: { memory: '500' } } }, {}],
      8000,
    ],
  ])('an emptyDir in memory may have %s', (_, sizeLimit, containers, size) =>
    expect(memorySize({ spec: { containers } } as unknown as Pod, sizeLimit, 8000)).toBe(size),
  );

  test('the mode that containers give to an emptyDir stays', async () => {
    chmodSync(await setUp({ emptyDir: {} }), 0o700);
    expect(statSync(await setUp({ emptyDir: {} })).mode & 0o777).toBe(0o700);
  });

  test.skipIf(process.getuid?.() !== 0).each<[string, string, object, string]>([
    ['on a disk', '', {}, '777'],
    ['on a disk, with fsGroup', '', { fsGroup: 2000 }, '2777'],
    ['in memory', 'Memory', {}, '1777'],
    ['in memory, with fsGroup', 'Memory', { fsGroup: 2000 }, '3777'],
  ])('the mode of an emptyDir %s (needs root)', async (_, medium, securityContext, mode) => {
    const at = await setUp({ emptyDir: { ...(medium && { medium }) } }, { securityContext });
    expect((statSync(at).mode & 0o7777).toString(8)).toBe(mode);
    await tearDownVolumes(directories());
  });

  const root = process.getuid?.() !== 0;
  const look = (file: string) => {
    const { mode, uid, gid } = statSync(file);
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };
  test.skipIf(root).each<[string, object, string]>([
    ['a Secret of mode 0400 with fsGroup', { secret: { secretName: 'keys', defaultMode: 0o400 } }, '440 0:2000'],
    ['a ConfigMap with fsGroup', { configMap: { name: 'settings', defaultMode: 0o600 } }, '640 0:2000'],
    [
      'a separate mode',
      { secret: { secretName: 'keys', items: [{ key: 'key', path: 'key', mode: 0o500 }] } },
      '540 0:2000',
    ],
    ['a token with fsGroup', { projected: { sources: [{ serviceAccountToken: { path: 'key' } }] } }, '640 0:2000'],
  ])('%s is read by the group (needs root)', async (_, volume, expected) => {
    const at = await setUp(volume as Omit<Volume, 'name'>, { securityContext: { fsGroup: 2000 } });
    const [name] = readdirSync(at).filter((each) => !each.startsWith('..'));
    expect(look(path.join(at, name))).toBe(expected);
    expect(look(at)).toMatch(/^[23]777 0:2000$/);
    expect(look(path.join(at, '..data'))).toBe('2755 0:2000');
  });

  test.skipIf(root)('a token belongs to the user that all containers run as (needs root)', async () => {
    const volume = { projected: { sources: [{ serviceAccountToken: { path: 'key' } }] } } as Omit<Volume, 'name'>;
    const at = await setUp(volume, { securityContext: { runAsUser: 1234 } });
    expect(look(path.join(at, 'key'))).toBe('600 1234:0');
  });

  test.skipIf(root)('fsGroup may write to an empty directory (needs root)', async () => {
    const { mode, gid } = statSync(await setUp({ emptyDir: {} }, { securityContext: { fsGroup: 2000 } }));
    expect({ mode: mode & 0o7777, gid }).toEqual({ mode: 0o2777, gid: 2000 });
  });

  test('a teardown removes all files, also twice', async () => {
    const empty = await setUp({ emptyDir: {} });
    writeFileSync(path.join(empty, 'file'), '');
    symlinkSync('/', path.join(empty, 'link'));
    await setUp({ secret: { secretName: 'keys' } });
    await tearDownVolumes(directories());
    await tearDownVolumes(directories());
    expect(readdirSync(directory)).toEqual([]);
  });
});
