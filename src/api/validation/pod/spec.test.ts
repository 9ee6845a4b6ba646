import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const containers = [{ name: 'c', image: 'i' }];
const find = faultFinder('v1/pods', { spec: { containers } });
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

describe('names', () => {
  test.each<FaultRow>([
    ...['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'].map(
      (field): FaultRow => [`spec.${field}`, 'A', [`spec.${field}: Invalid value: "A": ${subdomain}`]],
    ),
    ...['serviceAccountName', 'nodeName', 'priorityClassName', 'hostname', 'subdomain'].map(
      (field): FaultRow => [`spec.${field}`, '', []],
    ),
    ['spec.runtimeClassName', '', [`spec.runtimeClassName: Invalid value: "": ${subdomain}`]],
    ['spec.serviceAccount', 'A', [`spec.serviceAccountName: Invalid value: "A": ${subdomain}`]],
    ['spec.hostname', 'A', [`spec.hostname: Invalid value: "A": ${label}`]],
    ['spec.subdomain', 'a.b', ['spec.subdomain: Invalid value: "a.b": must not contain dots']],
    ['spec.schedulerName', 'A B', []],
    ['spec.imagePullSecrets', [{}, {}], []],
    ['spec.hostnameOverride', '', [`spec.hostnameOverride: Invalid value: "": ${subdomain}`]],
    ['spec.hostnameOverride', 'x'.repeat(65), ['spec.hostnameOverride: Too long: may not be more than 64 bytes']],
    [
      'spec',
      { containers, setHostnameAsFQDN: true, hostNetwork: true, hostnameOverride: 'h' },
      [
        'spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true',
        'spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true',
      ],
    ],
    ['spec.preemptionPolicy', '', ['spec.preemptionPolicy: Required value']],
    [
      'spec.preemptionPolicy',
      'Odd',
      ['spec.preemptionPolicy: Unsupported value: "Odd": supported values: "PreemptLowerPriority", "Never"'],
    ],
    ['spec.restartPolicy', '', []],
    [
      'spec.dnsPolicy',
      'Odd',
      [
        'spec.dnsPolicy: Unsupported value: "Odd": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
      ],
    ],
    [
      'spec.activeDeadlineSeconds',
      2 ** 31,
      ['spec.activeDeadlineSeconds: Invalid value: 2147483648: must be between 1 and 2147483647, inclusive'],
    ],
    ['spec.terminationGracePeriodSeconds', -5, []],
    [
      'spec.hostAliases',
      [{}],
      ['spec.hostAliases[0].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      'spec.hostAliases',
      [{ ip: '010.0.0.1', hostnames: [] }],
      ['spec.hostAliases[0].ip: Invalid value: "010.0.0.1": must not have leading 0s'],
    ],
    [
      'spec.readinessGates',
      [{ conditionType: 'a b' }],
      [`spec.readinessGates[0].conditionType: Invalid value: "a b": ${namePart}`],
    ],
    ['spec.schedulingGates', [{ name: 'g' }, { name: 'g' }], ['spec.schedulingGates[1]: Duplicate value: "g"']],
    [
      'spec',
      { containers, nodeName: 'n', schedulingGates: [{ name: 'g' }] },
      ['spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared'],
    ],
    // The feature gate of scheduling groups is off.
    ['spec.schedulingGroup', { podGroupName: 'A' }, []],
    [
      'spec',
      { hostNetwork: true, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 81 }] }] },
      [
        'spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
      ],
    ],
  ])('%s = %j', expectFaults);
});

describe('name servers', () => {
  const d = 'spec.dnsConfig';
  const many = (count: number, item: string) => Array.from({ length: count }, () => item);
  test.each<FaultRow>([
    [d, {}, []],
    [d, { nameservers: [], searches: [], options: [] }, []],
    [
      d,
      { nameservers: many(4, '1.1.1.1'), options: [{ value: 'x' }] },
      [
        `${d}.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more than 3 nameservers`,
        `${d}.options[0]: Required value: must not be empty`,
      ],
    ],
    [
      d,
      { nameservers: ['x'] },
      [`${d}.nameservers[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`],
    ],
    [
      d,
      { searches: many(33, 'a') },
      [`${d}.searches: Invalid value: ${JSON.stringify(many(33, 'a'))}: must not have more than 32 search paths`],
    ],
    [
      d,
      { searches: many(10, 'a'.repeat(205)) },
      [
        `${d}.searches: Invalid value: ${JSON.stringify(many(10, 'a'.repeat(205)))}: must not have more than 2048 characters (including spaces) in the search list`,
      ],
    ],
    [d, { searches: ['.', 'a_b.', 'x.'] }, []],
    [
      d,
      { searches: ['A'] },
      [
        `${d}.searches[0]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')`,
      ],
    ],
    [
      'spec',
      { containers, dnsPolicy: 'None', dnsConfig: { searches: ['A'] } },
      [`${d}.nameservers: Required value: must provide at least one DNS nameserver when \`dnsPolicy\` is None`],
    ],
  ])('%s = %j', expectFaults);
});

describe('resource claims', () => {
  const r = 'spec.resourceClaims';
  test.each<FaultRow>([
    [r, [], []],
    [
      r,
      [{}, { name: 'a.b', resourceClaimName: '', resourceClaimTemplateName: 'T' }],
      [
        `${r}[0].name: Required value`,
        `${r}[0]: Invalid value: {"Name":"","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: \`resourceClaimName\`, \`resourceClaimTemplateName\``,
        `${r}[1].name: Invalid value: "a.b": must not contain dots`,
        `${r}[1]: Invalid value: {"Name":"a.b","ResourceClaimName":"","ResourceClaimTemplateName":"T"}: at most one of \`resourceClaimName\` or \`resourceClaimTemplateName\` may be specified`,
        `${r}[1].resourceClaimName: Invalid value: "": ${subdomain}`,
        `${r}[1].resourceClaimTemplateName: Invalid value: "T": ${subdomain}`,
      ],
    ],
    [
      r,
      [
        { name: 'a', resourceClaimName: 'x' },
        { name: 'a', resourceClaimName: 'x' },
      ],
      [`${r}[1].name: Duplicate value: "a"`],
    ],
  ])('%s = %j', expectFaults);

  test('a static pod has none', () =>
    expect(
      faultFinder('v1/pods', {
        metadata: { name: 'x', annotations: { 'kubernetes.io/config.mirror': 'x' } },
        spec: { containers, nodeName: 'n' },
      }).onCreate(r, [{}, {}]),
    ).toEqual(Array(2).fill(': Forbidden: static pods do not support resource claims')));
});
