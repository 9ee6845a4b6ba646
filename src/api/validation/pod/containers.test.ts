import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const c = 'spec.containers[0]';
const find = faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }] } });
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const supported = (values: string) => `supported values: ${values}`;

describe('containers', () => {
  test.each<FaultRow>([
    ['spec.containers', undefined, ['spec.containers: Required value']],
    [`${c}.name`, '', [`${c}.name: Required value`]],
    [
      `${c}.name`,
      'x'.repeat(64),
      [`${c}.name: Invalid value: "${'x'.repeat(64)}": must be no more than 63 characters`],
    ],
    [`${c}.name`, 'a_b', [`${c}.name: Invalid value: "a_b": ${label}`]],
    [`${c}.name`, 'a.b', [`${c}.name: Invalid value: "a.b": must not contain dots`]],
    [
      'spec.containers',
      [{ image: 'i' }, { image: 'i' }],
      [
        'spec.containers[0].name: Required value',
        'spec.containers[1].name: Required value',
        'spec.containers[1].name: Duplicate value: ""',
      ],
    ],
    [`${c}.image`, undefined, [`${c}.image: Required value`]],
    [
      `${c}.terminationMessagePolicy`,
      'Pipe',
      [`${c}.terminationMessagePolicy: Unsupported value: "Pipe": ${supported('"File", "FallbackToLogsOnError"')}`],
    ],
    [`${c}.terminationMessagePolicy`, '', []],
    [
      `${c}.imagePullPolicy`,
      'Sometimes',
      [`${c}.imagePullPolicy: Unsupported value: "Sometimes": ${supported('"Always", "IfNotPresent", "Never"')}`],
    ],
    [`${c}.command`, [], []],
    [
      `${c}.restartPolicy`,
      'Sometimes',
      [`${c}.restartPolicy: Unsupported value: "Sometimes": ${supported('"Always", "Never", "OnFailure"')}`],
    ],
    [`${c}.restartPolicy`, 'Always', []],
    [
      `${c}.restartPolicyRules`,
      [{ action: 'Stop' }],
      [
        `${c}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
        `${c}.restartPolicyRules[0].action: Unsupported value: "Stop": ${supported('"Restart", "RestartAllContainers"')}`,
        `${c}.restartPolicyRules[0].exitCodes: Required value: must be specified`,
      ],
    ],
    [
      c,
      {
        name: 'c',
        image: 'i',
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'Near', values: [] } }],
      },
      [`${c}.restartPolicyRules[0].exitCodes.operator: Unsupported value: "Near": ${supported('"In", "NotIn"')}`],
    ],
    [
      c,
      {
        name: 'c',
        image: 'i',
        restartPolicy: 'Never',
        restartPolicyRules: [
          { action: 'Restart', exitCodes: { operator: 'In', values: Array.from({ length: 256 }, (_, i) => i) } },
          ...Array.from({ length: 20 }, () => ({ action: 'Restart', exitCodes: { operator: 'In', values: [1] } })),
        ],
      },
      [
        `${c}.restartPolicyRules: Too many: 21: must have at most 20 items`,
        `${c}.restartPolicyRules[0].exitCodes.values: Too many: 256: must have at most 255 items`,
      ],
    ],
  ])('%s = %j', expectFaults);
});

describe('ports', () => {
  test.each<FaultRow>([
    [`${c}.ports`, [{}], [`${c}.ports[0].containerPort: Required value`]],
    [
      `${c}.ports`,
      [{ containerPort: -1, hostPort: 65_536 }],
      [
        `${c}.ports[0].containerPort: Invalid value: -1: must be between 1 and 65535, inclusive`,
        `${c}.ports[0].hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive`,
      ],
    ],
    [
      `${c}.ports`,
      [{ containerPort: 1, name: 'a--b' }],
      [`${c}.ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens`],
    ],
    [
      `${c}.ports`,
      [{ containerPort: 1, name: '1' }],
      [`${c}.ports[0].name: Invalid value: "1": must contain at least one letter (a-z)`],
    ],
    [
      `${c}.ports`,
      [
        { containerPort: 1, name: 'a' },
        { containerPort: 2, name: 'a', protocol: 'tcp' },
      ],
      [
        `${c}.ports[1].name: Duplicate value: "a"`,
        `${c}.ports[1].protocol: Unsupported value: "tcp": ${supported('"SCTP", "TCP", "UDP"')}`,
      ],
    ],
    [
      `${c}.ports`,
      [
        { containerPort: 1, hostPort: 1, hostIP: '1.1.1.1' },
        { containerPort: 1, hostPort: 1 },
        { containerPort: 2, hostPort: 1 },
      ],
      [`${c}.ports[2].hostPort: Duplicate value: "TCP//1"`],
    ],
    [`${c}.ports`, [], []],
    [
      `spec.initContainers`,
      [
        { name: 'i', image: 'i' },
        {
          name: 'j',
          image: 'i',
          ports: [
            { containerPort: 1, hostPort: 1 },
            { containerPort: 2, hostPort: 1 },
          ],
        },
      ],
      ['spec.initContainers[0].ports[1].hostPort: Duplicate value: "TCP//1"'],
    ],
  ])('%s = %j', expectFaults);
});

describe('resize policies', () => {
  test.each<FaultRow>([
    [
      `${c}.resizePolicy`,
      [{}, {}],
      [
        `${c}.resizePolicy: Required value`,
        `${c}.resizePolicy: Required value`,
        `${c}.resizePolicy[1]: Duplicate value: ""`,
        `${c}.resizePolicy: Required value`,
        `${c}.resizePolicy: Required value`,
      ],
    ],
    [
      'spec',
      {
        restartPolicy: 'Never',
        containers: [
          { name: 'c', image: 'i', resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] },
        ],
      },
      [
        `${c}.resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when pod \`restartPolicy\` is 'Never'`,
      ],
    ],
    [
      'spec.initContainers',
      [{ name: 'i', image: 'i', resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }],
      [
        'spec.initContainers[0].resizePolicy[0].restartPolicy: Invalid value: "RestartContainer": must not be set to \'RestartContainer\' for non-sidecar initContainers',
      ],
    ],
    [
      'spec.initContainers',
      [
        {
          name: 'i',
          image: 'i',
          restartPolicy: 'Always',
          resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
        },
      ],
      [],
    ],
  ])('%s = %j', expectFaults);
});

