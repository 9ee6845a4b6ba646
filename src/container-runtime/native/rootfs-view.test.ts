import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { containerConfig } from '../runtime.contract.ts';
import { RootfsView } from './rootfs-view.ts';
import { capabilitiesOf, resolveUser } from './user.ts';

const directory = mkdtempSync(join(tmpdir(), 'coracle-view-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let count = 0;
let upper: string;
let lower: string;
let view: RootfsView;
beforeEach(() => {
  const own = join(directory, String(++count));
  upper = join(own, 'upper');
  lower = join(own, 'lower');
  for (const path of [upper, join(lower, 'etc'), join(lower, 'usr/bin'), join(lower, 'run')])
    mkdirSync(path, { recursive: true });
  symlinkSync('usr/bin', join(lower, 'bin'));
  symlinkSync('/run', join(lower, 'var-run'));
  symlinkSync('../../../../../../etc', join(lower, 'up'));
  symlinkSync('loop', join(lower, 'loop'));
  writeFileSync(join(lower, 'usr/bin/tool'), '#!', { mode: 0o755 });
  writeFileSync(join(lower, 'usr/bin/data'), '');
  view = new RootfsView(upper, lower);
});

const mount = (containerPath: string, hostPath: string) => ({ containerPath, hostPath, readOnly: false });

describe('mount targets', () => {
  test.each([
    { case: 'a new directory', at: '/data/deep', path: '/data/deep' },
    { case: 'through a relative link', at: '/bin/x', path: '/usr/bin/x' },
    { case: 'through an absolute link', at: '/var-run/secrets', path: '/run/secrets' },
    { case: 'through a link that would lead out', at: '/up/x', path: '/etc/x' },
    { case: 'with dots', at: '/../../etc/../data', path: '/data' },
  ])('$case', ({ at, path }) => {
    expect(view.makeTarget(mount(at, directory))).toBe(path);
    expect(existsSync(join(upper, path))).toBe(true);
  });

  test('links without end are refused', () => {
    expect(() => view.makeTarget(mount('/loop/x', directory))).toThrow('too many levels of symbolic links');
  });

  test('inside of a volume the target is made in the volume, and its links count from the root of the container', () => {
    const volume = join(directory, 'volume');
    mkdirSync(volume, { recursive: true });
    symlinkSync('/etc', join(volume, 'trap'));
    view.addMount('/data', volume);
    expect(view.makeTarget(mount('/data/sub', directory))).toBe('/data/sub');
    expect(existsSync(join(volume, 'sub'))).toBe(true);
    expect(view.makeTarget(mount('/data/trap/x', directory))).toBe('/etc/x');
    expect(existsSync(join(upper, 'etc/x'))).toBe(true);
  });
});

describe('commands', () => {
  test.each([
    { command: 'tool', why: undefined },
    { command: '/bin/tool', why: undefined },
    { command: './tool', why: undefined },
    { command: 'nosuch', why: 'exec: "nosuch": executable file not found in $PATH' },
    { command: 'data', why: 'exec: "data": executable file not found in $PATH' },
    { command: '/bin/nosuch', why: 'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory' },
    { command: '/bin/data', why: 'exec: "/bin/data": permission denied' },
    { command: '/etc', why: 'exec: "/etc": is a directory' },
  ])('$command', ({ command, why }) => {
    expect(view.whyNotExecutable(command, '/nosuch:/bin', '/usr/bin')).toBe(why);
  });

  test('one in a volume is found', () => {
    const volume = join(directory, 'tools');
    mkdirSync(volume, { recursive: true });
    writeFileSync(join(volume, 'mine'), '');
    chmodSync(join(volume, 'mine'), 0o755);
    view.addMount('/tools', volume);
    expect(view.whyNotExecutable('/tools/mine', '', '/')).toBeUndefined();
  });
});

describe('users', () => {
  const { security } = containerConfig({ image: 'x' });
  beforeEach(() => {
    writeFileSync(join(lower, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/srv:/bin/false\n');
    writeFileSync(join(lower, 'etc/group'), 'root:x:0:\nweb:x:102:\nextra:x:500:web,other\n');
  });
  test.each([
    { case: 'nobody in particular', image: '', more: {}, user: { uid: 0, gid: 0, groups: [0], home: '/root' } },
    { case: 'a name', image: 'web', more: {}, user: { uid: 101, gid: 102, groups: [102, 500], home: '/srv' } },
    {
      case: 'a name and a group',
      image: 'web:extra',
      more: {},
      user: { uid: 101, gid: 500, groups: [500], home: '/srv' },
    },
    { case: 'an unknown number', image: '4242', more: {}, user: { uid: 4242, gid: 0, groups: [0], home: '/' } },
    {
      case: 'the pod decides',
      image: 'web',
      more: { runAsUser: 7, runAsGroup: 8, supplementalGroups: [9] },
      user: { uid: 7, gid: 8, groups: [8, 9], home: '/' },
    },
  ])('$case', ({ image, more, user }) => expect(resolveUser(view, image, { ...security, ...more })).toEqual(user));

  test('an unknown name is refused', () => {
    expect(() => resolveUser(view, 'ghost', security)).toThrow('unable to find user ghost');
  });

  test.each([
    { case: 'the default', more: {}, has: ['MKNOD', 'NET_RAW'], hasNot: ['SYS_ADMIN'] },
    { case: 'added with prefix', more: { addCapabilities: ['CAP_SYS_TIME'] }, has: ['SYS_TIME'], hasNot: [] },
    {
      case: 'all but one',
      more: { addCapabilities: ['ALL'], dropCapabilities: ['SYS_ADMIN'] },
      has: ['BPF'],
      hasNot: ['SYS_ADMIN'],
    },
    {
      case: 'none but one',
      more: { addCapabilities: ['CHOWN'], dropCapabilities: ['ALL'] },
      has: ['CHOWN'],
      hasNot: ['KILL'],
    },
  ])('capabilities: $case', ({ more, has, hasNot }) => {
    const capabilities = capabilitiesOf({ ...security, ...more }, true);
    expect(capabilities).toEqual(expect.arrayContaining(has));
    for (const name of hasNot) expect(capabilities).not.toContain(name);
  });
});
