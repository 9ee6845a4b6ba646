// Faults of policies, their bindings and match conditions, in the words of Kubernetes.
import { describe, expect, test } from 'vitest';
import { KindRegistry } from '../../registry.ts';
import { validatingAdmissionPolicy } from './policies.ts';

const registry = new KindRegistry();

function faultsOf(resource: string, object: object): string[] {
  const { strategy } = registry.byResource('admissionregistration.k8s.io', 'v1', resource)!;
  const made: any = { metadata: { name: 'p' }, ...structuredClone(object) };
  strategy.setDefaults?.(made);
  return (strategy.validate?.(made) ?? []).map(({ field, message }) => `${field}: ${message}`);
}

const rule = { apiGroups: ['a'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] };
const withRule = (change: object) => ({ matchConstraints: { resourceRules: [{ ...rule, ...change }] } });
const good = { ...withRule({}), validations: [{ expression: 'object.x < 100' }] };

test.each<[about: string, spec: object, faults: string[]]>([
  ['nothing', {}, []],
  [
    'a failure policy',
    { failurePolicy: 'other' },
    ['spec.failurePolicy: Unsupported value: "other": supported values: "Fail", "Ignore"'],
  ],
  [
    'no version',
    { paramKind: { apiVersion: 'a.b/', kind: 'K' } },
    ['spec.paramKind.apiVersion: Invalid value: "a.b/": version must be specified'],
  ],
  ['no kind', { paramKind: { apiVersion: 'a.b/v1' } }, ['spec.paramKind.kind: Required value']],
  [
    'two slashes',
    { paramKind: { apiVersion: 'a/b/c', kind: 'K' } },
    ['spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'],
  ],
  [
    'nothing to check',
    { validations: [] },
    [
      'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
      'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
    ],
  ],
  [
    'a reason',
    { validations: [{ expression: 'true', reason: 'other' }] },
    [
      'spec.validations[0].reason: Unsupported value: "other": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
    ],
  ],
  [
    'an empty expression',
    { validations: [{ expression: ' ' }] },
    ['spec.validations[0].expression: Required value: expression is not specified'],
  ],
  [
    'a blank message',
    { validations: [{ expression: 'true', message: ' ', messageExpression: ' ' }] },
    [
      'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
      'spec.validations[0].message: Invalid value: " ": must be non-empty if specified',
    ],
  ],
  [
    'lines',
    { validations: [{ expression: 'true', message: 'a\nb' }] },
    ['spec.validations[0].message: Invalid value: "a\\nb": must not contain line breaks'],
  ],
  [
    'a message that is none',
    { validations: [{ expression: 'true', messageExpression: '1' }] },
    ['spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int'],
  ],
  [
    'a message with rights',
    { validations: [{ expression: 'true', messageExpression: 'authorizer' }] },
    [
      "spec.validations[0].messageExpression: Invalid value: \"authorizer\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')\n | authorizer\n | ^",
    ],
  ],
  [
    'parameters without a kind',
    { validations: [{ expression: 'params.x' }] },
    [
      "spec.validations[0].expression: Invalid value: \"params.x\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')\n | params.x\n | ^",
    ],
  ],
  [
    'an expression without a certain type',
    { validations: [{ expression: 'object.x' }] },
    ['spec.validations[0].expression: Invalid value: "object.x": must evaluate to bool but got dyn'],
  ],
  [
    'a variable',
    { variables: [{ name: 'n', expression: '1' }], validations: [{ expression: "variables.n == 'x'" }] },
    [
      "spec.validations[0].expression: Invalid value: \"variables.n == 'x'\": compilation failed: ERROR: <input>:1:13: found no matching overload for '_==_' applied to '(int, string)'\n | variables.n == 'x'\n | ............^",
    ],
  ],
  [
    'a variable before its time',
    {
      variables: [
        { name: 'a', expression: 'variables.b' },
        { name: 'b', expression: '1' },
      ],
    },
    [
      'spec.variables[0].expression: Invalid value: "variables.b": compilation failed: ERROR: <input>:1:10: undefined field \'b\'\n | variables.b\n | .........^',
    ],
  ],
  [
    'names of variables',
    { variables: [{ name: '4ever', expression: '1' }, { name: 'in', expression: '1' }, { expression: '' }] },
    [
      'spec.variables[0].name: Invalid value: "4ever": must be a valid CEL identifier',
      'spec.variables[1].name: Invalid value: "in": must be a valid CEL identifier',
      'spec.variables[2].name: Required value: name is not specified',
      'spec.variables[2].expression: Required value: expression is not specified',
    ],
  ],
  [
    'the request',
    { validations: [{ expression: 'request.userInfo.groups.exists(g, g == 1)' }] },
    [
      "spec.validations[0].expression: Invalid value: \"request.userInfo.groups.exists(g, g == 1)\": compilation failed: ERROR: <input>:1:37: found no matching overload for '_==_' applied to '(string, int)'\n | request.userInfo.groups.exists(g, g == 1)\n | ....................................^",
    ],
  ],
  [
    'the namespace',
    { validations: [{ expression: "namespaceObject.metadata.uid == 'x'" }] },
    [
      "spec.validations[0].expression: Invalid value: \"namespaceObject.metadata.uid == 'x'\": compilation failed: ERROR: <input>:1:25: undefined field 'uid'\n | namespaceObject.metadata.uid == 'x'\n | ........................^",
    ],
  ],
  [
    'annotations',
    {
      auditAnnotations: [
        { key: 'a', valueExpression: 'true' },
        { key: 'a', valueExpression: 'null' },
        { key: '@', valueExpression: '' },
      ],
    },
    [
      'spec.auditAnnotations[0].valueExpression: Invalid value: "true": must evaluate to one of [string null_type] but got bool',
      'spec.auditAnnotations[1].key: Duplicate value: "a"',
      "spec.auditAnnotations[2].key: Invalid value: \"p/@\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      'spec.auditAnnotations[2].valueExpression: Required value: valueExpression is not specified',
    ],
  ],
  [
    'conditions',
    { matchConditions: [{ name: 'a', expression: '6' }, { name: 'a', expression: '' }, { expression: 'true' }] },
    [
      'spec.matchConditions[0].expression: Invalid value: "6": must evaluate to bool but got int',
      'spec.matchConditions[1].expression: Required value',
      'spec.matchConditions[1].name: Duplicate value: "a"',
      'spec.matchConditions[2].name: Required value',
    ],
  ],
  [
    'wildcards',
    withRule({ resources: ['a/*', 'a/x'], apiGroups: ['*', 'b'], operations: ['*', 'CREATE'] }),
    [
      'spec.matchConstraints.resourceRules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
      'spec.matchConstraints.resourceRules[0].apiGroups: Invalid value: ["*","b"]: if \'*\' is present, must not specify other API groups',
      'spec.matchConstraints.resourceRules[0].resources[1]: Invalid value: "a/x": if \'a/*\' is present, must not specify a/x',
    ],
  ],
  [
    'all of all',
    withRule({ resources: ['*/*', 'a'] }),
    [
      'spec.matchConstraints.resourceRules[0].resources: Invalid value: ["*/*","a"]: if \'*/*\' is present, must not specify other resources',
    ],
  ],
  [
    'names twice',
    withRule({ resourceNames: ['t', 't'] }),
    ['spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "t"'],
  ],
])('a validating policy with %s', (_, spec, faults) => {
  expect(faultsOf('validatingadmissionpolicies', { spec: { ...good, ...spec } })).toEqual(faults);
});

