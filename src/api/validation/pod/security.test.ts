import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }] } });
const c = 'spec.containers[0].securityContext';
const p = 'spec.securityContext';
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const id = 'must be between 0 and 2147483647, inclusive';
const context =
  '{"Capabilities":{"Add":["CAP_SYS_ADMIN"],"Drop":null},"Privileged":null,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}';

describe('pods', () => {
  test.each<FaultRow>([
    [p, {}, []],
    [
      p,
      { fsGroup: -1, runAsUser: 2 ** 31, runAsGroup: -1, supplementalGroups: [0, -1] },
      [
        `${p}.fsGroup: Invalid value: -1: ${id}`,
        `${p}.runAsUser: Invalid value: 2147483648: ${id}`,
        `${p}.runAsGroup: Invalid value: -1: ${id}`,
        `${p}.supplementalGroups[1]: Invalid value: -1: ${id}`,
      ],
    ],
    [
      p,
      { sysctls: [{}, { name: 'a/b.c' }, { name: 'a/b.c' }, { name: 'x'.repeat(254) }] },
      [
        `${p}.sysctls[0].name: Required value`,
        `${p}.sysctls[2].name: Duplicate value: "a/b.c"`,
        `${p}.sysctls[3].name: Invalid value: "${'x'.repeat(254)}": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
      ],
    ],
    [
      'spec',
      {
        containers: [{ name: 'c', image: 'i' }],
        hostNetwork: true,
        hostIPC: true,
        securityContext: { sysctls: [{ name: 'net/core/x' }, { name: 'kernel.shmmax' }, { name: 'kernel.other' }] },
      },
      [
        `${p}.sysctls[0].name: Invalid value: "net/core/x": may not be specified when 'hostNetwork' is true`,
        `${p}.sysctls[1].name: Invalid value: "kernel.shmmax": may not be specified when 'hostIPC' is true`,
      ],
    ],
    [
      p,
      { fsGroupChangePolicy: '', supplementalGroupsPolicy: '', seLinuxChangePolicy: 'MountOption' },
      [
        `${p}.fsGroupChangePolicy: Unsupported value: "": supported values: "Always", "OnRootMismatch"`,
        `${p}.supplementalGroupsPolicy: Unsupported value: "": supported values: "Merge", "Strict"`,
        `${p}.seLinuxChangePolicy: Unsupported value: "MountOption": supported values: "Recursive"`,
      ],
    ],
    [
      'spec',
      { containers: [{ name: 'c', image: 'i' }], hostPID: true, shareProcessNamespace: true },
      [`${p}.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled`],
    ],
    [
      'spec',
      {
        containers: [{ name: 'c', image: 'i', volumeDevices: [{ name: 'v', devicePath: '/v' }] }],
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'v' } }],
        hostUsers: false,
        hostNetwork: true,
        hostPID: true,
        hostIPC: true,
      },
      ['hostNetwork', 'HostPID', 'HostIPC', 'containers[0].volumeDevices'].map(
        (field) => `spec.${field}: Forbidden: when \`hostUsers\` is false`,
      ),
    ],
  ])('%s = %j', expectFaults);
});

describe('profiles', () => {
  test.each<FaultRow>([
    [
      `${p}.seccompProfile`,
      {},
      [`${p}.seccompProfile.type: Required value: type is required when seccompProfile is set`],
    ],
    [
      `${p}.seccompProfile`,
      { type: 'Odd', localhostProfile: 'x' },
      [
        `${p}.seccompProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
        `${p}.seccompProfile.localhostProfile: Invalid value: {"Type":"Odd","LocalhostProfile":"x"}: can only be set when seccomp type is Localhost`,
      ],
    ],
    [
      `${p}.seccompProfile`,
      { type: 'Localhost' },
      [`${p}.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`],
    ],
    [`${p}.seccompProfile`, { type: 'Localhost', localhostProfile: '' }, []],
    [
      `${p}.seccompProfile`,
      { type: 'Localhost', localhostProfile: '/a/..' },
      [
        `${p}.seccompProfile.localhostProfile: Invalid value: "/a/..": must be a relative path`,
        `${p}.seccompProfile.localhostProfile: Invalid value: "/a/..": must not contain '..'`,
      ],
    ],
    [
      `${p}.appArmorProfile`,
      { localhostProfile: 'x' },
      [`${p}.appArmorProfile.type: Required value: type is required when appArmorProfile is set`],
    ],
    [
      `${p}.appArmorProfile`,
      { type: 'Odd', localhostProfile: 'x' },
      [
        `${p}.appArmorProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
      ],
    ],
    [
      `${p}.appArmorProfile`,
      { type: 'Unconfined', localhostProfile: 'x' },
      [`${p}.appArmorProfile.localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost`],
    ],
    [
      `${c}.appArmorProfile`,
      { type: 'Localhost', localhostProfile: '' },
      [`${c}.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost`],
    ],
    [
      `${c}.appArmorProfile`,
      { type: 'Localhost', localhostProfile: ' x' },
      [`${c}.appArmorProfile.localhostProfile: Invalid value: " x": must not be padded with whitespace`],
    ],
    [
      `${c}.appArmorProfile`,
      { type: 'Localhost', localhostProfile: 'x'.repeat(4096) },
      [`${c}.appArmorProfile.localhostProfile: Too long: may not be more than 4095 bytes`],
    ],
  ])('%s = %j', expectFaults);
});

