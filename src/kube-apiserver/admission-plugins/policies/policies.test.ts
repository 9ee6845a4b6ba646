import { describe, expect, test } from 'vitest';
import { group, policyServer, rules } from './test-policies.ts';

const { call, map } = policyServer();

test.each([
  ['1', 'must evaluate to bool but got int'],
  ['variables.x', "undeclared reference to 'variables' (in container '')"],
])('a policy with %s is refused', async (expression, why) => {
  const spec = { matchConstraints: { resourceRules: rules }, validations: [{ expression }] };
  const { code, body } = await call('POST', `${group}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec,
  });
  expect(code).toBe(422);
  expect(body.message).toContain(why);
});

describe('many policies', () => {
  const create = (path: string, name: string, spec: object) =>
    call('POST', `${group}/${path}`, { metadata: { name }, spec });

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