const apply = { patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } };
const patch = { patchType: 'JSONPatch', jsonPatch: { expression: "[JSONPatch{op: 'test'}]" } };

test.each<[about: string, spec: object, faults: string[]]>([
  ['both ways', { mutations: [apply, patch] }, []],
  ['no reinvocation policy', { reinvocationPolicy: undefined }, ['spec.reinvocationPolicy: Required value']],
  ['no mutation', { mutations: [] }, ['spec.mutations: Required value: mutations must contain at least one item']],
  [
    'a patch type',
    {
      mutations: [
        { ...apply, patchType: 'other' },
        { ...apply, patchType: undefined },
      ],
    },
    [
      'spec.mutations[0].patchType: Unsupported value: "other": supported values: "ApplyConfiguration", "JSONPatch"',
      'spec.mutations[1].patchType: Required value',
    ],
  ],
  [
    'one way too many',
    { mutations: [{ ...apply, ...patch }] },
    [
      'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
    ],
  ],
  [
    'nothing for its type',
    { mutations: [{ patchType: 'JSONPatch' }, { patchType: 'JSONPatch', jsonPatch: {} }] },
    [
      'spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch',
      'spec.mutations[1].jsonPatch.expression: Required value',
    ],
  ],
  [
    'other results',
    {
      mutations: [
        { ...apply, applyConfiguration: { expression: ' 1 < 2' } },
        { ...patch, jsonPatch: { expression: "['x']" } },
      ],
    },
    [
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "1 < 2": must evaluate to Object but got bool',
      `spec.mutations[1].jsonPatch.expression: Invalid value: "['x']": must evaluate to list(JSONPatch) but got list(string)`,
    ],
  ],
  [
    'a field that patches do not have',
    { mutations: [{ ...patch, jsonPatch: { expression: "[JSONPatch{on: 'x'}]" } }] },
    [
      "spec.mutations[0].jsonPatch.expression: Invalid value: \"[JSONPatch{on: 'x'}]\": compilation failed: ERROR: <input>:1:14: undefined field 'on'\n | [JSONPatch{on: 'x'}]\n | .............^",
    ],
  ],
  [
    'a delete',
    withRule({ operations: ['DELETE'] }),
    [
      'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
    ],
  ],
  [
    'a variable that does not exist',
    { mutations: [{ ...apply, applyConfiguration: { expression: 'Object{spec: variables.x}' } }] },
    [
      'spec.mutations[0].applyConfiguration.expression: Invalid value: "Object{spec: variables.x}": compilation failed: ERROR: <input>:1:23: undefined field \'x\'\n | Object{spec: variables.x}\n | ......................^',
    ],
  ],
])('a mutating policy with %s', (_, spec, faults) => {
  const base = { ...withRule({}), mutations: [apply], reinvocationPolicy: 'Never' };
  expect(faultsOf('mutatingadmissionpolicies', { spec: { ...base, ...spec } })).toEqual(faults);
});

