import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OciSpec } from '../oci/oci-types.ts';
import { applyEdits, type ReadDevice } from './apply-edits.ts';
import { cdiEdits } from './cdi-devices.ts';
import { cdiSpec } from './cdi-spec.ts';

const spec = (containerEdits: object, more: object = {}) => ({
  cdiVersion: '0.6.0',
  kind: 'vendor.com/device',
  devices: [{ name: 'a', containerEdits }],
  ...more,
});

describe('a specification', () => {
  test.each<[string, object | string, string]>([
    ['of no object', 'text', 'the content is not an object'],
    ['of a future version', spec({}, { cdiVersion: '9.0.0' }), 'invalid version "9.0.0"'],
    ['without a class', spec({}, { kind: 'vendor.com' }), 'invalid kind "vendor.com"'],
    ['of a kind that leads elsewhere', spec({}, { kind: '../etc/x' }), 'invalid kind "../etc/x"'],
    ['without devices', spec({}, { devices: [] }), 'invalid spec, no devices'],
    ['with equal names', spec({}, { devices: [{ name: 'a' }, { name: 'a' }] }), 'multiple device "a"'],
    ['with an empty name', spec({}, { devices: [{ name: '' }] }), 'invalid name of a device ""'],
    ['with devices of another type', spec({}, { devices: {} }), 'devices is not a list'],
    ['with network devices', spec({ netDevices: [] }), 'field "netDevices" of the containerEdits of the device a is'],
    ['with a variable without a name', spec({ env: ['=x'] }), 'invalid environment variable "=x"'],
    ['with a variable of another type', spec({ env: [1] }), 'env is not a string'],
    ['with an empty device path', spec({ deviceNodes: [{ path: '' }] }), 'invalid (empty) device path'],
    ['with another type of node', spec({ deviceNodes: [{ path: '/d', type: 'x' }] }), 'invalid type "x"'],
    ['with other permissions', spec({ deviceNodes: [{ path: '/d', permissions: 'rx' }] }), 'invalid permissions "rx"'],
    ['with a negative number', spec({ deviceNodes: [{ path: '/d', major: -1 }] }), 'major is not a number'],
    ['with a mount of nothing', spec({ mounts: [{ containerPath: '/c' }] }), 'empty host path'],
    ['with an unknown hook', spec({ hooks: [{ hookName: 'x', path: '/x' }] }), 'invalid hook name "x"'],
    ['with a relative hook', spec({ hooks: [{ hookName: 'poststop', path: 'x' }] }), 'its path must be absolute'],
  ])('%s is refused', (_, content, why) => {
    expect(() => cdiSpec(content)).toThrow(why);
  });
});

describe('the directories', () => {
  let root: string;
  let directories: string[];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'coracle-cdi-'));
    directories = ['etc', 'run'].map((name) => join(root, name));
    for (const directory of directories) mkdirSync(directory);
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const write = (name: string, content: object | string) =>
    writeFileSync(join(root, name), typeof content === 'string' ? content : JSON.stringify(content));
  const env = (names: string[]) => cdiEdits(names, directories).flatMap((edits) => edits.env);

  test('have devices in JSON and YAML, and the edits of a file come once', () => {
    write('etc/a.json', spec({ env: ['A=1'] }, { containerEdits: { env: ['ALL=1'] } }));
    write('run/b.yaml', 'cdiVersion: 1.0.0\nkind: other/x\ndevices:\n- name: b\n  containerEdits: {env: [B=1]}\n');
    write('run/readme.txt', 'no file of devices');
    expect(env(['vendor.com/device=a', 'other/x=b', 'vendor.com/device=a'])).toEqual(['ALL=1', 'A=1', 'B=1', 'A=1']);
  });

  test('a later directory takes precedence', () => {
    write('etc/a.json', spec({ env: ['A=old'] }));
    write('run/a.json', spec({ env: ['A=new'] }));
    expect(env(['vendor.com/device=a'])).toEqual(['A=new']);
  });

  test.each<[string, () => void, string]>([
    ['that no file has', () => {}, 'unresolvable CDI devices vendor.com/device=a'],
    [
      'of two files',
      () => {
        for (const name of ['run/a.json', 'run/b.json']) write(name, spec({ env: ['A=1'] }));
      },
      'unresolvable CDI devices vendor.com/device=a; conflicting device "vendor.com/device=a"',
    ],
    ['of a damaged file', () => write('run/a.json', '{'), 'failed to load CDI Spec'],
    ['of a YAML bomb', () => write('run/a.yaml', bomb()), 'failed to load CDI Spec'],
    ['of a named pipe', () => execFileSync('mkfifo', [join(root, 'run/a.json')]), 'not a regular file'],
  ])('a device %s is refused', (_, prepare, why) => {
    prepare();
    write('etc/b.json', spec({ env: ['A=1'] }, { kind: 'good/x' }));
    expect(() => env(['vendor.com/device=a'])).toThrow(why);
    expect(env(['good/x=a'])).toEqual(['A=1']);
  });

  test('missing directories have no devices', () => {
    expect(() => cdiEdits(['v/c=x', 'v/c=y'], [join(root, 'none')])).toThrow('unresolvable CDI devices v/c=x, v/c=y');
  });
});

