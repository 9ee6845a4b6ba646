import { describe, expect, test } from 'vitest';
import type { ContainerSecurity } from '../../interface.ts';
import { type Case, node, specOf } from './test-spec.ts';

describe('capabilities', () => {
  const defaults = node.capabilities.slice(0, 14);
  const cases: { case: string; security: Partial<ContainerSecurity>; are: readonly string[] }[] = [
    { case: 'the 14 that containerd gives', security: {}, are: defaults },
    { case: 'all are dropped', security: { dropCapabilities: ['ALL'] }, are: [] },
    {
      case: 'one is dropped',
      security: { dropCapabilities: ['NET_RAW'] },
      are: defaults.filter((n) => n !== 'NET_RAW'),
    },
    { case: 'any spelling', security: { dropCapabilities: ['all'], addCapabilities: ['cap_kill'] }, are: ['KILL'] },
    { case: 'one is added', security: { addCapabilities: ['SYS_ADMIN'] }, are: [...defaults, 'SYS_ADMIN'] },
    { case: 'all the machine has', security: { addCapabilities: ['ALL'] }, are: node.capabilities },
    {
      case: 'all but one',
      security: { addCapabilities: ['ALL'], dropCapabilities: ['SYS_ADMIN'] },
      are: node.capabilities.filter((name) => name !== 'SYS_ADMIN'),
    },
    { case: 'privileged', security: { privileged: true, dropCapabilities: ['ALL'] }, are: node.capabilities },
  ];
  test.each(cases)('$case', ({ security, are }) => {
    const { bounding, effective, permitted, inheritable, ambient } = specOf({ security }).process.capabilities;
    expect(bounding).toEqual(are.map((name) => `CAP_${name}`));
    expect([effective, permitted]).toEqual([bounding, bounding]);
    expect([inheritable, ambient]).toEqual([[], []]);
  });

  test('one that there is not, and one that this machine does not have, are refused', () => {
    expect(() => specOf({ security: { addCapabilities: ['FLY'] } })).toThrow('unknown capability "CAP_FLY"');
    expect(() => specOf({ security: { addCapabilities: ['SYS_TIME'] } })).toThrow(
      'capability "CAP_SYS_TIME" cannot be added: this node does not have it',
    );
  });
});

