import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { growFileSystem } from './block-devices.ts';
import { local } from './local.ts';
import { unmountBelow } from './mounts.ts';
import type { VolumeContext } from './volume.ts';

const sh = (command: string) => execFileSync('sh', ['-c', command], { encoding: 'utf8' }).trim();
const isRoot = process.getuid?.() === 0;
const hasLoopDevices = isRoot && spawnSync('losetup', ['-f']).status === 0;

let directory: string;
let devices: string[];
let warnings: string[];
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-local-'));
  [devices, warnings] = [[], []];
});
afterEach(async () => {
  await unmountBelow(directory);
  for (const device of devices) sh(`losetup -d ${device}`);
  rmSync(directory, { recursive: true });
});

const contextOf = (uid: string, { fsGroup, ...change }: Partial<VolumeContext> & { fsGroup?: number } = {}) => {
  const podDirectory = path.join(directory, 'pods', uid);
  return {
    pod: { metadata: { name: uid, uid }, spec: { containers: [], securityContext: { fsGroup } } } as unknown as Pod,
    volumeName: 'v',
    podDirectory,
    directory: path.join(podDirectory, 'volumes/kubernetes.io~local-volume/v'),
    readOnly: false,
    mountOptions: [],
    isBlock: false,
    warn: (reason: string, message: string) => void warnings.push(`${reason}: ${message}`),
    ...change,
  } as unknown as VolumeContext;
};
const setUp = (at: string, context: VolumeContext, fsType?: string) =>
  local.setUp({ name: 'v', local: { path: at, ...(fsType && { fsType }) } }, context);
const optionsAt = (at: string) =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, target]) => target === at)
    ?.slice(2, 4)
    .join(' ');

const madeDirectory = () => {
  const at = path.join(directory, 'disk');
  mkdirSync(at);
  return at;
};

describe.skipIf(!isRoot)('a directory', () => {
  test('has the same files in all pods', async () => {
    const at = madeDirectory();
    const [first, second] = [await setUp(at, contextOf('a')), await setUp(at, contextOf('b'))];
    writeFileSync(path.join(first, 'file'), 'text');
    expect(readFileSync(path.join(second, 'file'), 'utf8')).toBe('text');
    expect(first).toBe(path.join(directory, 'pods/a/volumes/kubernetes.io~local-volume/v'));
  });

  test('has the mount options of the volume', async () => {
    const at = await setUp(madeDirectory(), contextOf('a', { mountOptions: ['noexec'], readOnly: true }));
    expect(optionsAt(at)).toMatch(/\bro\b.*\bnoexec\b/);
  });

  test('keeps the group of the pod that has it already, with an event', async () => {
    const at = madeDirectory();
    await setUp(at, contextOf('a', { fsGroup: 1234 }));
    await setUp(at, contextOf('b', { fsGroup: 1234 }));
    expect(warnings).toEqual([]);
    await setUp(at, contextOf('c', { fsGroup: 4321 }));
    expect(warnings).toEqual([
      'AlreadyMountedVolume: The requested fsGroup is 4321, but the volume v has GID 1234. The volume may not be shareable.',
    ]);
    expect(statSync(at).gid).toBe(1234);
    await unmountBelow(path.join(directory, 'pods'));
    await setUp(at, contextOf('d', { fsGroup: 4321 }));
    expect(statSync(at).gid).toBe(4321);
  });

  test('is given to the group once: the pod may change it', async () => {
    const at = await setUp(madeDirectory(), contextOf('a', { fsGroup: 1234 }));
    sh(`chgrp 55 ${at}`);
    await setUp(path.join(directory, 'disk'), contextOf('a', { fsGroup: 1234 }));
    expect(statSync(at).gid).toBe(55);
  });

  test('is given to the group again if the kubelet ended before it was done', async () => {
    const at = await setUp(madeDirectory(), contextOf('a'));
    rmSync(path.join(directory, 'pods/a/plugins'), { recursive: true });
    await setUp(path.join(directory, 'disk'), contextOf('a', { fsGroup: 1234 }));
    expect(statSync(at).gid).toBe(1234);
  });
});

test.each<[string, () => string, Partial<VolumeContext>, RegExp]>([
  ['a missing path', () => '/missing/path', {}, /^path "\/missing\/path" does not exist$/],
  ['a file', () => '/proc/self/stat', {}, /^only directory and block device are supported$/],
  ['a directory as a device', madeDirectory, { isBlock: true }, / is not a block device$/],
])('%s is refused', async (_, at, change, expected) => {
  await expect(setUp(at(), contextOf('a', change))).rejects.toThrow(expected);
});

