import { describe, expect, test } from 'vitest';
import { faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', {
  spec: {
    containers: [{ name: 'c', image: 'i' }],
    volumes: [
      { name: 'v', emptyDir: {} },
      { name: 'b', persistentVolumeClaim: { claimName: 'b' } },
      {
        name: 'e',
        ephemeral: {
          volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } } },
        },
      },
    ],
  },
});
const m = 'spec.containers[0].volumeMounts';
const d = 'spec.containers[0].volumeDevices';
const at = (fields: object) => ({ name: 'v', mountPath: '/v', ...fields });

describe('mounts', () => {
  test.each<[value: unknown, faults: string[]]>([
    [[{}], [`${m}[0].name: Required value`, `${m}[0].name: Not found: ""`, `${m}[0].mountPath: Required value`]],
    [[at({ name: 'x' })], [`${m}[0].name: Not found: "x"`]],
    [[at({}), at({})], [`${m}[1].mountPath: Invalid value: "/v": must be unique`]],
    [[at({ subPath: '/a' })], [`${m}.subPath: Invalid value: "/a": must be a relative path`]],
    [
      [at({ subPath: '/../a' })],
      [
        `${m}.subPath: Invalid value: "/../a": must be a relative path`,
        `${m}.subPath: Invalid value: "/../a": must not contain '..'`,
      ],
    ],
    [[at({ subPath: '..a' })], []],
    [[at({ subPathExpr: '../$(X)' })], [`${m}.subPathExpr: Invalid value: "../$(X)": must not contain '..'`]],
    [
      [at({ mountPropagation: 'Sideways' })],
      [
        `${m}.mountPropagation: Unsupported value: "Sideways": supported values: "Bidirectional", "HostToContainer", "None"`,
      ],
    ],
    [
      [at({ mountPropagation: '' })],
      [`${m}.mountPropagation: Unsupported value: "": supported values: "Bidirectional", "HostToContainer", "None"`],
    ],
    [
      [at({ mountPropagation: 'Bidirectional' })],
      [`${m}.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`],
    ],
    [
      [at({ recursiveReadOnly: 'Maybe' })],
      [`${m}.recursiveReadOnly: Unsupported value: "Maybe": supported values: "Disabled", "Enabled", "IfPossible"`],
    ],
    [
      [at({ recursiveReadOnly: 'Enabled', mountPropagation: 'HostToContainer' })],
      [
        `${m}.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
        `${m}.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified`,
      ],
    ],
    [[at({ recursiveReadOnly: 'Disabled', mountPropagation: 'HostToContainer' })], []],
    [[], []],
  ])('%j', (value, faults) => expect(find.onCreate(m, value)).toEqual(faults));
});

describe('devices', () => {
  test.each<[value: unknown, faults: string[]]>([
    [[{}], [`${d}[0].name: Required value`, `${d}[0].name: Not found: ""`, `${d}[0].devicePath: Required value`]],
    [
      [{ name: 'v', devicePath: '/dev/x' }],
      [
        `${d}[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
      ],
    ],
    [
      [
        { name: 'b', devicePath: '/dev/x' },
        { name: 'b', devicePath: '/dev/x' },
      ],
      [
        `${d}[1].name: Invalid value: "b": must be unique`,
        `${d}[1].devicePath: Invalid value: "/dev/x": must be unique`,
      ],
    ],
    [
      [
        { name: 'b', devicePath: '/../x' },
        { name: 'e', devicePath: '/../x' },
      ],
      [
        `${d}[0].devicePath: Invalid value: "/../x": can not contain backsteps ('..')`,
        `${d}[1].devicePath: Invalid value: "/../x": can not contain backsteps ('..')`,
      ],
    ],
  ])('%j', (value, faults) => expect(find.onCreate(d, value)).toEqual(faults));

  test('a volume is a directory or a device, not both', () =>
    expect(
      find.onCreate('spec.containers[0]', {
        name: 'c',
        image: 'i',
        volumeMounts: [{ name: 'b', mountPath: '/x' }],
        volumeDevices: [{ name: 'b', devicePath: '/x' }],
      }),
    ).toEqual([
      `${m}[0].name: Invalid value: "b": must not already exist in volumeDevices`,
      `${m}[0].mountPath: Invalid value: "/x": must not already exist as a path in volumeDevices`,
      `${d}[0].name: Invalid value: "b": must not already exist in volumeMounts`,
      `${d}[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts`,
    ]));

  test('of devices with the same name the path of the last one counts', () =>
    expect(
      find.onCreate('spec.containers[0]', {
        name: 'c',
        image: 'i',
        volumeMounts: [{ name: 'v', mountPath: '/x' }],
        volumeDevices: [
          { name: 'b', devicePath: '/x' },
          { name: 'b', devicePath: '/y' },
        ],
      }),
    ).toEqual([
      `${d}[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts`,
      `${d}[1].name: Invalid value: "b": must be unique`,
    ]));
});
