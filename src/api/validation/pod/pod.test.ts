// Validation of pods: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

describe('pods', () => {
  const find = faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }] } });
  test.each<FaultRow>([
    ['spec.containers', [], ['spec.containers: Required value']],
    [
      'spec',
      { ephemeralContainers: [{ name: 'd', image: 'i', ports: [{ containerPort: 1 }] }] },
      [
        'spec.containers: Required value',
        'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
        'spec.ephemeralContainers: Forbidden: cannot be set on create',
      ],
    ],
    [
      'spec.containers',
      [
        { name: 'c', image: 'i' },
        { name: 'c', image: 'i' },
      ],
      ['spec.containers[1].name: Duplicate value: "c"'],
    ],
    [
      'spec.containers[0].name',
      'A_b',
      [
        "spec.containers[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    ['spec.containers[0].image', '', ['spec.containers[0].image: Required value']],
    [
      'spec.containers[0].image',
      ' i',
      ['spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace'],
    ],
    [
      'spec.containers[0].imagePullPolicy',
      'other',
      [
        'spec.containers[0].imagePullPolicy: Unsupported value: "other": supported values: "Always", "IfNotPresent", "Never"',
      ],
    ],
    [
      'spec.containers[0].terminationMessagePolicy',
      'other',
      [
        'spec.containers[0].terminationMessagePolicy: Unsupported value: "other": supported values: "File", "FallbackToLogsOnError"',
      ],
    ],
    [
      'spec.containers[0].ports',
      [{ containerPort: 0 }, { containerPort: 70000, protocol: 'x' }],
      [
        'spec.containers[0].ports[0].containerPort: Required value',
        'spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.containers[0].ports[1].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
    [
      'spec.containers[0].ports',
      [
        { containerPort: 1, hostPort: 80 },
        { containerPort: 2, hostPort: 80 },
      ],
      ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
    ],
    [
      'spec.containers[0].env',
      [{ name: '' }, { name: 'a=b' }],
      [
        'spec.containers[0].env[0].name: Required value',
        'spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
      ],
    ],
    [
      'spec.containers[0].env',
      [{ name: 'a', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'spec.containers[0].env',
      [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }],
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x',
      ],
    ],
    [
      'spec.containers[0].envFrom',
      [{ prefix: 'a=', configMapRef: {} }],
      [
        'spec.containers[0].envFrom[0].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
        'spec.containers[0].envFrom[0].configMapRef.name: Required value',
      ],
    ],
    [
      'spec.containers[0].resources',
      { limits: { cpu: '-1', odd: '1' } },
      [
        'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.limits[odd]: Invalid value: "odd": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.limits[odd]: Invalid value: "odd": must be a standard resource for containers',
        'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.requests[odd]: Invalid value: "odd": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[odd]: Invalid value: "odd": must be a standard resource for containers',
      ],
    ],
    [
      'spec.containers[0].resources',
      { limits: { cpu: '1' }, requests: { cpu: '2' } },
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'spec.containers[0].resources',
      { limits: { 'a.b/c': '1500m' } },
      [
        'spec.containers[0].resources.limits[a.b/c]: Invalid value: "1500m": must be an integer',
        'spec.containers[0].resources.requests[a.b/c]: Invalid value: "1500m": must be an integer',
      ],
    ],
    [
      'spec.containers[0].livenessProbe',
      { httpGet: { port: 0 }, tcpSocket: { port: 1 } },
      [
        'spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
      ],
    ],
    [
      'spec.containers[0].livenessProbe',
      { exec: { command: ['x'] }, successThreshold: 2 },
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'spec.containers[0].lifecycle',
      { preStop: {} },
      ['spec.containers[0].lifecycle.preStop: Required value: must specify a handler type'],
    ],
    [
      'spec.containers[0].securityContext',
      { privileged: true, allowPrivilegeEscalation: false },
      [
        'spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
    [
      'spec.containers[0].securityContext',
      { runAsUser: -1, procMount: 'x' },
      [
        'spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive',
        'spec.containers[0].securityContext.procMount: Unsupported value: "x": supported values: "Default", "Unmasked"',
      ],
    ],
    [
      'spec.containers[0].volumeMounts',
      [
        { name: 'v', mountPath: '' },
        { name: 'v', mountPath: '/a:b', subPath: '../x' },
      ],
      [
        'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        'spec.containers[0].volumeMounts[0].mountPath: Required value',
        'spec.containers[0].volumeMounts[1].name: Not found: "v"',
        'spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain \'..\'',
      ],
    ],
    [
      'spec.containers[0].resizePolicy',
      [{ resourceName: 'odd', restartPolicy: 'x' }],
      [
        'spec.containers[0].resizePolicy: Unsupported value: "odd": supported values: "cpu", "memory"',
        'spec.containers[0].resizePolicy: Unsupported value: "x": supported values: "NotRequired", "RestartContainer"',
      ],
    ],
    [
      'spec.initContainers',
      [{ name: 'c', image: 'i', livenessProbe: { exec: { command: ['x'] } } }],
      [
        'spec.initContainers[0].name: Duplicate value: "c"',
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'spec.restartPolicy',
      'other',
      ['spec.restartPolicy: Unsupported value: "other": supported values: "Always", "OnFailure", "Never"'],
    ],
    ['spec.dnsPolicy', 'None', ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None']],
    [
      'spec.activeDeadlineSeconds',
      0,
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      'spec.hostAliases',
      [{ ip: 'x', hostnames: ['A_b'] }],
      [
        'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        "spec.hostAliases[0].hostnames[0]: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'spec.tolerations',
      [{ operator: 'Equal' }, { key: 'k', operator: 'Exists', value: 'v', effect: 'x' }],
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        'spec.tolerations[1].operator: Invalid value: "v": value must be empty when `operator` is \'Exists\'',
        'spec.tolerations[1].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      'spec.nodeSelector',
      { 'a b': 'c' },
      [
        "spec.nodeSelector: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'spec.affinity',
      {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'k', operator: 'In' }] }],
          },
        },
      },
      [
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
    [
      'spec.affinity',
      {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, podAffinityTerm: { topologyKey: '' } }],
        },
      },
      [
        'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
        'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Required value: can not be empty',
        'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Invalid value: "": name part must be non-empty',
        "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'spec.topologySpreadConstraints',
      [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'x' }],
      [
        'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
        'spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty',
        'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "x": supported values: "DoNotSchedule", "ScheduleAnyway"',
      ],
    ],
    [
      'spec.volumes',
      [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }],
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'spec.volumes',
      [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
      ['spec.volumes[1].name: Duplicate value: "v"'],
    ],
    [
      'spec.volumes',
      [{ name: 'v', projected: { sources: [{ secret: { name: '' }, configMap: { name: 'c' } }] } }],
      [
        'spec.volumes[0].projected.sources[0].secret.name: Required value',
        'spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source',
      ],
    ],
    [
      'spec.volumes',
      [
        { name: 'v', csi: { driver: '' } },
        { name: 'w', ephemeral: {} },
      ],
      ['spec.volumes[0].csi.driver: Required value', 'spec.volumes[1].ephemeral.volumeClaimTemplate: Required value'],
    ],
    [
      'spec.securityContext',
      { sysctls: [{ name: 'A', value: '1' }], fsGroupChangePolicy: 'x' },
      [
        'spec.securityContext.sysctls[0].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
        'spec.securityContext.fsGroupChangePolicy: Unsupported value: "x": supported values: "Always", "OnRootMismatch"',
      ],
    ],
    ['spec.os', { name: 'other' }, ['spec.os: Unsupported value: "other": supported values: "linux", "windows"']],
    [
      'spec.schedulingGates',
      [{ name: '' }],
      [
        'spec.schedulingGates[0]: Invalid value: "": name part must be non-empty',
        "spec.schedulingGates[0]: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      'spec.ephemeralContainers',
      [{ name: 'e', image: 'i' }],
      ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
    ],
    [
      'spec.resourceClaims',
      [{ name: 'r' }],
      [
        'spec.resourceClaims[0]: Invalid value: {"Name":"r","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
      ],
    ],
    [
      'spec.overhead',
      { cpu: '-1' },
      ['spec.overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.containers[0].image', 'other', []],
    [
      'spec.containers[0].image',
      '',
      ['spec.containers[0].image: Required value', 'spec.containers[0].image: Required value'],
    ],
    ['spec.activeDeadlineSeconds', 5, []],
    [
      'spec.schedulingGates',
      [{ name: 'g' }],
      ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});
