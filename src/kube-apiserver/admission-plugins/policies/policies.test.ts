import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../../client/client.ts';
import { startTestServer, type TestServer } from '../../test-server.ts';
import { admissionPlugins } from '../admission-plugins.ts';

let server: TestServer;
const group = '/apis/admissionregistration.k8s.io/v1';
const maps = '/api/v1/namespaces/default/configmaps';
const rules = [{ apiGroups: [''], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] }];

beforeEach(async () => {
  let client: Client | undefined;
  server = await startTestServer({ admission: admissionPlugins(() => client as Client), namespaces: [] });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default', labels: { team: 'a' } } });
});
afterEach(() => server.stop());

const made = async (path: string, spec: object) => {
  const { code, body } = await server.call('POST', `${group}/${path}`, { metadata: { name: 'p' }, spec });
  expect(code, body.message).toBe(201);
};
const validating = async (spec: object, binding: object = {}) => {
  await made('validatingadmissionpolicies', { matchConstraints: { resourceRules: rules }, ...spec });
  await made('validatingadmissionpolicybindings', { policyName: 'p', validationActions: ['Deny'], ...binding });
};
const mutating = async (mutation: object, spec: object = {}) => {
  await made('mutatingadmissionpolicies', {
    matchConstraints: { resourceRules: rules },
    mutations: [mutation],
    ...spec,
  });
  await made('mutatingadmissionpolicybindings', { policyName: 'p' });
};
const map = (name: string, data: object = { v: 'bad' }, labels: object = {}) =>
  server.call('POST', maps, { metadata: { name, labels }, data });
const denied = "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: ";

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

  test('parameters come from where the binding says', async () => {
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
    await server.call('DELETE', `${maps}/limits`);
    expect((await map('c', { v: 'good' })).body.message).toContain('no params found for policy binding with `Deny`');
  });

  test('an update is judged with its old object', async () => {
    await validating({ validations: [{ expression: 'oldObject == null || object.data.v == oldObject.data.v' }] });
    expect((await map('a')).code).toBe(201);
    const merge = { contentType: 'application/merge-patch+json' };
    expect((await server.call('PATCH', `${maps}/a`, { data: { v: 'x' } }, merge)).code).toBe(422);
    expect((await server.call('PATCH', `${maps}/a`, { metadata: { labels: { x: 'y' } } }, merge)).code).toBe(200);
  });
});

describe('mutating', () => {
  test('an apply configuration is merged', async () => {
    await mutating({
      patchType: 'ApplyConfiguration',
      applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"stamp": object.data.v}}}' },
    });
    expect((await map('m', { v: '1' }, { own: 'x' })).body.metadata.labels).toEqual({ own: 'x', stamp: '1' });
  });

  test('a JSON patch is applied', async () => {
    await mutating({
      patchType: 'JSONPatch',
      jsonPatch: { expression: '[JSONPatch{op: "add", path: "/data/extra", value: "e"}]' },
    });
    expect((await map('m')).body.data).toEqual({ v: 'bad', extra: 'e' });
  });

  test('a patch that does not fit is a refusal, or nothing', async () => {
    const mutation = {
      patchType: 'JSONPatch',
      jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/data/none"}]' },
    };
    await mutating(mutation);
    expect(await map('m')).toMatchObject({
      code: 403,
      body: {
        message:
          "policy 'p' with binding 'p' denied request: JSON Patch: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value",
      },
    });
    await server.call(
      'PATCH',
      `${group}/mutatingadmissionpolicies/p`,
      { spec: { failurePolicy: 'Ignore' } },
      {
        contentType: 'application/merge-patch+json',
      },
    );
    expect((await map('m')).code).toBe(201);
  });
});

test.each([
  ['1', 'must evaluate to bool but got int'],
  ['variables.x', "undeclared reference to 'variables' (in container '')"],
  ['authorizer.path("/").check("get").allowed()', "undeclared reference to 'authorizer'"],
])('a policy that asks %s is refused', async (expression, why) => {
  const spec = { matchConstraints: { resourceRules: rules }, validations: [{ expression }] };
  const { code, body } = await server.call('POST', `${group}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec,
  });
  expect(code).toBe(422);
  expect(body.message).toContain(why);
});
