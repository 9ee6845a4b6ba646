import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openBeneath, openRegularBeneath, pathOf, readBeneath, readEndBeneath } from '../files/safe-path.ts';
import { isMountPoint, mountsBelow, unmountBelow } from './mounts.ts';
import { bindSubPath, createSubPath, type SubPath } from './sub-paths.ts';
import { tearDownVolumes } from './volumes.ts';

let directory: string;
let volume: string;
beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'coracle-subpath-')));
  volume = path.join(directory, 'volume');
  fs.mkdirSync(path.join(volume, 'inner'), { recursive: true });
  fs.writeFileSync(path.join(volume, 'inner', 'file'), 'inside');
  fs.writeFileSync(path.join(directory, 'secret'), 'outside');
});
afterEach(async () => {
  await unmountBelow(directory);
  fs.rmSync(directory, { recursive: true });
});

const sub = (subPath: string, index = 0): SubPath => ({
  podDirectory: path.join(directory, 'pod'),
  volumeName: 'v',
  volumePath: volume,
  containerName: 'c',
  index,
  subPath,
});

const links: Record<string, string> = {
  'to the host': '/',
  upwards: '../',
  'to a file outside': '../secret',
  'up and in again by another name': 'inner/../../secret',
};

describe('paths below a volume', () => {
  test.each(Object.entries(links))('a link %s is not opened, not even when it appears late', async (_, target) => {
    fs.symlinkSync(target, path.join(volume, 'link'));
    for (const name of ['link', 'link/etc', './link', 'inner/../link'])
      await expect(openBeneath(volume, name)).rejects.toThrow();
  });

  test('an open file stays the same when its name is replaced', async () => {
    const handle = await openBeneath(volume, 'inner');
    fs.renameSync(path.join(volume, 'inner'), path.join(volume, 'away'));
    fs.symlinkSync(directory, path.join(volume, 'inner'));
    expect(fs.readdirSync(pathOf(handle))).toEqual(['file']);
    await handle.close();
  });

  test.each([
    ['a FIFO', () => execFileSync('mkfifo', [path.join(volume, 'f')])],
    ['a link', () => fs.symlinkSync('../secret', path.join(volume, 'f'))],
    ['a directory', () => fs.mkdirSync(path.join(volume, 'f'))],
    ['nothing', () => undefined],
  ])('%s is not read and does not hang', async (_, make) => {
    make();
    expect(await readEndBeneath(volume, 'f', 10)).toBeUndefined();
  });

  test('a file is read from its end, not further than the limit', async () => {
    expect(String(await readEndBeneath(volume, 'inner/file', 3))).toBe('ide');
    expect(String(await readEndBeneath(volume, 'inner/file', 300))).toBe('inside');
  });
});

describe('the text of a file in a volume', () => {
  test('is read through links within it, as the kubelet writes them', async () => {
    fs.symlinkSync('inner', path.join(volume, '..data'));
    fs.symlinkSync('..data/file', path.join(volume, 'file'));
    expect(await readBeneath(volume, 'file', 6)).toBe('inside');
    await expect(readBeneath(volume, 'file', 5)).rejects.toThrow('longer than 5 bytes');
  });

  test.each(Object.entries(links))('is not read through a link %s', async (_, target) => {
    fs.symlinkSync(target, path.join(volume, 'file'));
    await expect(readBeneath(volume, 'file', 100)).rejects.toThrow();
  });

  test('is not that of a FIFO', async () => {
    execFileSync('mkfifo', [path.join(volume, 'file')]);
    await expect(readBeneath(volume, 'file', 100)).rejects.toThrow('file is not a regular file');
  });
});

const hasMounts = process.getuid?.() === 0;
test.skipIf(!hasMounts)('a device is not opened to find out that it is no file', async () => {
  // The kernel refuses to open devices of this file system, but not to look at them.
  execFileSync('mount', ['-n', '-t', 'tmpfs', '-o', 'nodev', 'none', volume]);
  execFileSync('mknod', [path.join(volume, 'null'), 'c', '1', '3']);
  expect(await openRegularBeneath(volume, 'null')).toBeUndefined();
  await expect(readBeneath(volume, 'null', 100)).rejects.toThrow('null is not a regular file');
});

