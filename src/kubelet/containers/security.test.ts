import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import type { KubeletConfig } from '../config.ts';
import { refuse } from '../pods/admission.ts';
import { securityOf, usesSELinux } from './security.ts';
import { userNamespaceOf } from './user-namespaces.ts';

type Spec = Record<string, unknown>;

const podOf = (spec: Spec = {}, metadata: Spec = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'd', uid: 'u', ...metadata },
    spec: { containers: [{ name: 'c' }], ...spec },
  }) as unknown as Pod;

function securityIn(own: Spec, podLevel: Spec = {}, user?: string, annotations: Spec = {}, isDefault = false) {
  const pod = podOf({ containers: [{ name: 'c', securityContext: own }], securityContext: podLevel }, { annotations });
  const image = { id: 'i', repoTags: [], repoDigests: [], sizeBytes: 1, ...(user !== undefined && { user }) };
  return securityOf(pod, pod.spec.containers[0], image, { root: '/seccomp', isDefault });
}

const config = { maxPods: 10, capacity: { cpuMillis: 1, memoryBytes: 1, ephemeralStorageBytes: 1 } };
const node = { supplementalGroupsPolicy: true, appArmor: true, object: undefined };
const refusalOf = (spec: Spec, metadata: Spec = {}, abilities = node) =>
  refuse(
    podOf(spec, metadata),
    [],
    { ...config, reserved: { cpuMillis: 0, memoryBytes: 0 } } as unknown as KubeletConfig,
    abilities,
  );

describe('runAsNonRoot', () => {
  test.each([
    { case: 'the pod says another number', own: { runAsUser: 5 }, user: '0' },
    { case: 'the image has another number', own: {}, user: '1000' },
    { case: 'with a group', own: {}, user: '1000:0' },
    { case: 'zeros in front', own: {}, user: '0042' },
  ])('admits: $case', ({ own, user }) => {
    expect(() => securityIn({ ...own, runAsNonRoot: true }, {}, user)).not.toThrow();
  });

  test.each([
    { case: 'the pod says 0', own: { runAsUser: 0 }, user: '5', says: "container's runAsUser breaks non-root policy" },
    { case: 'the image says nothing', own: {}, user: undefined, says: 'image will run as root' },
    { case: 'a group alone', own: {}, user: ':5', says: 'image will run as root' },
    { case: '0', own: {}, user: '0', says: 'image will run as root' },
    { case: '00', own: {}, user: '00', says: 'image will run as root' },
    { case: '000:1000', own: {}, user: '000:1000', says: 'image will run as root' },
    { case: 'a name', own: {}, user: 'www', says: 'non-numeric user (www), cannot verify user is non-root' },
    { case: 'root by name', own: {}, user: 'root', says: 'non-numeric user (root)' },
    { case: 'a sign', own: {}, user: '+0', says: 'non-numeric user (+0)' },
    { case: 'a number that wraps to 0', own: {}, user: '4294967296', says: 'invalid user id (4294967296)' },
  ])('refuses: $case', ({ own, user, says }) => {
    expect(() => securityIn({ ...own, runAsNonRoot: true }, {}, user)).toThrow(says);
  });
});

describe('profiles', () => {
  const local = { type: 'Localhost', localhostProfile: 'a/b.json' };
  test.each([
    { case: 'unconfined by default', own: {}, podLevel: {}, is: { type: 'Unconfined' } },
    { case: "the pod's", own: {}, podLevel: { type: 'RuntimeDefault' }, is: { type: 'RuntimeDefault' } },
    {
      case: "the container's first",
      own: { type: 'Unconfined' },
      podLevel: { type: 'RuntimeDefault' },
      is: { type: 'Unconfined' },
    },
    { case: "the node's", own: local, podLevel: {}, is: { type: 'Localhost', localhostRef: '/seccomp/a/b.json' } },
    { case: 'the default of the node', own: {}, podLevel: {}, isDefault: true, is: { type: 'RuntimeDefault' } },
    {
      case: 'one that is given, not the default of the node',
      own: { type: 'Unconfined' },
      podLevel: {},
      isDefault: true,
      is: { type: 'Unconfined' },
    },
  ])('seccomp: $case', ({ own, podLevel, isDefault, is }) => {
    const profile = (given: Spec) => ('type' in given ? { seccompProfile: given } : {});
    expect(securityIn(profile(own), profile(podLevel), undefined, {}, isDefault).seccomp).toEqual(is);
  });

  const annotation = 'container.apparmor.security.beta.kubernetes.io/c';
  test.each<{ case: string; own: Spec; podLevel: Spec; annotations?: Spec; is: unknown }>([
    { case: 'none', own: {}, podLevel: {}, is: undefined },
    { case: "the pod's", own: {}, podLevel: { type: 'RuntimeDefault' }, is: { type: 'RuntimeDefault' } },
    { case: "the container's", own: { type: 'Unconfined' }, podLevel: local, is: { type: 'Unconfined' } },
    {
      case: 'by annotation',
      own: {},
      podLevel: { type: 'Unconfined' },
      annotations: { [annotation]: 'localhost/mine' },
      is: { type: 'Localhost', localhostRef: 'mine' },
    },
  ])('AppArmor: $case', ({ own, podLevel, annotations, is }) => {
    const profile = (given: Spec) => ('type' in given ? { appArmorProfile: given } : {});
    expect(securityIn(profile(own), profile(podLevel), undefined, annotations).appArmor).toEqual(is);
  });

  test('groups, /proc, new privileges', () => {
    const podLevel = { fsGroup: 7, supplementalGroups: [8], supplementalGroupsPolicy: 'Strict' };
    expect(securityIn({ procMount: 'Unmasked', allowPrivilegeEscalation: false }, podLevel)).toMatchObject({
      supplementalGroups: [8, 7],
      supplementalGroupsPolicy: 'Strict',
      procMount: 'Unmasked',
      noNewPrivileges: true,
    });
  });
});