test.each<[about: string, spec: object, faults: string[]]>([
  ['no policy', { policyName: '' }, ['spec.policyName: Required value']],
  [
    'no action',
    { validationActions: [] },
    ['spec.validationActions: Required value: at least one validation action is required'],
  ],
  ['an action twice', { validationActions: ['Deny', 'Deny'] }, ['spec.validationActions[1]: Duplicate value: "Deny"']],
  [
    'two that say the same',
    { validationActions: ['Deny', 'Warn'] },
    [
      'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
  ],
  [
    'a name and a selector',
    { paramRef: { name: 'x', selector: {}, parameterNotFoundAction: 'Deny' } },
    [
      'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
      'spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
    ],
  ],
  [
    'neither',
    { paramRef: {} },
    [
      'spec.paramRef: Required value: one of name or selector must be specified',
      'spec.paramRef.parameterNotFoundAction: Required value',
    ],
  ],
  [
    'another policy of matching',
    { matchResources: { matchPolicy: 'other' } },
    ['spec.matchResources.matchPolicy: Unsupported value: "other": supported values: "Equivalent", "Exact"'],
  ],
])('a binding with %s', (_, spec, faults) => {
  const given = { policyName: 'p', validationActions: ['Deny'], ...spec };
  expect(faultsOf('validatingadmissionpolicybindings', { spec: given })).toEqual(faults);
});

test.each(['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'])('conditions of %s', (resource) => {
  const conditions = (matchConditions: object[]) =>
    faultsOf(resource, {
      webhooks: [
        {
          name: 'a.b.c',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          clientConfig: { url: 'https://x' },
          matchConditions,
        },
      ],
    });
  expect(conditions([{ name: 'a', expression: ' object.x in [1, 2, ' }])[0]).toMatch(
    /^webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "object\.x in \[1, 2,": compilation failed: ERROR: <input>:1:19: Syntax error: missing ']' at '<EOF>'/,
  );
  expect(conditions([{ name: 'a', expression: 'params.x' }])[0]).toContain("undeclared reference to 'params'");
  expect(conditions([{ name: 'a', expression: "authorizer.requestResource.check('get').allowed()" }])).toEqual([]);
  const many = Array.from({ length: 65 }, (_, index) => ({ name: `c${index}`, expression: 'true' }));
  expect(conditions(many)).toEqual(['webhooks[0].matchConditions: Too many: 65: must have at most 64 items']);
});

describe('the status of validating policies', () => {
  const faultsOf = (status: object) =>
    validatingAdmissionPolicy.strategy?.subresources?.status
      ?.validateUpdate?.({ status } as never, {} as never)
      .map(({ field, message }) => `${field}: ${message}`);
  const at = 'status.typeChecking.expressionWarnings[0]';
  test.each<[object, string[]]>([
    [{}, []],
    [{ typeChecking: { expressionWarnings: [{ warning: 'w', fieldRef: 'spec.validations[0].expression' }] } }, []],
    [
      { typeChecking: { expressionWarnings: [{ warning: '', fieldRef: ' ' }] } },
      [`${at}.warning: Required value`, `${at}.fieldRef: Required value`],
    ],
    [
      { typeChecking: { expressionWarnings: [{ warning: 'w', fieldRef: 'spec.a[' }] } },
      [`${at}.fieldRef: Invalid value: "spec.a[": invalid JSONPath`],
    ],
    [
      { conditions: [{ type: 'A', status: 'True', reason: 'R', message: '' }] },
      ['status.conditions[0].lastTransitionTime: Required value'],
    ],
  ])('%j', (status, faults) => expect(faultsOf(status)).toEqual(faults));
});
