// Validation of device claims, classes and slices: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

describe('deviceclasses', () => {
  const find = faultFinder('resource.k8s.io/v1/deviceclasses', { spec: {} });
  test.each<FaultRow>([
    ['spec.selectors', [{}], ['spec.selectors[0].cel: Required value']],
    [
      'spec.config',
      [{}, { opaque: { driver: '', parameters: {} } }],
      ['spec.config[0].opaque: Required value', 'spec.config[1].opaque.driver: Required value'],
    ],
    [
      'spec.extendedResourceName',
      'x',
      ['spec.extendedResourceName: Invalid value: "x": must be a valid extended resource name'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.selectors',
      [{ cel: { expression: '1' } }],
      ['spec.selectors[0].cel.expression: Invalid value: "1": must evaluate to bool or the unknown type, not int'],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('resourceclaims', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceclaims', {
    spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } },
  });
  test.each<FaultRow>([
    [
      'spec.devices.requests',
      [{ name: 'A' }, { name: 'A' }],
      [
        "spec.devices.requests[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required',
        "spec.devices.requests[1].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        'spec.devices.requests[1]: Required value: exactly one of `exactly` or `firstAvailable` is required',
        'spec.devices.requests[1]: Duplicate value: "A"',
      ],
    ],
    [
      'spec.devices.requests[0].firstAvailable',
      [{ name: 's', deviceClassName: 'c' }],
      [
        'spec.devices.requests[0]: Invalid value: null: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
      ],
    ],
    ['spec.devices.requests[0].exactly', {}, ['spec.devices.requests[0].exactly.deviceClassName: Required value']],
    [
      'spec.devices.requests[0].exactly',
      { deviceClassName: 'c', allocationMode: 'All', count: 1 },
      ["spec.devices.requests[0].exactly.count: Invalid value: 1: must not be specified when allocationMode is 'All'"],
    ],
    [
      'spec.devices.requests[0].exactly',
      {
        deviceClassName: 'c',
        allocationMode: 'x',
        count: -1,
        tolerations: [
          { operator: 'x', effect: 'y' },
          { operator: 'Exists', value: 'v' },
        ],
      },
      [
        'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "x": supported values: "All", "ExactCount"',
        'spec.devices.requests[0].exactly.tolerations[0].operator: Unsupported value: "x": supported values: "Equal", "Exists"',
        'spec.devices.requests[0].exactly.tolerations[0].effect: Unsupported value: "y": supported values: "NoExecute", "NoSchedule", "None"',
        'spec.devices.requests[0].exactly.tolerations[1].value: Invalid value: "v": must be empty for operator `Exists`',
      ],
    ],
    [
      'spec.devices.constraints',
      [{ requests: ['x', 'a/b/c'] }, { matchAttribute: 'a' }, { distinctAttribute: 'a.b/c d' }],
      [
        'spec.devices.constraints[0].requests[0]: Invalid value: "x": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0].requests[1]: Invalid value: "a/b/c": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
        'spec.devices.constraints[0]: Required value: exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
        'spec.devices.constraints[1].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a slash',
        "spec.devices.constraints[2].distinctAttribute: Invalid value: \"c d\": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')",
      ],
    ],
    [
      'spec.devices.config',
      [{ requests: ['r', 'r'] }],
      ['spec.devices.config[0].requests[1]: Duplicate value: "r"', 'spec.devices.config[0].opaque: Required value'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.devices.requests[0].name',
      's',
      [
        'spec: Invalid value: {"Devices":{"Requests":[{"Name":"s","Exactly":{"DeviceClassName":"c","Selectors":null,"AllocationMode":"ExactCount","Count":1,"AdminAccess":null,"Tolerations":null,"Capacity":null},"FirstAvailable":null}],"Constraints":null,"Config":null}}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('resourceclaimtemplates', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceclaimtemplates', {
    spec: { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
  });
  test.each<FaultRow>([
    [
      'spec.metadata',
      { name: 'n', uid: 'u' },
      ['spec.metadata.name: Forbidden: cannot be set', 'spec.metadata.uID: Forbidden: cannot be set'],
    ],
    [
      'spec.spec.devices.requests[0].name',
      '',
      [
        "spec.spec.devices.requests[0].name: Invalid value: \"\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([
    [
      'spec.metadata',
      { labels: { a: 'b' } },
      [
        'spec: Invalid value: {"labels":{"a":"b"},"Spec":{"Devices":{"Requests":[{"Name":"r","Exactly":{"DeviceClassName":"c","Selectors":null,"AllocationMode":"ExactCount","Count":1,"AdminAccess":null,"Tolerations":null,"Capacity":null},"FirstAvailable":null}],"Constraints":null,"Config":null}}}: field is immutable',
      ],
    ],
  ])('changed: %s = %j', (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults));
});

describe('resourceslices', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceslices', {
    spec: { driver: 'd', nodeName: 'n', pool: { name: 'p', resourceSliceCount: 1 }, devices: [{ name: 'a' }] },
  });
  test.each<FaultRow>([
    ['spec.driver', '', ['spec.driver: Required value']],
    [
      'spec.pool',
      { name: 'A//b', resourceSliceCount: 0, generation: -1 },
      [
        "spec.pool.name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        "spec.pool.name: Invalid value: \"\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero',
        'spec.pool.generation: Invalid value: -1: must be greater than or equal to zero',
      ],
    ],
    [
      'spec.nodeName',
      '',
      [
        'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
        'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required',
      ],
    ],
    [
      'spec.allNodes',
      true,
      [
        'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      ],
    ],
    ['spec.allNodes', false, ['spec.allNodes: Invalid value: false: must be either unset or set to true']],
    [
      'spec.nodeName',
      undefined,
      [
        'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required',
      ],
    ],
    ['spec.devices', [{ name: 'a' }, { name: 'a' }], ['spec.devices[1]: Duplicate value: "a"']],
    [
      'spec.devices[0].attributes',
      {
        a: {},
        b: { int: 1, bool: true },
        'c d': { version: '1' },
        '/x': { string: 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' },
      },
      [
        'spec.devices[0].attributes: Invalid value: "": the domain must not be empty',
        'spec.devices[0].attributes[/x].string: Too long: may not be more than 64 bytes',
        'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
        'spec.devices[0].attributes[b]: Invalid value: {"IntValue":1,"BoolValue":true,"StringValue":null,"VersionValue":null,"IntValues":null,"BoolValues":null,"StringValues":null,"VersionValues":null}: exactly one value must be specified',
        "spec.devices[0].attributes: Invalid value: \"c d\": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')",
        'spec.devices[0].attributes[c d].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
      ],
    ],
    [
      'spec.devices[0].capacity',
      { a: { value: '1', requestPolicy: {} } },
      ['spec.devices[0].capacity[a].requestPolicy: Forbidden: allowMultipleAllocations must be true'],
    ],
    [
      'spec.devices[0].nodeName',
      'n',
      [
        'spec.devices[0]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
      ],
    ],
    [
      'spec.devices[0].taints',
      [{ key: '', effect: 'x' }],
      [
        'spec.devices[0].taints[0].key: Invalid value: "": name part must be non-empty',
        "spec.devices[0].taints[0].key: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        'spec.devices[0].taints[0].effect: Unsupported value: "x": supported values: "NoExecute", "NoSchedule", "None"',
      ],
    ],
    [
      'spec.devices[0].bindingConditions',
      ['a', 'a'],
      [
        'spec.devices[0].bindingConditions[1]: Duplicate value: "a"',
        'spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions',
      ],
    ],
    [
      'spec.devices[0].consumesCounters',
      [{ counterSet: '', counters: {} }],
      [
        'spec.devices[0].consumesCounters[0].counterSet: Required value',
        'spec.devices[0].consumesCounters[0].counters: Required value',
      ],
    ],
    [
      'spec.sharedCounters',
      [{ name: 's', counters: { A: { value: '1' } } }],
      [
        'spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed',
        "spec.sharedCounters[0].counters: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
  test.each<FaultRow>([['spec.driver', 'e', ['spec.driver: Invalid value: "e": field is immutable']]])(
    'changed: %s = %j',
    (path, value, faults) => expect(find.onUpdate(path, value)).toEqual(faults),
  );
});

describe('resourceslices that are shared', () => {
  const find = faultFinder('resource.k8s.io/v1/resourceslices', {
    spec: {
      driver: 'd',
      nodeName: 'n',
      pool: { name: 'p', resourceSliceCount: 1 },
      devices: [{ name: 'a', allowMultipleAllocations: true, capacity: { c: { value: '10', requestPolicy: {} } } }],
    },
  });
  test.each<FaultRow>([
    [
      'spec.devices[0].capacity.c.requestPolicy',
      { validValues: ['1'] },
      ['spec.devices[0].capacity[c].requestPolicy.default: Required value: required when validValues is defined'],
    ],
    [
      'spec.devices[0].capacity.c.requestPolicy',
      { default: '2', validValues: ['3', '1', '11'] },
      [
        'spec.devices[0].capacity[c].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
        'spec.devices[0].capacity[c].requestPolicy.validValues[2]: Invalid value: "11": option is larger than capacity value: 10',
        'spec.devices[0].capacity[c].requestPolicy.validValues: Invalid value: "2": default value is not valid according to the requestPolicy',
      ],
    ],
    [
      'spec.devices[0].capacity.c.requestPolicy',
      { default: '2', validRange: { min: '3', max: '1', step: '2' } },
      [
        'spec.devices[0].capacity[c].requestPolicy.validRange.min: Invalid value: "2": default is less than min: 3',
        'spec.devices[0].capacity[c].requestPolicy.validRange.max: Invalid value: "3": min is larger than max: 1',
        'spec.devices[0].capacity[c].requestPolicy.validRange.max: Invalid value: "2": default is more than max: 1',
        'spec.devices[0].capacity[c].requestPolicy.validRange.step: Invalid value: "2": value is not a multiple of a given step (2) from (3)',
      ],
    ],
    [
      'spec.devices[0].capacity.c.requestPolicy',
      { default: '2', validRange: {} },
      ['spec.devices[0].capacity[c].requestPolicy.validRange.min: Required value: required when validRange is defined'],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});