describe.skipIf(!hasMounts)('mounts (needs root)', () => {
  const bound = (name: string) => {
    const at = path.join(directory, 'mounts', name);
    fs.mkdirSync(at, { recursive: true });
    execFileSync('mount', ['-n', '--bind', path.join(volume, 'inner'), at]);
    return at;
  };

  test('a mount point is a directory or file that is mounted, also by way of a link', async () => {
    const at = bound('a b');
    const file = path.join(volume, 'bound');
    fs.writeFileSync(file, '');
    execFileSync('mount', ['-n', '--bind', path.join(directory, 'secret'), file]);
    fs.symlinkSync(at, path.join(directory, 'link'));
    fs.symlinkSync('/nosuch', path.join(directory, 'dangling'));
    for (const [each, wanted] of [
      [at, true],
      [file, true],
      [path.join(directory, 'link'), true],
      ['/', true],
      [path.join(at, 'file'), false],
      [volume, false],
      [path.join(directory, 'dangling'), false],
      [path.join(directory, 'nosuch'), false],
    ] as const)
      expect(await isMountPoint(each), each).toBe(wanted);
  });

  test('more mounts are unmounted than one command takes', async () => {
    const script = 'for i in $(seq 210); do mkdir m$i; mount -n --bind inner m$i || exit 1; done';
    execFileSync('sh', ['-c', script], { cwd: volume });
    expect(await mountsBelow(directory)).toHaveLength(210);
    await unmountBelow(directory);
    expect(await mountsBelow(directory)).toEqual([]);
  });
});

describe.skipIf(!hasMounts)('subPath (needs root)', () => {
  const bind = async (subPath: string, index = 0) => {
    await createSubPath(sub(subPath, index));
    return bindSubPath(sub(subPath, index));
  };

  test.each(Object.entries(links))('a link %s is refused', async (_, target) => {
    fs.symlinkSync(target, path.join(volume, 'link'));
    await expect(bind('link')).rejects.toThrow('is outside of');
    await expect(bind('link/made')).rejects.toThrow();
    expect(fs.existsSync(path.join(directory, 'made'))).toBe(false);
    expect(await isMountPoint(path.join(directory, 'pod/volume-subpaths/v/c/0'))).toBe(false);
  });

  test('a volume that changes all the time leads nowhere else', async () => {
    const swap = 'while :; do mv inner away; ln -s /etc inner; rm inner; mv away inner; done';
    const attacker = spawn('sh', ['-c', swap], { cwd: volume, stdio: 'ignore' });
    const seen = new Set<string>();
    try {
      for (let index = 0; index < 60; index++)
        await bindSubPath(sub('inner', index)).then(
          (at) => seen.add(fs.readdirSync(at).join()),
          () => {},
        );
    } finally {
      attacker.kill('SIGKILL');
      await new Promise((resolve) => attacker.once('exit', resolve));
    }
    expect([...seen]).toEqual(seen.size > 0 ? ['file'] : []);
  });

  test('a dangling link out of the volume creates no file', async () => {
    fs.symlinkSync(path.join(directory, 'made'), path.join(volume, 'link'));
    await expect(bind('link')).rejects.toThrow();
    await expect(bind('link/deeper')).rejects.toThrow();
    expect(fs.existsSync(path.join(directory, 'made'))).toBe(false);
  });

  test('links that stay inside are followed, files are bound as files', async () => {
    fs.symlinkSync('inner', path.join(volume, 'relative'));
    fs.symlinkSync(path.join(volume, 'inner'), path.join(volume, 'absolute'));
    for (const [index, name] of ['inner', 'relative', 'absolute'].entries())
      expect(fs.readFileSync(path.join(await bind(name, index), 'file'), 'utf8')).toBe('inside');
    expect(fs.readFileSync(await bind('relative/file', 3), 'utf8')).toBe('inside');
    expect(await bind('relative/file', 3)).toBe(path.join(directory, 'pod/volume-subpaths/v/c/3'));
  });

  test('a replaced file is bound again', async () => {
    await bind('inner/file');
    fs.writeFileSync(path.join(volume, 'inner', 'new'), 'changed');
    fs.renameSync(path.join(volume, 'inner', 'new'), path.join(volume, 'inner', 'file'));
    expect(fs.readFileSync(await bind('inner/file'), 'utf8')).toBe('changed');
  });

  test("a missing directory gets the volume's mode and group, with any umask", async () => {
    fs.chownSync(volume, 0, 2000);
    fs.chmodSync(volume, 0o2777);
    const { mode, gid } = fs.statSync(await bind('a/b'));
    expect([(mode & 0o7777).toString(8), gid]).toEqual(['2777', 2000]);
    expect(fs.statSync(path.join(volume, 'a')).mode & 0o7777).toBe(0o2777);
  });

  test.each(['pod', 'link/pod'])(
    'after the teardown of %s no mount is left, and the volume still has its files',
    async (at) => {
      fs.symlinkSync('.', path.join(directory, 'link'));
      const pod = path.join(directory, at);
      for (const _ of ['made', 'found']) await bindSubPath({ ...sub('inner'), podDirectory: pod });
      await bindSubPath({ ...sub('inner/file', 1), podDirectory: pod });
      expect(await mountsBelow(pod)).toHaveLength(2);
      await tearDownVolumes({ disk: pod, memory: path.join(directory, 'memory') });
      expect(fs.existsSync(pod)).toBe(false);
      expect(fs.readFileSync(path.join(volume, 'inner', 'file'), 'utf8')).toBe('inside');
    },
  );
});