describe('init containers', () => {
  const i = 'spec.initContainers[0]';
  const only = 'Forbidden: may not be set for init containers without restartPolicy=Always';
  test.each<FaultRow>([
    [
      'spec.initContainers',
      [{ name: 'i', image: 'i', restartPolicyRules: [{ action: 'Stop' }] }],
      [`${i}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`],
    ],
    [
      'spec.initContainers',
      [{ name: 'i', image: 'i', restartPolicy: 'Always', restartPolicyRules: [{ action: 'Restart' }] }],
      [`${i}.restartPolicyRules[0].exitCodes: Required value: must be specified`],
    ],
    [
      'spec.initContainers',
      [{ name: 'i', image: 'i', lifecycle: {}, readinessProbe: {}, startupProbe: {} }],
      [`${i}.lifecycle: ${only}`, `${i}.readinessProbe: ${only}`, `${i}.startupProbe: ${only}`],
    ],
    [
      'spec.initContainers',
      [{ name: 'i', image: ' i', restartPolicy: 'Always', readinessProbe: {} }],
      [
        `${i}.readinessProbe: Required value: must specify a handler type`,
        `${i}.image: Invalid value: " i": must not have leading or trailing whitespace`,
      ],
    ],
    [
      'spec.initContainers',
      [{ image: 'i' }, { image: 'i' }],
      ['spec.initContainers[0].name: Required value', 'spec.initContainers[1].name: Required value'],
    ],
    ['spec.initContainers', [], []],
  ])('%s = %j', expectFaults);
});

describe('ephemeral containers', () => {
  const e = 'spec.ephemeralContainers[0]';
  const unfit = 'Forbidden: cannot be set for an Ephemeral Container';
  const onCreate = 'spec.ephemeralContainers: Forbidden: cannot be set on create';
  const one = (fields: object) => [{ name: 'e', image: 'i', ...fields }];
  test.each<[value: unknown, faults: string[]]>([
    [one({ name: 'c' }), [`${e}.name: Duplicate value: "c"`, onCreate]],
    [one({ targetContainerName: 'x' }), [`${e}.targetContainerName: Not found: "x"`, onCreate]],
    // Empty lists and maps count as set.
    [one({ ports: [] }), [`${e}.ports: ${unfit}`, onCreate]],
    [one({ resources: { limits: {} } }), [`${e}.resources: ${unfit}`, onCreate]],
    [one({ resources: { claims: [] } }), [`${e}.resources: ${unfit}`, onCreate]],
    [one({ resources: {} }), [onCreate]],
    [one({ resizePolicy: [] }), [`${e}.resizePolicy: ${unfit}`, onCreate]],
    [one({ restartPolicy: 'Always' }), [`${e}.restartPolicy: ${unfit}`, onCreate]],
    [one({ restartPolicyRules: [] }), [`${e}.restartPolicyRules: ${unfit}`, onCreate]],
    [one({ lifecycle: {} }), [`${e}.lifecycle: ${unfit}`, onCreate]],
    [
      one({ startupProbe: {}, livenessProbe: {} }),
      [`${e}.livenessProbe: ${unfit}`, `${e}.startupProbe: ${unfit}`, onCreate],
    ],
    [
      one({ volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 's', subPathExpr: 't' }] }),
      [
        `${e}.volumeMounts[0].name: Not found: "v"`,
        `${e}.volumeMounts[0].subPathExpr: Invalid value: "t": subPathExpr and subPath are mutually exclusive`,
        `${e}.volumeMounts[0].subPath: ${unfit}`,
        `${e}.volumeMounts[0].subPathExpr: ${unfit}`,
        onCreate,
      ],
    ],
    [[], []],
  ])('%j', (value, faults) => expectFaults('spec.ephemeralContainers', value, faults));
});