describe.skipIf(!hasLoopDevices)('a disk', () => {
  const disk = () => {
    const file = path.join(directory, 'image');
    writeFileSync(file, '');
    truncateSync(file, 16 * 2 ** 20);
    const device = sh(`losetup -f --show ${file}`);
    devices.push(device);
    return device;
  };

  test('that is empty gets a file system, which all pods share', async () => {
    const device = disk();
    const [first, second] = await Promise.all([setUp(device, contextOf('a')), setUp(device, contextOf('b'))]);
    expect(optionsAt(first)).toMatch(/^ext4 rw/);
    writeFileSync(path.join(first, 'file'), 'text');
    expect(readFileSync(path.join(second, 'file'), 'utf8')).toBe('text');
  });

  test('keeps its file system, of which the first pod decides the group', async () => {
    const device = disk();
    sh(`mkfs.ext3 -q ${device}`);
    const at = await setUp(device, contextOf('a', { fsGroup: 1234 }), 'ext3');
    writeFileSync(path.join(at, 'file'), 'text');
    await setUp(device, contextOf('b', { fsGroup: 4321 }), 'ext3');
    expect(warnings).toHaveLength(1);
    await unmountBelow(path.join(directory, 'pods'));
    const again = await setUp(device, contextOf('c', { fsGroup: 4321 }), 'ext3');
    expect([optionsAt(again), readFileSync(path.join(again, 'file'), 'utf8'), statSync(again).gid]).toEqual([
      expect.stringMatching(/^ext3 /),
      'text',
      4321,
    ]);
  });

  test('that is empty is not formatted to be read', async () => {
    const device = disk();
    await expect(setUp(device, contextOf('a', { readOnly: true }))).rejects.toThrow(
      `cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`,
    );
  });

  test('with another file system is refused', async () => {
    const device = disk();
    sh(`mkfs.ext4 -q ${device}`);
    await expect(setUp(device, contextOf('a'), 'vfat')).rejects.toThrow(`local: failed to mount device ${device} at`);
  });

  test('with partitions is not formatted', async () => {
    const device = disk();
    // A partition of Linux, and the mark at the end of the first sector.
    const entry = Buffer.from('0000000083000000000800000010000055aa', 'hex');
    const table = Buffer.alloc(512);
    entry.copy(table, 446, 0, 16);
    entry.copy(table, 510, 16);
    writeFileSync(device, table, { flag: 'r+' });
    await expect(setUp(device, contextOf('a'))).rejects.toThrow('failed to mount device');
    expect(sh(`blkid -p -s PTTYPE -o value ${device}`)).toBe('dos');
  });
});

// Programs that record their arguments stand in for those that grow file systems: a container may not be allowed to.
describe('a disk that has grown', () => {
  const searched = process.env['PATH'];
  afterEach(() => {
    process.env['PATH'] = searched;
  });
  const grow = async (format: string, exitCode = 0) => {
    const program = (name: string, script: string) =>
      writeFileSync(path.join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    program('blkid', format ? `echo DEVNAME=/dev/disk; echo ${format}` : 'exit 2');
    for (const name of ['resize2fs', 'xfs_growfs', 'btrfs'])
      program(name, `echo ${name} "$@" >> ${directory}/calls; echo reason >&2; exit ${exitCode}`);
    process.env['PATH'] = `${directory}:${searched}`;
    await growFileSystem('/dev/disk', '/at');
    return existsSync(path.join(directory, 'calls')) ? readFileSync(path.join(directory, 'calls'), 'utf8') : '';
  };

  test.each([
    ['TYPE=ext4', 'resize2fs /dev/disk\n'],
    ['TYPE=ext3', 'resize2fs /dev/disk\n'],
    ['TYPE=xfs', 'xfs_growfs -d /at\n'],
    ['TYPE=btrfs', 'btrfs filesystem resize max /at\n'],
    ['', ''],
  ])('with %j is grown by %j', async (format, expected) => {
    expect(await grow(format)).toBe(expected);
  });

  test('with another file system stays as it is', async () => {
    await expect(grow('TYPE=vfat')).rejects.toThrow(
      'ResizeFS.Resize - resize of format vfat is not supported for device /dev/disk mounted at /at',
    );
  });

  test('names the reason of a failure', async () => {
    await expect(grow('TYPE=xfs', 1)).rejects.toThrow(/^resize of device \/at failed: .*xfs_growfs output: reason$/s);
  });
});
