import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Attributes } from '../access/authorization.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let asked: Attributes | undefined;

beforeAll(async () => {
  const authorize = (attributes: Attributes) => {
    if (attributes.resource.endsWith('accessreviews')) return { decision: 'allow' as const };
    asked = attributes;
    return { decision: 'no-opinion' as const, reason: 'because' };
  };
  server = await startTestServer({ authorizers: [{ name: 'test', authorize }], namespaces: [] });
});
afterAll(() => server.stop());

const api = '/apis/authorization.k8s.io/v1';
const review = async (spec: object, metadata?: object, path = 'subjectaccessreviews') => {
  asked = undefined;
  return server.call('POST', `${api}/${path}`, { spec: { user: 'jane', ...spec }, ...(metadata && { metadata }) });
};
const pods = (over: object = {}) => ({ resourceAttributes: { verb: 'list', resource: 'pods', ...over } });

describe('a review', () => {
  test.each<[string, object, object[] | undefined, string | undefined]>([
    [
      'a selector as text',
      { rawSelector: 'spec.nodeName=a,x!=b' },
      [
        { field: 'spec.nodeName', operator: '=', value: 'a' },
        { field: 'x', operator: '!=', value: 'b' },
      ],
      undefined,
    ],
    [
      'requirements',
      {
        requirements: [
          { key: 'a', operator: 'In', values: ['b'] },
          { key: 'c', operator: 'NotIn', values: ['d'] },
        ],
      },
      [
        { field: 'a', operator: '=', value: 'b' },
        { field: 'c', operator: '!=', value: 'd' },
      ],
      undefined,
    ],
    [
      'a text that cannot be read',
      { rawSelector: 'a' },
      undefined,
      'spec.resourceAttributes.fieldSelector ignored due to parse error',
    ],
    [
      'one requirement that cannot be read',
      {
        requirements: [
          { key: 'a', operator: 'In', values: ['b'] },
          { key: 'c', operator: 'Exists' },
        ],
      },
      [{ field: 'a', operator: '=', value: 'b' }],
      'spec.resourceAttributes.fieldSelector partially ignored due to parse error',
    ],
    [
      'several values',
      { requirements: [{ key: 'a', operator: 'In', values: ['b', 'c'] }] },
      undefined,
      'spec.resourceAttributes.fieldSelector ignored due to parse error',
    ],
  ])('evaluates %s', async (_, fieldSelector, requirements, evaluationError) => {
    const { code, body } = await review(pods({ fieldSelector }));
    expect(code, body.message).toBe(201);
    expect(asked?.fieldSelector).toEqual(requirements);
    expect(body.status).toEqual({ allowed: false, reason: 'because', ...(evaluationError && { evaluationError }) });
  });

  test.each<[string, object, object | undefined, string]>([
    [
      'nothing',
      {},
      undefined,
      '.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    ],
    [
      'no user',
      { user: '', ...pods() },
      undefined,
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    ],
    [
      'an empty selector',
      pods({ fieldSelector: {} }),
      undefined,
      'spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required',
    ],
    [
      'two forms of a selector',
      pods({ labelSelector: { rawSelector: 'a', requirements: [{ key: 'a', operator: 'Exists' }] } }),
      undefined,
      'may not specified at the same time as requirements',
    ],
    [
      'a requirement without its values',
      pods({ fieldSelector: { requirements: [{ key: '', operator: 'In' }] } }),
      undefined,
      "[spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified, spec.resourceAttributes.fieldSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn']",
    ],
    [
      'a requirement with values that it cannot have',
      pods({ labelSelector: { requirements: [{ key: 'a', operator: 'Exists', values: ['b'] }] } }),
      undefined,
      "spec.resourceAttributes.labelSelector.requirements[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    ],
    ['a name', pods(), { name: 'x' }, 'metadata: Invalid value: {"name":"x","managedFields":[{"manager":"admin",'],
    [
      'several faults',
      { user: '' },
      undefined,
      'is invalid: [spec.resourceAttributes: Invalid value: null: exactly one',
    ],
  ])('of %s is refused', async (_, spec, metadata, message) => {
    const { code, body } = await review(spec, metadata);
    expect([code, body.message]).toEqual([422, expect.stringContaining(message)]);
  });

  test('is answered with its owner', async () => {
    const { body } = await review(pods());
    expect(body.metadata.managedFields).toMatchObject([
      {
        operation: 'Update',
        fieldsV1: { 'f:spec': { 'f:resourceAttributes': { '.': {}, 'f:verb': {} }, 'f:user': {} } },
      },
    ]);
  });

  test('of a namespace concerns only that namespace', async () => {
    await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'a' } });
    const local = 'namespaces/a/localsubjectaccessreviews';
    expect((await review(pods({ namespace: 'a' }), undefined, local)).code).toBe(201);
    const { body } = await review(pods({ namespace: 'b' }), undefined, local);
    expect(body.message).toContain(
      'spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace',
    );
    const path = await review({ nonResourceAttributes: { path: '/', verb: 'get' } }, undefined, local);
    expect(path.body.message).toContain(
      'spec.nonResourceAttributes: Invalid value: {"Path":"/","Verb":"get"}: disallowed on this kind of request',
    );
  });
});
