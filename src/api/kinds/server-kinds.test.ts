// Validation of kinds for the API server: the field, the new value, and Kubernetes' faults.
import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from './test-faults.ts';

describe('flowschemas', () => {
  const find = faultFinder('flowcontrol.apiserver.k8s.io/v1/flowschemas', {
    spec: { priorityLevelConfiguration: { name: 'p' }, matchingPrecedence: 2 },
  });
  test.each<FaultRow>([
    [
      'spec.matchingPrecedence',
      1,
      ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"],
    ],
    [
      'spec.matchingPrecedence',
      10001,
      ['spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000'],
    ],
    [
      'spec.distinguisherMethod',
      { type: 'x' },
      ['spec.distinguisherMethod.type: Unsupported value: {"Type":"x"}: supported values: "ByNamespace", "ByUser"'],
    ],
    [
      'spec.priorityLevelConfiguration',
      { name: '' },
      ['spec.priorityLevelConfiguration.name: Required value: must reference a priority level'],
    ],
    [
      'spec.rules',
      [{ subjects: [{ kind: 'x' }, { kind: 'User' }, { kind: 'Group', group: { name: 'g' }, user: { name: 'u' } }] }],
      [
        'spec.rules[0].subjects[0].kind: Unsupported value: "x": supported values: "Group", "ServiceAccount", "User"',
        "spec.rules[0].subjects[1].user: Required value: user is required when subject kind is 'User'",
        "spec.rules[0].subjects[2].user: Forbidden: user is forbidden when subject kind is not 'User'",
        'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
      ],
    ],
    [
      'spec.rules',
      [
        {
          subjects: [{ kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: '' } }],
          resourceRules: [{ verbs: ['*', 'get'], apiGroups: [], resources: ['*', 'x'] }],
          nonResourceRules: [{ verbs: ['x'], nonResourceURLs: ['a', '/a*'] }],
        },
      ],
      [
        'spec.rules[0].subjects[0].serviceAccount.namespace: Required value: must specify namespace for service account',
        'spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
        'spec.rules[0].resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'spec.rules[0].resourceRules[0].resources: Invalid value: ["*","x"]: if \'*\' is present, must not specify other resources',
        'spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace',
        'spec.rules[0].nonResourceRules[0].verbs: Unsupported value: ["x"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "a": must start with slash',
        'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a*": wildcard can only do suffix matching',
      ],
    ],
    [
      'metadata.name',
      'catch-all',
      [
        'spec: Invalid value: {"PriorityLevelConfiguration":{"Name":"p"},"MatchingPrecedence":2,"DistinguisherMethod":null,"Rules":null}: spec of \'catch-all\' must equal the fixed value',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('prioritylevelconfigurations', () => {
  const find = faultFinder('flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations', {
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } },
  });
  test.each<FaultRow>([
    ['spec.type', 'x', ['spec.type: Unsupported value: "x": supported values: "Exempt", "Limited"']],
    [
      'spec.type',
      'Exempt',
      [
        "spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'",
        'spec.limited: Forbidden: must be nil if the type is not Limited',
      ],
    ],
    ['spec.limited', undefined, ['spec.limited: Required value: must not be empty when type is Limited']],
    [
      'spec.limited.limitResponse',
      { type: 'Queue' },
      [
        'spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited',
      ],
    ],
    [
      'spec.limited.limitResponse.queuing',
      { queues: 4, handSize: 8 },
      ['spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)'],
    ],
    [
      'spec.limited.limitResponse.queuing',
      { queues: 10000001, handSize: 3, queueLengthLimit: -1 },
      [
        'spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive',
        'spec.limited.limitResponse.queuing.queues: Invalid value: 10000001: must not be greater than 10000000',
        'spec.limited.limitResponse.queuing.handSize: Invalid value: 3: required entropy bits of deckSize 10000001 and handSize 3 should not be greater than 60',
      ],
    ],
    [
      'spec.limited.lendablePercent',
      101,
      ['spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive'],
    ],
    [
      'spec.limited.borrowingLimitPercent',
      -1,
      ['spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer'],
    ],
    [
      'metadata.name',
      'exempt',
      [
        "spec.type: Invalid value: \"Limited\": must be 'Exempt' if and only if `name` is 'exempt'",
        'spec: Invalid value: {"Type":"Limited","Limited":{"NominalConcurrencyShares":30,"LimitResponse":{"Type":"Queue","Queuing":{"Queues":64,"HandSize":8,"QueueLengthLimit":50}},"LendablePercent":0,"BorrowingLimitPercent":null},"Exempt":null}: spec of \'exempt\' except the \'spec.exempt\' field must equal the fixed value',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('apiservices', () => {
  const find = faultFinder('apiregistration.k8s.io/v1/apiservices', {
    metadata: { name: 'v1.a.b' },
    spec: { group: 'a.b', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
  });
  test.each<FaultRow>([
    ['metadata.name', 'x', ['metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.a.b"']],
    [
      'spec.version',
      '',
      [
        'metadata.name: Invalid value: "v1.a.b": must be `spec.version+"."+spec.group`: ".a.b"',
        "spec.version: Invalid value: \"\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      'spec.groupPriorityMinimum',
      0,
      ['spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000'],
    ],
    ['spec.versionPriority', 1001, ['spec.versionPriority: Invalid value: 1001: must be positive and less than 1000']],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});

describe('validatingwebhookconfigurations', () => {
  const find = faultFinder('admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
    webhooks: [
      { name: 'a.b.c', clientConfig: { url: 'https://h' }, sideEffects: 'None', admissionReviewVersions: ['v1'] },
    ],
  });
  test.each<FaultRow>([
    [
      'webhooks[0].name',
      'a.b',
      ['webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'],
    ],
    [
      'webhooks[0].clientConfig',
      {},
      ['webhooks[0].clientConfig: Required value: exactly one of url or service is required'],
    ],
    [
      'webhooks[0].clientConfig.url',
      'http://u@h?q#f',
      [
        'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
        'webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL',
      ],
    ],
    [
      'webhooks[0].clientConfig.url',
      'a:b',
      [
        'webhooks[0].clientConfig.url: Invalid value: "a": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
        'webhooks[0].clientConfig.url: Invalid value: "": host must be specified; desired format: https://host[/path]',
      ],
    ],
    [
      'webhooks[0].clientConfig',
      { service: { name: '', namespace: 'n', path: 'a//b', port: 70000 } },
      [
        'webhooks[0].clientConfig.service.namespace: Required value',
        'webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive',
        'webhooks[0].clientConfig.service.path: Invalid value: "a//b": must start with a \'/\'',
        'webhooks[0].clientConfig.service.path: Invalid value: "a//b": segment[0] may not be empty',
        'webhooks[0].clientConfig.service.path: Invalid value: "a//b": segment[1] may not be empty',
      ],
    ],
    [
      'webhooks[0].sideEffects',
      'Some',
      ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ],
    [
      'webhooks[0].admissionReviewVersions',
      ['v2', 'v2'],
      [
        'webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
        'webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1',
      ],
    ],
    [
      'webhooks[0].timeoutSeconds',
      31,
      ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      'webhooks[0].rules',
      [{ operations: ['x'], apiGroups: [], apiVersions: ['*', 'v1'], resources: ['*/*', 'x'], scope: 'x' }],
      [
        'webhooks[0].rules[0].operations[0]: Unsupported value: "x": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
        'webhooks[0].rules[0].apiGroups: Required value',
        'webhooks[0].rules[0].apiVersions: Invalid value: ["*","v1"]: if \'*\' is present, must not specify other API versions',
        'webhooks[0].rules[0].resources: Invalid value: ["*/*","x"]: if \'*/*\' is present, must not specify other resources',
        'webhooks[0].rules[0].scope: Unsupported value: "x": supported values: "*", "Cluster", "Namespaced"',
      ],
    ],
  ])('new: %s = %j', (path, value, faults) => expect(find.onCreate(path, value)).toEqual(faults));
});
