// Warnings about expressions that do not fit the kinds of a policy.
import { expect, test } from 'vitest';
import { customKinds } from '../custom/custom-kind.ts';
import { builtinKinds } from '../registry.ts';
import { typeWarnings } from './type-checking.ts';

const widgets = customKinds({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.x.test' },
  spec: {
    group: 'x.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
} as never);

const find = (group: string, version: string, names: { resource?: string; kind?: string }) =>
  [...builtinKinds(), ...widgets].find(
    (one) =>
      one.group === group && one.version === version && (one.resource === names.resource || one.kind === names.kind),
  );

const deployments = { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] };
const warningsOf = (expression: string, spec: object = {}, rule: object = deployments) =>
  typeWarnings(
    {
      metadata: { name: 'p' },
      spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression }], ...spec },
    } as never,
    find,
  ).map(({ fieldRef, warning }) => `${fieldRef}|${warning}`);

test.each([
  "object.spec.replicas > 1 && object.metadata.labels['a'] == 'b'",
  "object.spec.template.spec.containers.all(c, c.image.startsWith('x'))",
  'object.metadata.creationTimestamp < timestamp(0) || oldObject == null',
  "object.spec.strategy.rollingUpdate.maxSurge == 1 || object.spec.strategy.rollingUpdate.maxSurge == '1'",
  "quantity(object.spec.template.spec.containers[0].resources.limits['cpu']).isInteger()",
  "authorizer.requestResource.check('get').allowed() && request.operation == 'CREATE'",
])('%s fits', (expression) => expect(warningsOf(expression)).toEqual([]));

test.each<[expression: string, rule: object, warning: string]>([
  [
    'object.spec.size > 1',
    deployments,
    "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'size'\n | object.spec.size > 1\n | ...........^\n",
  ],
  [
    "object.spec.replicas == '1'",
    deployments,
    "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(int, string)'\n | object.spec.replicas == '1'\n | .....................^\n",
  ],
  [
    'object.spec.size == object.metadata.name',
    { apiGroups: ['x.test'], apiVersions: ['v1'], resources: ['widgets', 'widgets/status'] },
    "x.test/v1, Kind=Widget: ERROR: <input>:1:18: found no matching overload for '_==_' applied to '(int, string)'\n | object.spec.size == object.metadata.name\n | .................^\n",
  ],
  [
    'has(object.spec) && has(object.data)',
    { apiGroups: [''], apiVersions: ['v1'], resources: ['secrets', 'configmaps'] },
    "/v1, Kind=ConfigMap: ERROR: <input>:1:4: undefined field 'spec'\n | has(object.spec) && has(object.data)\n | ...^\n\n/v1, Kind=Secret: ERROR: <input>:1:4: undefined field 'spec'\n | has(object.spec) && has(object.data)\n | ...^\n",
  ],
])('%s does not', (expression, rule, warning) =>
  expect(warningsOf(expression, {}, rule)).toEqual([`spec.validations[0].expression|${warning}`]),
);

test.each([
  { apiGroups: ['*'], apiVersions: ['v1'], resources: ['deployments'] },
  { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['*', 'deployments/scale', 'unknown'] },
])('wildcard rules are skipped', (rule) => expect(warningsOf('object.none', {}, rule)).toEqual([]));

test('variables and parameters have types', () => {
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    variables: [{ name: 'n', expression: 'object.spec.replicas' }],
    validations: [
      { expression: "variables.n > 1 && params.data['a'] == 'b'" },
      { expression: "variables.n == 'x'" },
      { expression: 'params.spec == 1', messageExpression: 'object.none' },
    ],
  };
  expect(warningsOf('', spec).map((text) => text.replace(/\|.*<input>:1:\d+: /s, ' ').replace(/\n.*/s, ''))).toEqual([
    "spec.validations[1].expression found no matching overload for '_==_' applied to '(int, string)'",
    "spec.validations[2].expression undefined field 'spec'",
    "spec.validations[2].messageExpression undefined field 'none'",
  ]);
});

test('a type that has itself in it', () => {
  const rule = {
    apiGroups: ['apiextensions.k8s.io'],
    apiVersions: ['v1'],
    resources: ['customresourcedefinitions'],
  };
  const expression =
    'object.spec.versions[0].schema.openAPIV3Schema.properties["a"].properties["b"].items == object.none';
  expect(warningsOf(expression, {}, rule)[0]).toContain("undefined field 'none'");
});