describe('seccomp', () => {
  const runtimeDefault = { seccomp: { type: 'RuntimeDefault' } } as const;
  const rulesOf = (name: string, given: Case) =>
    specOf(given).linux.seccomp?.syscalls?.filter(({ names }) => names.includes(name)) ?? [];

  test('none by default, when unconfined, and for privileged containers', () => {
    for (const security of [{}, { seccomp: { type: 'Unconfined' } }, { ...runtimeDefault, privileged: true }] as const)
      expect(specOf({ security }).linux.seccomp).toBeUndefined();
  });

  test('RuntimeDefault denies unlisted calls, on every architecture of the machine', () => {
    const { defaultAction, defaultErrnoRet, architectures } = specOf({ security: runtimeDefault }).linux.seccomp!;
    expect({ defaultAction, defaultErrnoRet }).toEqual({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1 });
    expect(architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    for (const name of [
      'keyctl',
      'add_key',
      'io_uring_setup',
      'userfaultfd',
      'kexec_load',
      'swapon',
      'mount',
      'unshare',
    ])
      expect(rulesOf(name, { security: runtimeDefault }), name).toEqual([]);
    expect(rulesOf('openat', { security: runtimeDefault })).toHaveLength(1);
  });

  test('sockets of all families but ALG and VSOCK', () => {
    const conditions = rulesOf('socket', { security: runtimeDefault }).map(({ args = [] }) => args[0]);
    const holds = (family: number) =>
      conditions.some(({ op, value }) =>
        op === 'SCMP_CMP_LT' ? family < value : op === 'SCMP_CMP_GT' ? family > value : family === value,
      );
    const refused = Array.from({ length: 46 }, (_, family) => family).filter((family) => !holds(family));
    expect(refused).toEqual([38, 40]);
  });

  test('new namespaces need SYS_ADMIN', () => {
    const [clone] = rulesOf('clone', { security: runtimeDefault });
    expect(clone.args).toEqual([{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
    expect(rulesOf('clone3', { security: runtimeDefault })).toMatchObject([{ action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
    const admin = { ...runtimeDefault, addCapabilities: ['SYS_ADMIN'] };
    expect(rulesOf('clone', { security: admin }).map(({ args }) => args)).toEqual([undefined]);
    expect(rulesOf('mount', { security: admin })).toHaveLength(1);
  });

  test('calls of dropped capabilities are denied', () => {
    expect(rulesOf('chroot', { security: runtimeDefault })).toHaveLength(1);
    expect(rulesOf('chroot', { security: { ...runtimeDefault, dropCapabilities: ['ALL'] } })).toEqual([]);
  });

  test('another architecture has its own calls', () => {
    const arm = { security: runtimeDefault, node: { architecture: 'arm64' } };
    expect(rulesOf('arch_prctl', { security: runtimeDefault })).toHaveLength(1);
    expect(rulesOf('arch_prctl', arm)).toEqual([]);
    expect(rulesOf('set_tls', arm)).toHaveLength(1);
  });

  test('a profile of the node is taken as it is, and refused when it is none', () => {
    const security = { seccomp: { type: 'Localhost', localhostRef: '/p.json' } } as const;
    const profile = { defaultAction: 'SCMP_ACT_LOG', syscalls: [] };
    expect(specOf({ security, seccompText: JSON.stringify(profile) }).linux.seccomp).toEqual(profile);
    for (const seccompText of ['', '[]', 'null', '{}', '{"defaultAction":1}'])
      expect(() => specOf({ security, seccompText }), seccompText).toThrow('failed to load seccomp profile "/p.json"');
  });
});

describe('AppArmor', () => {
  const profileOf = (given: Case) => specOf(given).process.apparmorProfile;
  const on = { appArmorProfile: 'default' };
  test.each<{ case: string; given: Case; is: string | undefined }>([
    { case: 'none without AppArmor', given: {}, is: undefined },
    { case: 'the default', given: { node: on }, is: 'default' },
    { case: 'none when privileged', given: { node: on, security: { privileged: true } }, is: undefined },
    { case: 'unconfined', given: { node: on, security: { appArmor: { type: 'Unconfined' } } }, is: undefined },
    {
      case: "the node's own",
      given: { node: on, security: { appArmor: { type: 'Localhost', localhostRef: 'mine' } } },
      is: 'mine',
    },
  ])('$case', ({ given, is }) => expect(profileOf(given)).toBe(is));

  test('a profile that cannot be enforced fails the container', () => {
    const security = { appArmor: { type: 'RuntimeDefault' } } as const;
    expect(() => specOf({ security })).toThrow('AppArmor is not enabled on the host');
    expect(() => specOf({ security, node: { appArmorProfile: '' } })).toThrow('apparmor_parser is not installed');
  });
});

describe('masked paths', () => {
  test('the paths that the kubelet hides, unless privileged or unmasked', () => {
    const { maskedPaths, readonlyPaths } = specOf({}).linux;
    expect(maskedPaths).toContain('/proc/kcore');
    expect(maskedPaths).toContain('/sys/firmware');
    expect(maskedPaths).toContain('/sys/devices/system/cpu/cpu0/thermal_throttle');
    expect(readonlyPaths).toEqual(['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']);
    for (const security of [{ privileged: true }, { procMount: 'Unmasked' }] as const)
      expect(specOf({ security }).linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  });

  test('devices that the configuration names are made and permitted', () => {
    const device = { path: '/dev/xvda', type: 'b', major: 202, minor: 1, fileMode: 0o660, uid: 0, gid: 6 } as const;
    const { linux } = specOf({ devices: [{ device, access: 'rw' }] });
    expect(linux.devices).toEqual([device]);
    expect(linux.resources.devices).toEqual([
      { allow: false, access: 'rwm' },
      { allow: true, type: 'b', major: 202, minor: 1, access: 'rw' },
    ]);
  });

  test("devices: the runtime's defaults, or those of the machine", () => {
    const rule = (allow: boolean) => [{ allow, access: 'rwm' }];
    expect(specOf({}).linux).toMatchObject({ devices: [], resources: { devices: rule(false) } });
    const privileged = specOf({ security: { privileged: true } }).linux;
    expect(privileged).toMatchObject({ devices: node.devices, resources: { devices: rule(true) } });
  });
});
