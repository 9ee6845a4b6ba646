// Validation of small core kinds: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../test-faults.ts';

describe('configmaps', () => {
  const find = faultFinder('v1/configmaps', { data: { a: 'b' } });
  test.each<FaultRow>([
    [
      'data',
      { 'a b': 'c', '..': 'd' },
      [
        'data[..]: Invalid value: "..": must not be \'..\'',
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    ['binaryData', { a: 'AAAA' }, ['data[a]: Invalid value: "a": duplicate of key present in binaryData']],
    ['data', { a: 'x'.repeat(1048577) }, [': Too long: may not be more than 1048576 bytes']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('secrets', () => {
  const find = faultFinder('v1/secrets', { type: 'Opaque', data: {} });
  test.each<FaultRow>([
    ['type', 'kubernetes.io/tls', ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    ['type', 'kubernetes.io/basic-auth', ['data[username]: Required value', 'data[password]: Required value']],
    ['type', 'kubernetes.io/dockerconfigjson', ['data[.dockerconfigjson]: Required value']],
    [
      'data',
      { 'a/b': '' },
      [
        "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['type', 'other', ['type: Invalid value: "other": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('serviceaccounts', () => {
  const find = faultFinder('v1/serviceaccounts', {});
  test.each<FaultRow>([
    [
      'metadata.name',
      'A_b',
      [
        "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('namespaces', () => {
  const find = faultFinder('v1/namespaces', {});
  test.each<FaultRow>([
    ['metadata.name', 'a.b', ['metadata.name: Invalid value: "a.b": must not contain dots']],
    [
      'spec.finalizers',
      ['x'],
      ['spec.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('nodes', () => {
  const find = faultFinder('v1/nodes', { spec: {} });
  test.each<FaultRow>([
    [
      'spec.taints',
      [{ key: 'a b', effect: 'x' }],
      [
        "metadata.taints[0].key: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'metadata.taints[0].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      'spec.podCIDRs',
      ['x'],
      ['spec.podCIDRs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['spec.providerID', 'p', []]])('changed: %s = %j', (path, value, faults) =>
    expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('limitranges', () => {
  const find = faultFinder('v1/limitranges', { spec: { limits: [] } });
  test.each<FaultRow>([
    [
      'spec.limits',
      [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }],
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
        'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
      ],
    ],
    [
      'spec.limits',
      [{ type: 'Pod', default: { cpu: '1' } }],
      ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    ],
    [
      'spec.limits',
      [{ type: 'Container' }, { type: 'Container' }],
      ['spec.limits[1].type: Duplicate value: "Container"'],
    ],
    [
      'spec.limits',
      [{ type: 'PersistentVolumeClaim' }],
      [
        'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('resourcequotas', () => {
  const find = faultFinder('v1/resourcequotas', { spec: { hard: { pods: '1' } } });
  test.each<FaultRow>([
    [
      'spec.hard',
      { pods: '-1', odd: '1' },
      [
        'spec.hard[odd]: Invalid value: "odd": must be a standard resource type or fully qualified',
        'spec.hard[odd]: Invalid value: "odd": must be a standard resource for quota',
        'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    ['spec.scopes', ['other'], ['spec.scopes: Invalid value: ["other"]: unsupported scope']],
    [
      'spec.scopes',
      ['BestEffort', 'NotBestEffort'],
      ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['spec.scopes', ['Terminating'], ['spec.scopes: Invalid value: ["Terminating"]: field is immutable']],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('endpoints', () => {
  const find = faultFinder('v1/endpoints', { subsets: [{ addresses: [{ ip: '1.2.3.4' }], ports: [{ port: 1 }] }] });
  test.each<FaultRow>([
    [
      'subsets[0].addresses[0].ip',
      '127.0.0.1',
      [
        'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    ['subsets[0].addresses', [], ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`']],
    [
      'subsets[0].ports',
      [{ port: 0 }, { port: 1 }],
      [
        'subsets[0].ports[0].name: Required value',
        'subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'subsets[0].ports[1].name: Required value',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('replicationcontrollers', () => {
  const find = faultFinder('v1/replicationcontrollers', {
    spec: {
      selector: { a: 'b' },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  test.each<FaultRow>([
    ['spec.selector', undefined, []],
    [
      'spec.selector',
      { a: 'c' },
      ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'],
    ],
    ['spec.replicas', -1, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    ['spec.template', undefined, ['spec.template: Required value']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('podtemplates', () => {
  const find = faultFinder('v1/podtemplates', {
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  });
  test.each<FaultRow>([
    ['template.spec.containers', [], ['template.spec.containers: Required value']],
    [
      'template.metadata.labels',
      { 'a b': 'c' },
      [
        "template.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('events', () => {
  const find = faultFinder('v1/events', { involvedObject: { namespace: 'n' } });
  test.each<FaultRow>([
    [
      'involvedObject.namespace',
      'other',
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      'eventTime',
      '2026-01-01T00:00:00.000000Z',
      [
        'reportingComponent: Required value',
        'reportingComponent: Invalid value: "": name part must be non-empty',
        "reportingComponent: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'reportingInstance: Required value',
        'action: Required value',
        'reason: Required value',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('events that are shared', () => {
  const find = faultFinder('events.k8s.io/v1/events', {
    eventTime: '2026-01-01T00:00:00.000000Z',
    regarding: { namespace: 'n' },
    reportingController: 'c.d/e',
    reportingInstance: 'i',
    action: 'a',
    reason: 'r',
    type: 'Normal',
  });
  test.each<FaultRow>([
    ['eventTime', undefined, ['eventTime: Required value']],
    ['type', 'x', ['type: Invalid value: "": has invalid value: x']],
    [
      'series',
      { count: 1 },
      ['series.count: Invalid value: "": should be at least 2', 'series.lastObservedTime: Required value'],
    ],
    ['deprecatedCount', 1, ['count: Invalid value: "": needs to be unset']],
    ['note', 'x'.repeat(1025), ['message: Invalid value: "": can have at most 1024 characters']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    ['action', 'other', ['action: Invalid value: "other": field is immutable']],
    ['series', { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' }, []],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});
