// Validation of services, policies and routes: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../test-faults.ts';

describe('services', () => {
  const find = faultFinder('v1/services', { spec: { ports: [{ port: 80 }] } });
  test.each<FaultRow>([
    ['spec.ports', [], ['spec.ports: Required value']],
    [
      'spec.ports',
      [{ port: 0 }, { name: 'A', port: 1 }],
      [
        'spec.ports[0].name: Required value',
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
        "spec.ports[1].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'spec.ports',
      [
        { name: 'a', port: 1 },
        { name: 'b', port: 1 },
      ],
      [
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}',
      ],
    ],
    [
      'spec.type',
      'other',
      [
        'spec.type: Unsupported value: "other": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    ['spec.type', 'ExternalName', ['spec.externalName: Required value']],
    [
      'spec.sessionAffinity',
      'x',
      ['spec.sessionAffinity: Unsupported value: "x": supported values: "ClientIP", "None"'],
    ],
    [
      'spec.clusterIP',
      'x',
      ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [
      'spec.clusterIPs',
      ['1.2.3.4'],
      ['spec.clusterIPs: Invalid value: ["1.2.3.4"]: must be empty when `clusterIP` is not specified'],
    ],
    [
      'spec.externalIPs',
      ['127.0.0.1', 'x'],
      [
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'spec.externalIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'spec.externalTrafficPolicy',
      'Local',
      ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
    ],
    [
      'spec.internalTrafficPolicy',
      'x',
      ['spec.internalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"'],
    ],
    [
      'spec.loadBalancerClass',
      'x',
      ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
    ],
    [
      'spec.loadBalancerSourceRanges',
      ['x'],
      [
        "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    ['spec.ipFamilies', ['IPv4', 'IPv4'], ['spec.ipFamilies[1]: Duplicate value: "IPv4"']],
    [
      'spec.ipFamilyPolicy',
      'x',
      [
        'spec.ipFamilyPolicy: Unsupported value: "x": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
      ],
    ],
    [
      'spec.trafficDistribution',
      'x',
      [
        'spec.trafficDistribution: Unsupported value: "x": supported values: "PreferClose", "PreferSameZone", "PreferSameNode"',
      ],
    ],
    [
      'spec.healthCheckNodePort',
      1,
      [
        "spec.healthCheckNodePort: Invalid value: 1: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      'spec.allocateLoadBalancerNodePorts',
      true,
      ["spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"],
    ],
    [
      'spec.ports[0].nodePort',
      30000,
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('ingresses', () => {
  const find = faultFinder('networking.k8s.io/v1/ingresses', {
    spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
  });
  test.each<FaultRow>([
    [
      'spec.defaultBackend',
      undefined,
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    ['spec.defaultBackend', {}, ['spec.defaultBackend: Invalid value: "": resource or service backend is required']],
    [
      'spec.defaultBackend.service.name',
      'A',
      [
        "spec.defaultBackend.service.name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    ['spec.defaultBackend.service.port', {}, ['spec.defaultBackend: Required value: port name or number is required']],
    [
      'spec.rules',
      [{ host: '1.2.3.4' }, { host: '*.A', http: { paths: [] } }],
      [
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        "spec.rules[1].host: Invalid value: \"*.A\": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.rules[1].http.paths: Required value',
      ],
    ],
    [
      'spec.rules',
      [
        {
          http: {
            paths: [
              { path: 'a//b', pathType: 'Exact', backend: { resource: { kind: '', name: 'n' } } },
              { path: '/', pathType: 'x', backend: {} },
            ],
          },
        },
      ],
      [
        'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
        'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain \'//\'',
        'spec.rules[0].http.paths[0].backend.resource.kind: Required value',
        'spec.rules[0].http.paths[1].pathType: Unsupported value: "x": supported values: "Exact", "ImplementationSpecific", "Prefix"',
        'spec.rules[0].http.paths[1].backend: Invalid value: "": resource or service backend is required',
      ],
    ],
    [
      'spec.tls',
      [{ hosts: ['A'], secretName: 'A' }],
      [
        "spec.tls[0].hosts[0]: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.tls[0].secretName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'spec.ingressClassName',
      '',
      [
        "spec.ingressClassName: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('the status of ingresses', () => {
  const base = { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } };
  const find = faultFinder('networking.k8s.io/v1/ingresses', base, 'status');
  const path = 'status.loadBalancer.ingress';
  test.each<[object, string[]]>([
    [{ ip: '1.2.3.4' }, []],
    [{ hostname: 'a.b' }, []],
    [
      { ip: '1.2.3' },
      [`${path}[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`],
    ],
    [{ ip: '1.2.3.04' }, [`${path}[0].ip: Invalid value: "1.2.3.04": must not have leading 0s`]],
    [{ hostname: '1.2.3.4' }, [`${path}[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address`]],
  ])('%j', (ingress, faults) => expect(find.onUpdate(path, [ingress])).toEqual(faults));
});

describe('ingressclasses', () => {
  const find = faultFinder('networking.k8s.io/v1/ingressclasses', { spec: { controller: 'a.b/c' } });
  test.each<FaultRow>([
    ['spec.controller', '', ['spec.controller: Required value']],
    [
      'spec.controller',
      'x',
      ['spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'spec.parameters',
      { kind: '', name: 'n', scope: 'Namespace' },
      [
        'spec.parameters.kind: Required value',
        "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
      ],
    ],
    [
      'spec.parameters',
      { kind: 'k', name: 'n', apiGroup: 'A', scope: 'x' },
      [
        "spec.parameters.apiGroup: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.parameters.scope: Unsupported value: "x": supported values: "Cluster", "Namespace"',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['spec.controller', 'a.b/d', ['spec.controller: Invalid value: "a.b/d": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('networkpolicies', () => {
  const find = faultFinder('networking.k8s.io/v1/networkpolicies', { spec: { podSelector: {} } });
  test.each<FaultRow>([
    [
      'spec.podSelector.matchLabels',
      { 'a b': 'c' },
      [
        "spec.podSelector.matchLabels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    ['spec.policyTypes', ['x'], ['spec.policyTypes[0]: Unsupported value: "x": supported values: "Ingress", "Egress"']],
    [
      'spec.ingress',
      [{ ports: [{ protocol: 'x', port: 0 }, { endPort: 1 }, { port: 'a', endPort: 1 }, { port: 9, endPort: 1 }] }],
      [
        'spec.ingress[0].ports[0].protocol: Unsupported value: "x": supported values: "TCP", "UDP", "SCTP"',
        'spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ingress[0].ports[1].endPort: Invalid value: 1: may not be specified when `port` is not specified',
        'spec.ingress[0].ports[2].endPort: Invalid value: 1: may not be specified when `port` is non-numeric',
        'spec.ingress[0].ports[3].endPort: Invalid value: 9: must be greater than or equal to `port`',
      ],
    ],
    [
      'spec.egress',
      [
        {
          to: [
            {},
            { podSelector: {}, ipBlock: { cidr: '' } },
            { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/8', '10.0.0.0/8'] } },
          ],
        },
      ],
      [
        'spec.egress[0].to[0]: Required value: must specify a peer',
        'spec.egress[0].to[1].ipBlock.cidr: Required value',
        'spec.egress[0].to[1]: Forbidden: may not specify both ipBlock and another peer',
        'spec.egress[0].to[2].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`',
        'spec.egress[0].to[2].ipBlock.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
      ],
    ],
    [
      'spec.ingress',
      [{ from: [{ ipBlock: { cidr: '010.0.0.0/8', except: ['11.0.0.0/8'] } }] }],
      [
        'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "010.0.0.0/8": must not have leading 0s in IP or prefix length',
        'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('ipaddresses', () => {
  const find = faultFinder('networking.k8s.io/v1/ipaddresses', {
    metadata: { name: '1.2.3.4' },
    spec: { parentRef: { resource: 'services', name: 's' } },
  });
  test.each<FaultRow>([
    ['spec.parentRef', undefined, ['spec.parentRef: Required value']],
    [
      'spec.parentRef',
      { group: 'A', resource: '', name: '' },
      [
        "spec.parentRef.group: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.parentRef.resource: Required value',
        'spec.parentRef.name: Required value',
      ],
    ],
    ['metadata.name', '01.2.3.4', ['metadata.name: Invalid value: "01.2.3.4": must not have leading 0s']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.parentRef.name',
      't',
      [
        'spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"","Name":"t"}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('servicecidrs', () => {
  const find = faultFinder('networking.k8s.io/v1/servicecidrs', { spec: { cidrs: ['10.0.0.0/8'] } });
  test.each<FaultRow>([
    ['spec.cidrs', [], ['spec.cidrs: Required value: at least one CIDR required']],
    [
      'spec.cidrs',
      ['10.0.0.1/8'],
      ['spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
    ],
    [
      'spec.cidrs',
      ['10.0.0.0/8', '11.0.0.0/8'],
      [
        'spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.cidrs', ['11.0.0.0/8'], ['spec.cidrs[0]: Invalid value: "11.0.0.0/8": field is immutable']],
    ['spec.cidrs', ['10.0.0.0/8', 'fd00::/64'], []],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('endpointslices', () => {
  const find = faultFinder('discovery.k8s.io/v1/endpointslices', {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['1.2.3.4'] }],
    ports: [{ name: 'a' }],
  });
  test.each<FaultRow>([
    ['addressType', 'x', ['addressType: Unsupported value: "x": supported values: "FQDN", "IPv4", "IPv6"']],
    ['endpoints[0].addresses', [], ['endpoints[0].addresses: Required value: must contain at least 1 address']],
    [
      'endpoints[0].addresses',
      ['x', '::1', '127.0.0.1'],
      [
        'endpoints[0].addresses[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'endpoints[0].addresses: Invalid value: "::1": must be an IPv4 address',
        'endpoints[0].addresses[1]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        'endpoints[0].addresses[2]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      'endpoints[0].hostname',
      '',
      [
        "endpoints[0].hostname: Invalid value: \"\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'endpoints[0].nodeName',
      'A',
      [
        "endpoints[0].nodeName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'endpoints[0].hints',
      { forZones: [{ name: 'z' }, { name: 'z' }], forNodes: [{ name: 'A' }] },
      [
        'endpoints[0].hints.forZones[1].name: Duplicate value: "z"',
        "endpoints[0].hints.forNodes[0].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'ports',
      [{ name: 'a' }, { name: 'a', protocol: 'x', appProtocol: '' }],
      [
        'ports[1].name: Duplicate value: "a"',
        'ports[1].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
        'ports[1].appProtocol: Invalid value: "": name part must be non-empty',
        "ports[1].appProtocol: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['addressType', 'IPv6', ['addressType: Invalid value: "IPv6": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});
