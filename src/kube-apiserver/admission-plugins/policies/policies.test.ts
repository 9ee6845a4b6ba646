import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../../client/client.ts';
import type { Authorizer } from '../../access/authorization.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { admissionPlugins } from '../admission-plugins.ts';

let server: TestServer;
const group = '/apis/admissionregistration.k8s.io/v1';
const maps = '/api/v1/namespaces/default/configmaps';
const rules = [{ apiGroups: [''], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] }];

/** Allows every verb but `break`. */
const authorizer: Authorizer = {
  name: 'test',
  async authorize({ verb, name, user }) {
    if (user.name === 'system:serviceaccount:default:robot') return { decision: 'no-opinion' };
    return verb === 'break' ? { decision: 'deny', reason: `${name} must not break` } : { decision: 'allow' };
  },
};

beforeEach(async () => {
  let client: Client | undefined;
  server = await startTestServer({
    admission: admissionPlugins(() => client as Client),
    authorizers: [authorizer],
    namespaces: [],
  });
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
    reinvocationPolicy: 'Never',
    ...spec,
  });
  await made('mutatingadmissionpolicybindings', { policyName: 'p' });
};
const map = (name: string, data: object = { v: 'bad' }, labels: object = {}) =>
  server.call('POST', maps, { metadata: { name, labels }, data });
/** More than a million steps. */
const dear = `${'[0,1,2,3,4,5,6,7,8,9]'.concat('.all(a, [0,1,2,3,4,5,6,7,8,9]'.repeat(6))}.all(z, true${')'.repeat(7)}`;
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
      'a condition that decides, whatever fails beside it',
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
    await server.call('DELETE', `${maps}/limits`);
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
    await server.call('DELETE', `${group}/validatingadmissionpolicybindings/p`);
    await made('validatingadmissionpolicybindings', { policyName: 'p', validationActions: ['Deny'] });
    expect((await map('b')).body.message).toContain('failed expression: params != null');
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

  test('patches of other shapes', async () => {
    await mutating({
      patchType: 'JSONPatch',
      jsonPatch: {
        expression:
          '[JSONPatch{op: "test", path: "/data/v", value: "bad"}, JSONPatch{op: "add", path: "/metadata/annotations", value: {jsonpatch.escapeKey("a/b"): string(size(object.data))}}, JSONPatch{op: "test", path: "/data/v", value: "other"}]',
      },
    });
    expect((await map('m')).body.metadata.annotations).toBeUndefined();
  });

  test('a field that does not exist is never added', async () => {
    await mutating(
      {
        patchType: 'JSONPatch',
        jsonPatch: { expression: '[JSONPatch{op: "add", path: "/metadata/color", value: "red"}]' },
      },
      { failurePolicy: 'Ignore' },
    );
    expect(await map('m')).toMatchObject({
      code: 500,
      body: { message: 'Internal error occurred: strict decoding error: unknown field "metadata.color"' },
    });
  });

  test.each([
    [
      'Object{data: Object.spec{v: "x"}}',
      'type mismatch: unexpected type name "Object.spec", expected "Object.data", which matches field name path from root Object type',
    ],
    [
      'Object{date: {"v": "x"}}',
      'error applying patch: failed to convert patch object to typed object: .date: field not declared in schema',
    ],
    [
      'Object{metadata: Object.metadata{ownerReferences: [Object.metadata.ownerReferences{uid: "u"}], managedFields: []}}',
      'error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .metadata.ownerReferences[0], .metadata.managedFields',
    ],
  ])('%s does not fit', async (expression, why) => {
    await mutating({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } });
    expect((await map('m')).body.message).toBe(`policy 'p' with binding 'p' denied request: ${why}`);
  });

  test('a policy with reinvocation runs again after a change', async () => {
    const expression =
      'Object{metadata: Object.metadata{labels: {"count": string(int(object.metadata.?labels.?count.orValue("0")) + 1)}}}';
    await mutating(
      { patchType: 'ApplyConfiguration', applyConfiguration: { expression } },
      { reinvocationPolicy: 'IfNeeded' },
    );
    expect((await map('m')).body.metadata.labels).toEqual({ count: '2' });
  });

  test('a patch that does not apply is a refusal, or is ignored', async () => {
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
])('a policy with %s is refused', async (expression, why) => {
  const spec = { matchConstraints: { resourceRules: rules }, validations: [{ expression }] };
  const { code, body } = await server.call('POST', `${group}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec,
  });
  expect(code).toBe(422);
  expect(body.message).toContain(why);
});

describe('many policies', () => {
  const create = (path: string, name: string, spec: object) =>
    server.call('POST', `${group}/${path}`, { metadata: { name }, spec });

  test('with many parameters leave turns to other requests, and list the parameters once', async () => {
    for (let i = 0; i < 200; i++) await map(`param${i}`);
    for (let i = 0; i < 50; i++) {
      await create('validatingadmissionpolicies', `p${i}`, {
        matchConstraints: { resourceRules: rules },
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: 'object.data.v == params.data.v' }],
      });
      const paramRef = { namespace: 'default', selector: {}, parameterNotFoundAction: 'Deny' };
      const { code } = await create('validatingadmissionpolicybindings', `p${i}`, {
        ...{ policyName: `p${i}`, validationActions: ['Deny'] },
        paramRef,
      });
      expect(code).toBe(201);
    }
    let turns = 0;
    const count = () => setImmediate(() => turns++ < 100_000 && count());
    count();
    const { code, body } = await map('last', { v: 'bad' });
    expect(code, body.message).toBe(201);
    expect(turns).toBeGreaterThan(50);
    turns = 100_000;
    expect((await map('other', { v: 'other' })).code).toBe(422);
  });

  test('that make an object larger and larger end at the largest that can be stored', async () => {
    for (let i = 0; i < 8; i++) {
      await create('mutatingadmissionpolicies', `p${i}`, {
        matchConstraints: { resourceRules: rules },
        reinvocationPolicy: 'IfNeeded',
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: {
              expression: `[JSONPatch{op: "add", path: "/data/k${i}", value: object.data.v + object.data.v}]`,
            },
          },
        ],
      });
      await create('mutatingadmissionpolicybindings', `p${i}`, { policyName: `p${i}` });
    }
    const { code, body } = await map('m', { v: 'x'.repeat(400_000) });
    expect([code, body.message]).toEqual([500, 'etcdserver: request is too large']);
    expect((await map('m', { v: 'x' })).body.data.k7).toBe('xx');
  });
});
