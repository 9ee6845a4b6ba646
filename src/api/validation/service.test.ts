import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../kinds/test-faults.ts';

const plain = { ports: [{ port: 80 }], selector: { a: 'b' } };
const expectFaults =
  (base: object) =>
  (path: string, value: unknown, faults: string[]): void =>
    expect(faultFinder('v1/services', { spec: base }).onCreate(path, value)).toEqual(faults);
const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";
const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const internalPort = (port: number, protocol = 'TCP') =>
  `{"Name":"","Protocol":"${protocol}","AppProtocol":null,"Port":${port},"TargetPort":0,"NodePort":0}`;

describe('ports', () => {
  const p = 'spec.ports';
  test.each<FaultRow>([
    [p, [], [`${p}: Required value`]],
    [
      p,
      [{}],
      [
        `${p}[0].port: Invalid value: 0: must be between 1 and 65535, inclusive`,
        `${p}[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive`,
      ],
    ],
    [
      p,
      [{ port: 80, name: 'A', protocol: 'tcp', targetPort: '80', appProtocol: '' }],
      [
        `${p}[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
        `${p}[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"`,
        `${p}[0].targetPort: Invalid value: "80": must contain at least one letter (a-z)`,
        `${p}[0].appProtocol: Invalid value: "": name part must be non-empty`,
        `${p}[0].appProtocol: Invalid value: "": ${namePart}`,
      ],
    ],
    [
      p,
      [{ port: 80, nodePort: 30_000 }],
      [`${p}[0].nodePort: Forbidden: may not be used when \`type\` is 'ClusterIP'`],
    ],
    [p, [{ port: 80, targetPort: '' }], []],
    [
      p,
      [{ port: 80 }, { port: 80 }],
      [`${p}[0].name: Required value`, `${p}[1].name: Required value`, `${p}[1]: Duplicate value: ${internalPort(80)}`],
    ],
    [
      p,
      [
        { name: 'a', port: 80 },
        { name: 'a', port: 80, protocol: 'UDP' },
      ],
      [`${p}[1].name: Duplicate value: "a"`],
    ],
  ])('%s = %j', expectFaults(plain));
});

describe('node ports', () => {
  const p = 'spec.ports';
  const named = (name: string, port: number, fields: object = {}) => ({ name, port, ...fields });
  test.each<FaultRow>([
    // Ports with the same number get one node port, which only another protocol may share.
    [p, [named('a', 53), named('b', 53, { protocol: 'UDP' })], []],
    [
      p,
      [named('a', 80), named('b', 81), named('c', 80)],
      [`${p}[2].nodePort: Duplicate value: 32769`, `${p}[2]: Duplicate value: ${internalPort(80)}`],
    ],
    [
      p,
      [named('a', 80), named('b', 80, { nodePort: 30_000 })],
      [`${p}[1].nodePort: Duplicate value: 30000`, `${p}[1]: Duplicate value: ${internalPort(80)}`],
    ],
    [
      p,
      [named('a', 80, { nodePort: 30_000 }), named('b', 81, { nodePort: 30_000 })],
      [`${p}[1].nodePort: Duplicate value: 30000`],
    ],
  ])('%s = %j', expectFaults({ ...plain, type: 'NodePort' }));

  test('a balancer may do without', () =>
    expectFaults({ ...plain, type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })(
      p,
      [named('a', 80), named('b', 80)],
      [`${p}[1]: Duplicate value: ${internalPort(80)}`],
    ));
});

describe('fields', () => {
  const s = 'spec.sessionAffinityConfig';
  test.each<FaultRow>([
    [
      'spec.type',
      'Odd',
      [
        'spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      'spec.sessionAffinity',
      'Odd',
      ['spec.sessionAffinity: Unsupported value: "Odd": supported values: "ClientIP", "None"'],
    ],
    [
      'spec',
      { ...plain, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } },
      [`${s}.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400`],
    ],
    ['spec', { ...plain, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: {} } }, []],
    ['spec.selector', { 'a b': 'c' }, [`spec.selector: Invalid value: "a b": ${namePart}`]],
    [
      'spec.externalIPs',
      ['127.0.0.1', 'x'],
      [
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'spec.loadBalancerSourceRanges',
      ['10.0.0.1/8', 'x'],
      [
        `spec.LoadBalancerSourceRanges: Forbidden: ${onlyBalanced}`,
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length',
        'spec.LoadBalancerSourceRanges[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    ['spec.allocateLoadBalancerNodePorts', false, [`spec.allocateLoadBalancerNodePorts: Forbidden: ${onlyBalanced}`]],
    ['spec.loadBalancerClass', '', [`spec.loadBalancerClass: Forbidden: ${onlyBalanced}`]],
    [
      'spec.externalTrafficPolicy',
      'Local',
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      'spec.healthCheckNodePort',
      30_000,
      [
        "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      'spec.internalTrafficPolicy',
      '',
      ['spec.internalTrafficPolicy: Unsupported value: "": supported values: "Cluster", "Local"'],
    ],
    [
      'spec.trafficDistribution',
      '',
      [
        'spec.trafficDistribution: Unsupported value: "": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
      ],
    ],
    [
      'spec.ipFamilyPolicy',
      'Odd',
      [
        'spec.ipFamilyPolicy: Unsupported value: "Odd": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
      ],
    ],
    [
      'spec.ipFamilies',
      ['IPv4', 'IPv4', 'IPv5'],
      [
        'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        'spec.ipFamilies[2]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
      ],
    ],
    [
      'spec.clusterIPs',
      ['10.0.0.1'],
      ['spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified'],
    ],
    [
      'metadata',
      {
        name: 'x',
        annotations: {
          'service.kubernetes.io/topology-mode': 'Auto',
          'service.kubernetes.io/topology-aware-hints': 'auto',
        },
      },
      [
        'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
      ],
    ],
    ['metadata.name', '1-a', []],
    ['metadata.name', 'a.b', ['metadata.name: Invalid value: "a.b": must not contain dots']],
  ])('%s = %j', expectFaults(plain));

  test.each<FaultRow>([
    ['spec.externalName', '', ['spec.externalName: Required value']],
    [
      'spec.ipFamilyPolicy',
      'SingleStack',
      ['spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services'],
    ],
    ['spec.ipFamilies', ['IPv4'], ['spec.ipFamilies: Forbidden: may not be set for ExternalName services']],
    ['spec.externalName', 'a.b.', []],
    ['spec.internalTrafficPolicy', 'Local', []],
  ])('of a name: %s = %j', expectFaults({ type: 'ExternalName', externalName: 'a.b' }));
});

describe('status', () => {
  const path = 'status.loadBalancer.ingress';
  const of = (type: string) =>
    faultFinder('v1/services', { spec: { ...plain, type, clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] } }, 'status');
  test.each<[object, string[]]>([
    [{ ip: '1.2.3.4', ipMode: 'VIP' }, []],
    [{ ip: '1.2.3.4', ipMode: 'Proxy' }, []],
    [{ hostname: 'a.b' }, []],
    // The default is VIP.
    [{ ip: '1.2.3.4' }, []],
    [
      { ip: '1.2.3.4', ipMode: 'vip' },
      [`${path}[0].ipMode: Unsupported value: "vip": supported values: "Proxy", "VIP"`],
    ],
    [{ hostname: 'a.b', ipMode: 'VIP' }, [`${path}[0].ipMode: Forbidden: may not be specified when \`ip\` is not set`]],
    [{ hostname: '1.2.3.4' }, [`${path}[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address`]],
    [
      { ip: 'x', ipMode: 'VIP' },
      [`${path}[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`],
    ],
  ])('of an address %j', (ingress, faults) => expect(of('LoadBalancer').onUpdate(path, [ingress])).toEqual(faults));

  test('of another type has no addresses', () =>
    expect(of('ClusterIP').onUpdate(path, [{ ip: '1.2.3.4', ipMode: 'VIP' }])).toEqual([
      `${path}: Forbidden: may only be used when \`spec.type\` is 'LoadBalancer'`,
    ]));
});
