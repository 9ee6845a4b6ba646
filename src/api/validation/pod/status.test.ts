import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const finder = (spec: object, status: object = {}) =>
  faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }], ...spec }, status }, 'status');
const expectFaults =
  (find: ReturnType<typeof finder>) =>
  (path: string, value: unknown, faults: string[]): void =>
    expect(find.onUpdate(path, value)).toEqual(faults);
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const ip = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

describe('conditions and addresses', () => {
  test.each<FaultRow>([
    [
      'status.conditions',
      [{ type: 'a b', status: 'True', observedGeneration: -1 }],
      [
        'status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer',
        "status.conditions[0].Type: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    ['status.nominatedNodeName', 'A', [`status.nominatedNodeName: Invalid value: "A": ${subdomain}`]],
    ['status.observedGeneration', -1, ['status.observedGeneration: Invalid value: -1: must be a non-negative integer']],
    ['status.qosClass', 'Guaranteed', ['status.qosClass: Invalid value: "Guaranteed": field is immutable']],
    ['status.qosClass', undefined, []],
    ['status.podIP', 'x', [`status.podIPs[0]: Invalid value: "x": ${ip}`]],
    [
      'status.podIPs',
      [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
      [
        'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: may specify no more than one IP for each IP family',
      ],
    ],
    ['status.podIPs', [{ ip: '10.0.0.1' }, { ip: '::1' }], []],
    [
      'status.podIPs',
      [{ ip: '10.0.0.1' }, { ip: 'x' }],
      [
        `status.podIPs[1]: Invalid value: "x": ${ip}`,
        'status.podIPs: Internal error: failed to check for dual stack with error:invalid IP[1]: x',
        'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"x"}]: may specify no more than one IP for each IP family',
      ],
    ],
    [
      'status.hostIPs',
      [{ ip: '10.0.0.1' }],
      ['status.hostIPs[0].ip: Invalid value: "10.0.0.1": must be equal to `hostIP`'],
    ],
    ['status', { hostIP: 'x', hostIPs: [{ ip: 'x' }] }, [`status.hostIPs[0]: Invalid value: "x": ${ip}`]],
  ])('%s = %j', expectFaults(finder({})));

  test('a bound pod gets no nomination', () =>
    expectFaults(finder({ nodeName: 'n' }))('status.nominatedNodeName', 'm', [
      'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node',
    ]));
});

describe('ended containers', () => {
  const ended = (exitCode: number) => ({ name: 'c', state: { terminated: { exitCode } } });
  const running = [{ name: 'c', state: { running: {} } }];
  const fault = (list: string) => `status.${list}[0].state: Forbidden: may not be transitioned to non-terminated state`;
  const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [3] } }];
  const ruled = [{ name: 'c', image: 'i', restartPolicy: 'Never', restartPolicyRules: rules }];
  test.each<[what: string, spec: object, exitCode: number, faults: string[]]>([
    ['Always', {}, 0, []],
    ['Never', { restartPolicy: 'Never' }, 1, [fault('containerStatuses')]],
    ['OnFailure, failed', { restartPolicy: 'OnFailure' }, 1, []],
    ['OnFailure, succeeded', { restartPolicy: 'OnFailure' }, 0, [fault('containerStatuses')]],
    ['by a rule', { containers: ruled }, 3, []],
    ['by no rule', { containers: ruled }, 4, [fault('containerStatuses')]],
  ])('%s', (_, spec, exitCode, faults) =>
    expectFaults(finder(spec, { containerStatuses: [ended(exitCode)] }))('status.containerStatuses', running, faults),
  );

  test('an init container that succeeded', () =>
    expectFaults(
      finder(
        { restartPolicy: 'OnFailure', initContainers: [{ name: 'i', image: 'i' }] },
        { initContainerStatuses: [{ ...ended(0), name: 'i' }] },
      ),
    )('status.initContainerStatuses', [{ name: 'i' }], [fault('initContainerStatuses')]));

  test('an ephemeral container, in any policy', () =>
    expectFaults(finder({}, { ephemeralContainerStatuses: [ended(1)] }))('status.ephemeralContainerStatuses', running, [
      fault('ephemeralContainerStatuses'),
    ]));
});