describe('the node refuses', () => {
  const sysctl = (name: string, more: Spec = {}) => ({ securityContext: { sysctls: [{ name, value: '1' }] }, ...more });
  const appArmor = { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } };
  test.each<{ case: string; spec: Spec; metadata?: Spec; node?: typeof node; reason: string; message: string }>([
    {
      case: 'another operating system',
      spec: { os: { name: 'windows' } },
      reason: 'PodOSNotSupported',
      message: "Failed to admit pod as the OS field doesn't match node OS",
    },
    {
      case: 'another operating system, by label',
      spec: {},
      metadata: { labels: { 'kubernetes.io/os': 'windows' } },
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    },
    {
      case: 'groups that the runtime cannot keep out',
      spec: { securityContext: { supplementalGroupsPolicy: 'Strict' } },
      node: { ...node, supplementalGroupsPolicy: false },
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    },
    {
      case: 'AppArmor where there is none',
      spec: appArmor,
      node: { ...node, appArmor: false },
      reason: 'AppArmor',
      message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
    },
    {
      case: 'a sysctl that is not safe',
      spec: sysctl('kernel.core_pattern'),
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "kernel.core_pattern" not allowlisted',
    },
    {
      case: 'the same with slashes',
      spec: sysctl('net/ipv4/ip_forward'),
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "net.ipv4.ip_forward" not allowlisted',
    },
    {
      case: "a safe one on the host's network",
      spec: sysctl('net.ipv4.tcp_syncookies', { hostNetwork: true }),
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
    },
  ])('$case', ({ spec, metadata, node: abilities, reason, message }) => {
    expect(refusalOf(spec, metadata, abilities)).toEqual({ reason, message });
  });

  test('and admits enforceable profiles', () => {
    for (const spec of [{ os: { name: 'linux' } }, appArmor, sysctl('kernel.shm_rmid_forced'), {}])
      expect(refusalOf(spec), JSON.stringify(spec)).toBeUndefined();
  });
});

describe('user namespaces', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'coracle-userns-'));
  const of = (uid: string, spec: Spec = { hostUsers: false }, maxPods = 3) =>
    userNamespaceOf(podOf(spec, { uid }), { rootDirectory: root, maxPods }).userNamespace;

  test('each pod has a distinct, permanent range', () => {
    try {
      expect(of('a', {})).toBeUndefined();
      expect(of('a')).toEqual({ hostId: 65_536, length: 65_536 });
      expect(of('b')).toEqual({ hostId: 131_072, length: 65_536 });
      expect(of('a')).toEqual({ hostId: 65_536, length: 65_536 });
      rmSync(path.join(root, 'pods', 'a'), { recursive: true });
      expect(of('c')).toEqual({ hostId: 65_536, length: 65_536 });
      of('d');
      expect(() => of('e')).toThrow('could not find an empty slot');
      expect(readdirSync(path.join(root, 'pods'))).toEqual(['b', 'c', 'd']);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});

test.each([
  [{ containers: [{ name: 'c' }] }, false],
  [{ containers: [{ name: 'c', securityContext: { privileged: true } }], securityContext: {} }, false],
  [{ containers: [], securityContext: { seLinuxOptions: { level: 's0' } } }, true],
  [{ containers: [{ name: 'c', securityContext: { seLinuxOptions: { type: 't' } } }] }, true],
  [{ containers: [], initContainers: [{ name: 'i', securityContext: { seLinuxOptions: { role: 'r' } } }] }, true],
  [{ containers: [{ name: 'c', securityContext: { seLinuxOptions: {} } }] }, false],
])('a pod with %j uses SELinux: %j', (spec, expected) => {
  expect(usesSELinux({ spec } as unknown as Pod)).toBe(expected);
});
