import { describe, expect, test } from 'vitest';
import { dear, denied, group, maps, policyServer, rules } from './test-policies.ts';

const { call, map, validating, made } = policyServer();

describe('validating', () => {
  test.each<[string, object, number, string]>([
    ['a rule that holds', { validations: [{ expression: "object.data.v == 'bad'" }] }, 201, ''],
    [
      'a rule that does not',
      { validations: [{ expression: "object.data.v != 'bad'" }] },
      422,
      "failed expression: object.data.v != 'bad'",
    ],
    [
      'its own message and reason',
      { validations: [{ expression: 'false', message: 'never', reason: 'Forbidden' }] },
      403,
      'never',
    ],
    [
      'a message that is made',
      { validations: [{ expression: 'false', messageExpression: "'no ' + object.data.v" }] },
      422,
      'no bad',
    ],
    [
      'an error',
      { validations: [{ expression: "object.data.none == 'x'" }] },
      422,
      "expression 'object.data.none == 'x'' resulted in error: no such key: none",
    ],
    [
      'an error that is ignored',
      { failurePolicy: 'Ignore', validations: [{ expression: "object.data.none == 'x'" }] },
      201,
      '',
    ],
    [
      'a condition that is not met',
      { matchConditions: [{ name: 'c', expression: 'false' }], validations: [{ expression: 'false' }] },
      201,
      '',
    ],
    [
      'variables',
      {
        variables: [{ name: 'v', expression: 'object.data.v' }],
        validations: [{ expression: "variables.v != 'bad'", message: 'bad' }],
      },
      422,
      'bad',
    ],
    [
      'the request and its namespace',
      {
        validations: [
          {
            expression:
              "request.operation == 'CREATE' && request.userInfo.username == 'system:admin' && namespaceObject.metadata.labels.team == 'a'",
          },
        ],
      },
      201,
      '',
    ],
    [
      'the options of the request',
      {
        validations: [
          {
            expression:
              "request.options == {'kind': 'CreateOptions', 'apiVersion': 'meta.k8s.io/v1'} && !has(request.userInfo.uid)",
          },
        ],
      },
      201,
      '',
    ],
    [
      'rights that the user has',
      {
        validations: [
          {
            expression:
              "authorizer.requestResource.check('get').allowed() && authorizer.path('/x').check('get').allowed()",
          },
          {
            expression:
              "!authorizer.serviceAccount('default', 'robot').group('').resource('pods').check('get').allowed()",
          },
        ],
      },
      201,
      '',
    ],
    [
      'rights that the user does not have',
      {
        variables: [{ name: 'decision', expression: "authorizer.requestResource.check('break')" }],
        matchConditions: [{ name: 'asks', expression: "authorizer.requestResource.check('get').allowed()" }],
        validations: [{ expression: "variables.decision.reason() == ''", message: 'no' }],
      },
      422,
      'no',
    ],
    [
      'a variable that fails',
      { variables: [{ name: 'v', expression: 'object.none' }], validations: [{ expression: 'variables.v == 1' }] },
      422,
      `expression 'variables.v == 1' resulted in error: composited variable "v" fails to evaluate: no such key: none`,
    ],
    [
      'an expression that costs too much',
      { validations: [{ expression: dear }] },
      422,
      `expression '${dear}' resulted in error: operation cancelled: actual cost limit exceeded`,
    ],
    [
      'conditions that fail',
      {
        matchConditions: [
          { name: 'a', expression: 'object.none' + ' == 1' },
          { name: 'b', expression: 'true' },
          { name: 'c', expression: "object.data['x'] == 'y'" },
        ],
        validations: [{ expression: 'true' }],
      },
      422,
      "[expression 'object.none == 1' resulted in error: no such key: none, expression 'object.data['x'] == 'y'' resulted in error: no such key: x]",
    ],
    [
      'a condition that decides although another one fails',
      {
        matchConditions: [
          { name: 'a', expression: 'object.none == 1' },
          { name: 'b', expression: 'namespaceObject != null' },
        ],
        validations: [{ expression: 'false' }],
      },
      201,
      '',
    ],
    [
      'another namespace',
      {
        matchConstraints: { resourceRules: rules, namespaceSelector: { matchLabels: { team: 'b' } } },
        validations: [{ expression: 'false' }],
      },
      201,
      '',
    ],
    [
      'another resource',
      {
        matchConstraints: { resourceRules: [{ ...rules[0], resources: ['secrets'] }] },
        validations: [{ expression: 'false' }],
      },
      201,
      '',
    ],
    [
      'an object without the label',
      {
        matchConstraints: { resourceRules: rules, objectSelector: { matchLabels: { judged: 'yes' } } },
        validations: [{ expression: 'false' }],
      },
      201,
      '',
    ],
  ])('%s', async (_, spec, code, why) => {
    await validating(spec);
    const answer = await map('m');
    expect(answer.code).toBe(code);
    if (why) expect(answer.body.message).toBe(`configmaps "m" is forbidden: ${denied}${why}`);
  });

  test("parameters come from the binding's reference", async () => {
    await map('limits', { deny: 'bad' });
    await validating(
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: 'object.data.v != params.data.deny' }],
      },
      { paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' } },
    );
    expect((await map('a')).code).toBe(422);
    expect((await map('b', { v: 'good' })).code).toBe(201);
    await call('DELETE', `${maps}/limits`);
    expect((await map('c', { v: 'good' })).body.message).toContain('no params found for policy binding with `Deny`');
  });

  test('a budget for all expressions of a policy', async () => {
    const some = dear.replace('[0,1,2,3,4,5,6,7,8,9]', '[0]').replace('[0,1,2,3,4,5,6,7,8,9]', '[0,1,2]');
    await validating({ validations: Array.from({ length: 20 }, () => ({ expression: some })) });
    expect((await map('m')).body.message).toBe(
      `configmaps "m" is forbidden: ${denied}validation failed due to running out of cost budget, no further validation rules will be run`,
    );
  });

  test('no parameters and no need of any', async () => {
    const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' };
    await validating(
      { paramKind, validations: [{ expression: 'params != null' }] },
      { paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Allow' } },
    );
    expect((await map('a')).code).toBe(201);
    await call('DELETE', `${group}/validatingadmissionpolicybindings/p`);
    await made('validatingadmissionpolicybindings', { policyName: 'p', validationActions: ['Deny'] });
    expect((await map('b')).body.message).toContain('failed expression: params != null');
  });

  test('an update is judged with its old object', async () => {
    await validating({ validations: [{ expression: 'oldObject == null || object.data.v == oldObject.data.v' }] });
    expect((await map('a')).code).toBe(201);
    const merge = { contentType: 'application/merge-patch+json' };
    expect((await call('PATCH', `${maps}/a`, { data: { v: 'x' } }, merge)).code).toBe(422);
    expect((await call('PATCH', `${maps}/a`, { metadata: { labels: { x: 'y' } } }, merge)).code).toBe(200);
  });
});