function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(8)
        .fill(`*a${i - 1}`)
        .join()}]`,
    );
  return lines.join('\n');
}

const base = {
  process: { env: ['PATH=/bin', 'A=old'], user: { uid: 7, gid: 0, additionalGids: [5] } },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: [] },
    { destination: '/a/b', type: 'bind', source: '/old', options: [] },
  ],
  linux: {
    devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 1, fileMode: 0o600, uid: 0, gid: 0 }],
    resources: { devices: [{ allow: false, access: 'rwm' }] },
  },
} as unknown as OciSpec;

const readDevice: ReadDevice = (path) => {
  if (path !== '/dev/host') throw new Error(`no ${path}`);
  return { type: 'c', major: 10, minor: 20, fileMode: 0o640 };
};
const edited = (edits: object): OciSpec => {
  const [device] = cdiSpec(spec(edits)).devices.values();
  return applyEdits(base, [device], readDevice);
};

describe('edits', () => {
  test('replace variables of the same name, and add groups other than 0', () => {
    const { process } = edited({ env: ['A=new', 'B=x=y'], additionalGids: [0, 5, 9] });
    expect(process.env).toEqual(['PATH=/bin', 'A=new', 'B=x=y']);
    expect(process.user.additionalGids).toEqual([5, 9]);
  });

  test('a device node of the machine has its numbers, and a rule', () => {
    const { linux } = edited({ deviceNodes: [{ path: '/dev/x', hostPath: '/dev/host', permissions: 'rw' }] });
    expect(linux.devices).toEqual([{ path: '/dev/x', type: 'c', major: 10, minor: 20, fileMode: 0o640, uid: 7 }]);
    expect(linux.resources.devices.at(-1)).toEqual({ allow: true, type: 'c', major: 10, minor: 20, access: 'rw' });
  });

  test('a device node with its numbers needs no node of the machine; a pipe has no rule', () => {
    const nodes = [
      { path: '/dev/n', type: 'b', major: 3, minor: 4, uid: 1, gid: 2 },
      { path: '/dev/p', type: 'p' },
    ];
    const { linux } = edited({ deviceNodes: nodes });
    expect(linux.devices.slice(1)).toEqual([
      { path: '/dev/n', type: 'b', major: 3, minor: 4, uid: 1, gid: 2 },
      { path: '/dev/p', type: 'p', major: 0, minor: 0, uid: 7 },
    ]);
    expect(linux.resources.devices.slice(1)).toEqual([{ allow: true, type: 'b', major: 3, minor: 4, access: 'rwm' }]);
  });

  test('a node of another type, or none, is an error', () => {
    const node = { path: '/dev/host', type: 'b' };
    expect(() => edited({ deviceNodes: [node] })).toThrow('host type mismatch (b, c)');
    expect(() => edited({ deviceNodes: [{ path: '/dev/none' }] })).toThrow('no /dev/none');
  });

  test('mounts replace those at their path, outer ones first', () => {
    const mounts = [
      { hostPath: '/h', containerPath: '/a/b', options: ['ro', 'bind'] },
      { hostPath: '/o', containerPath: '/a', type: 'tmpfs' },
    ];
    expect(edited({ mounts }).mounts).toEqual([
      { destination: '/proc', type: 'proc', source: 'proc', options: [] },
      { destination: '/a', type: 'tmpfs', source: '/o', options: [] },
      { destination: '/a/b', type: 'bind', source: '/h', options: ['ro', 'bind'] },
    ]);
  });

  test('hooks and RDT are passed to the OCI runtime', () => {
    const hooks = [
      { hookName: 'createContainer', path: '/bin/a', args: ['a', 'x'], timeout: 3 },
      { hookName: 'createContainer', path: '/bin/b', env: ['X=1'] },
      { hookName: 'poststop', path: '/bin/c' },
    ];
    const { hooks: added, linux } = edited({ hooks, intelRdt: { closID: 'c' } });
    expect(added).toEqual({
      createContainer: [
        { path: '/bin/a', args: ['a', 'x'], timeout: 3 },
        { path: '/bin/b', env: ['X=1'] },
      ],
      poststop: [{ path: '/bin/c' }],
    });
    expect(linux.intelRdt).toEqual({ closID: 'c' });
  });
});