describe('containers', () => {
  test.each<FaultRow>([
    [c, {}, []],
    [c, { capabilities: { add: ['ODD'], drop: [] }, seLinuxOptions: {}, runAsNonRoot: true }, []],
    [
      c,
      { runAsUser: -1, runAsGroup: 2 ** 31 },
      [`${c}.runAsUser: Invalid value: -1: ${id}`, `${c}.runAsGroup: Invalid value: 2147483648: ${id}`],
    ],
    [c, { procMount: '' }, [`${c}.procMount: Unsupported value: "": supported values: "Default", "Unmasked"`]],
    [
      c,
      { procMount: 'Unmasked' },
      [`${c}.procMount: Invalid value: "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``],
    ],
    [
      c,
      { allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } },
      [
        `${c}: Invalid value: ${context}: cannot set \`allowPrivilegeEscalation\` to false and \`capabilities.Add\` CAP_SYS_ADMIN`,
      ],
    ],
    [
      c,
      { windowsOptions: { gmsaCredentialSpecName: '', gmsaCredentialSpec: '', runAsUserName: '' } },
      [
        `${c}.windowsOptions.gmsaCredentialSpecName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
        `${c}.windowsOptions.gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string`,
        `${c}.windowsOptions.runAsUserName: Invalid value: "": runAsUserName cannot be an empty string`,
      ],
    ],
    ...(
      [
        ['a\tb', ['cannot contain control characters']],
        ['a\\b\\c', ['cannot contain more than one backslash']],
        ['.\\', ["'s Domain doesn't match the NetBios nor the DNS format", "'s User cannot be empty"]],
        ['. .', ["'s User cannot contain only periods or spaces"]],
        ['a@b', ['\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]']],
        ['x'.repeat(105), ["'s User length must not be longer than 104 characters"]],
        [
          `${'d'.repeat(256)}\\u`,
          ["'s Domain length must be under 256 characters", "'s Domain doesn't match the NetBios nor the DNS format"],
        ],
        ['dom.ain\\user', []],
      ] as [string, string[]][]
    ).map(
      ([name, faults]): FaultRow => [
        `${c}.windowsOptions`,
        { runAsUserName: name },
        faults.map(
          (fault) =>
            `${c}.windowsOptions.runAsUserName: Invalid value: ${name === 'a\tb' ? '"a\\tb"' : JSON.stringify(name)}: runAsUserName${fault.startsWith("'") ? '' : ' '}${fault}`,
        ),
      ],
    ),
  ])('%s = %j', expectFaults);
});

describe('operating systems', () => {
  const os = (name: string, fields: object, container = {}) => ({
    containers: [{ name: 'c', image: 'i', ...container }],
    os: { name },
    ...fields,
  });
  const unfit = 'cannot be set for a windows pod';
  test.each<FaultRow>([
    ['spec.os', {}, ['spec.os.name: Required value']],
    [
      'spec',
      os('linux', { securityContext: { windowsOptions: {} } }, { securityContext: { windowsOptions: {} } }),
      [p, c].map((path) => `${path}.windowsOptions: Forbidden: windows options cannot be set for a linux pod`),
    ],
    [
      'spec',
      os(
        'windows',
        {
          hostUsers: true,
          shareProcessNamespace: false,
          securityContext: { supplementalGroups: [], sysctls: [], seLinuxOptions: {}, fsGroup: 0, runAsUser: 0 },
        },
        { securityContext: { privileged: false, capabilities: {}, procMount: 'Default', runAsNonRoot: true } },
      ),
      [
        `${p}.seLinuxOptions: Forbidden: ${unfit}`,
        `spec.hostUsers: Forbidden: ${unfit}`,
        `${p}.fsGroup: Forbidden: ${unfit}`,
        `spec.shareProcessNamespace: Forbidden: ${unfit}`,
        `${p}.runAsUser: Forbidden: ${unfit}`,
        `${p}.supplementalGroups: Forbidden: ${unfit}`,
        `${c}.capabilities: Forbidden: ${unfit}`,
        `${c}.privileged: Forbidden: ${unfit}`,
        `${c}.procMount: Forbidden: ${unfit}`,
      ],
    ],
    [
      'spec',
      os('windows', {
        containers: [
          { name: 'c', image: 'i', securityContext: { windowsOptions: { hostProcess: true } } },
          { name: 'd', image: 'i' },
        ],
      }),
      [
        'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess containers',
        'spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers',
      ],
    ],
    [
      'spec',
      os(
        'windows',
        { hostNetwork: true, securityContext: { windowsOptions: { hostProcess: true } } },
        { securityContext: { windowsOptions: { hostProcess: false } } },
      ),
      [
        `${c}.windowsOptions.hostProcess: Invalid value: false: pod hostProcess value must be identical if both are specified, was true`,
      ],
    ],
  ])('%s = %j', expectFaults);
});