describe('claims and devices', () => {
  const find = finder({
    containers: [
      {
        name: 'c',
        image: 'i',
        resources: { limits: { 'a.b/c': '1' }, claims: [{ name: 'r', request: 'q' }] },
      },
    ],
    resourceClaims: [{ name: 'r', resourceClaimName: 'x' }],
  });
  const s = 'status.resourceClaimStatuses';
  const x = 'status.extendedResourceClaimStatus';
  const device = (name: string, resources: object[] = []) => [
    { name: 'c', allocatedResourcesStatus: [{ name, resources }] },
  ];
  const d = 'status.containerStatuses[0].allocatedResourcesStatus[0]';
  test.each<FaultRow>([
    [
      s,
      [{ name: 'o', resourceClaimName: '' }, { name: 'r' }, { name: 'r' }],
      [
        `${s}[0].name: Invalid value: "o": must match the name of an entry in \`spec.resourceClaims\``,
        `${s}[0].resourceClaimName: Invalid value: "": ${subdomain}`,
        `${s}[2].name: Duplicate value: "r"`,
      ],
    ],
    [
      x,
      {},
      [
        `${x}.requestMappings: Required value: at least one request mapping is required`,
        `${x}.resourceClaimName: Required value`,
      ],
    ],
    [
      x,
      {
        resourceClaimName: 'n',
        requestMappings: [
          { containerName: 'c', resourceName: 'a.b/c', requestName: 'q' },
          { containerName: 'c', resourceName: 'a.b/c', requestName: 'q' },
          { containerName: 'o', resourceName: 'a.b/c', requestName: 'q.r' },
        ],
      },
      [
        `${x}.requestMappings[1].containerName: Duplicate value: "c"`,
        `${x}.requestMappings[1].resourceName: Duplicate value: "a.b/c"`,
        `${x}.requestMappings[1].requestName: Duplicate value: "q"`,
        `${x}.requestMappings[2].containerName: Invalid value: "o": must match the name of an entry in spec.initContainers.name or spec.containers.name`,
        `${x}.requestName: Invalid value: "q.r": must not contain dots`,
      ],
    ],
    ['status.containerStatuses', device('claim:r/q', [{ resourceID: 'a', health: 'Healthy' }]), []],
    [
      'status.containerStatuses',
      device('claim:r', [
        { resourceID: 'a', health: 'Odd', message: '' },
        { resourceID: 'a', health: 'Unknown', message: 'x'.repeat(1025) },
      ]),
      [
        `${d}.name: Invalid value: "claim:r": must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty`,
        `${d}.resources[0].health: Unsupported value: "Odd": supported values: "Healthy", "Unhealthy", "Unknown"`,
        `${d}.resources[0].message: Required value: must be non-empty if specified`,
        `${d}.resources[1].message: Too long: may not be more than 1024 bytes`,
        `${d}.resources[1].resourceID: Duplicate value: "a"`,
      ],
    ],
    [
      'status.containerStatuses',
      device('cpu'),
      [`${d}.name: Invalid value: "cpu": must match one of the container's resource requests`],
    ],
    [
      'status.ephemeralContainerStatuses',
      device('cpu'),
      [
        'status.ephemeralContainerStatuses[0].allocatedResourcesStatus: Forbidden: must not be specified in container status',
      ],
    ],
    [
      'status.containerStatuses',
      [{ name: 'c', user: { linux: { uid: -1, gid: 2 ** 31, supplementalGroups: [-1] } } }],
      ['uid: Invalid value: -1', 'gid: Invalid value: 2147483648', 'supplementalGroups[0]: Invalid value: -1'].map(
        (fault) => `status.containerStatuses[0].user.linux.${fault}: must be between 0 and 2147483647, inclusive`,
      ),
    ],
  ])('%s = %j', expectFaults(find));

  test('users of Linux in a pod of Windows', () =>
    expectFaults(finder({ os: { name: 'windows' } }))(
      'status.containerStatuses',
      [{ name: 'c', user: { linux: {} } }],
      ['status.containerStatuses[0].user.linux: Forbidden: cannot be set for a windows pod'],
    ));
});
