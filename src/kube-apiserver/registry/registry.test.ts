import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configMap, pod, startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

describe('create', () => {
  test("sets the server's fields", async () => {
    const { code, body } = await server.call('POST', maps, configMap('filled', { uid: 'mine', generation: 7 }));
    expect(code).toBe(201);
    expect(body).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'filled', namespace: 'default' },
    });
    expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.metadata.resourceVersion).toMatch(/^\d+$/);
    // ConfigMaps have no generation, so the client's value stays.
    expect(body.metadata.generation).toBe(7);
    expect(body.metadata.managedFields).toHaveLength(1);
  });

  test('draws a name again that is taken', async () => {
    const made = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { body } = await server.call('POST', maps, { metadata: { generateName: 'g-' } });
      made.add(body.metadata.name);
    }
    expect(made.size).toBe(20);
    for (const name of made) expect(name).toMatch(/^g-[a-z0-9]{5}$/);
  });

  test.each([
    {
      case: 'a name that is taken',
      body: configMap('filled'),
      code: 409,
      message: 'configmaps "filled" already exists',
    },
    {
      case: 'a resourceVersion',
      body: configMap('rv', { resourceVersion: '1' }),
      code: 500,
      message: 'resourceVersion should not be set on objects to be created',
    },
    {
      case: 'a resourceVersion and a fault: the store comes last',
      body: configMap('RV', { resourceVersion: '1' }),
      code: 422,
      message: expect.stringMatching(/^ConfigMap "RV" is invalid: metadata.name: Invalid value: "RV"/),
    },
    {
      case: 'another namespace',
      body: configMap('ns', { namespace: 'other' }),
      code: 400,
      message: 'the namespace of the provided object does not match the namespace sent on the request',
    },
    {
      case: 'no name',
      body: { metadata: {} },
      code: 422,
      message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    },
    {
      case: 'a dry run with a name that is taken',
      query: { dryRun: 'All' },
      body: configMap('filled'),
      code: 409,
      message: 'configmaps "filled" already exists',
    },
    {
      case: 'an unknown field, strictly',
      query: { fieldValidation: 'Strict' },
      body: { ...configMap('s'), shade: 1 },
      code: 400,
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "shade"',
    },
  ])('refuses $case', async ({ body, query, code, message }) => {
    const answer = await server.call('POST', maps, body, { ...(query && { query: query as never }) });
    expect(answer).toMatchObject({ code, body: { kind: 'Status', message } });
  });

  test('a dry run writes no objects', async () => {
    const { code, body } = await server.call('POST', maps, configMap('dry'), { query: { dryRun: 'All' } });
    expect(code).toBe(201);
    expect(body.metadata.resourceVersion).toBeUndefined();
    expect((await server.call('GET', `${maps}/dry`)).code).toBe(404);
  });
});

describe('update', () => {
  test('needs the newest resourceVersion when it names one', async () => {
    const { body: old } = await server.call('POST', maps, configMap('u'));
    const next = { ...old, data: { a: '2' } };
    expect((await server.call('PUT', `${maps}/u`, next)).body.data).toEqual({ a: '2' });
    const { code, body } = await server.call('PUT', `${maps}/u`, { ...next, data: { a: '3' } });
    expect({ code, message: body.message }).toEqual({
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "u": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  test('without change keeps the resourceVersion', async () => {
    const { body: old } = await server.call('POST', maps, configMap('same'));
    const { body } = await server.call('PUT', `${maps}/same`, configMap('same'));
    expect(body.metadata.resourceVersion).toBe(old.metadata.resourceVersion);
  });

  test('a lease is created by its first update', async () => {
    const lease = { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } };
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
    expect((await server.call('PUT', path, lease)).code).toBe(201);
  });

  test('a patch is read as strictly as an object', async () => {
    await server.call('POST', maps, configMap('strict'));
    const operations = [{ op: 'add', path: '/shade', value: 1, extra: true }];
    const { code, body } = await server.call('PATCH', `${maps}/strict`, operations, {
      query: { fieldValidation: 'Strict' },
      contentType: 'application/json-patch+json',
    });
    expect(code).toBe(422);
    expect(body.message).toContain(
      'strict decoding error: json patch unknown field "[0].extra", unknown field "shade"',
    );
  });

  test('patches of many writers at once all count', async () => {
    await server.call('POST', maps, configMap('many', {}, {}));
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        server.call(
          'PATCH',
          `${maps}/many`,
          { data: { [`k${i}`]: 'v' } },
          { contentType: 'application/merge-patch+json' },
        ),
      ),
    );
    const { body } = await server.call('GET', `${maps}/many`);
    expect(Object.keys(body.data)).toHaveLength(30);
  });
});

describe('delete', () => {
  test('waits for finalizers, and is removed with the last of them', async () => {
    await server.call('POST', maps, configMap('f', { finalizers: ['a.test/x'] }));
    const { body } = await server.call('DELETE', `${maps}/f`);
    expect(body.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, finalizers: ['a.test/x'] });
    await server.call(
      'PATCH',
      `${maps}/f`,
      { metadata: { finalizers: null } },
      { contentType: 'application/merge-patch+json' },
    );
    expect((await server.call('GET', `${maps}/f`)).code).toBe(404);
  });

  test.each([
    { policy: 'Foreground', finalizers: ['foregroundDeletion'] },
    { policy: 'Orphan', finalizers: ['orphan'] },
  ])('$policy leaves the rest to the garbage collector', async ({ policy, finalizers }) => {
    const name = policy.toLowerCase();
    await server.call('POST', maps, configMap(name));
    const { body } = await server.call('DELETE', `${maps}/${name}`, { propagationPolicy: policy });
    expect(body.metadata.finalizers).toEqual(finalizers);
  });

  test('without a policy the dependents of a ReplicationController are orphaned; those of an event never are', async () => {
    const at = '/api/v1/namespaces/default';
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await server.call('POST', `${at}/replicationcontrollers`, { metadata: { name: 'rc' }, spec: { template } });
    const { body } = await server.call('DELETE', `${at}/replicationcontrollers/rc`);
    expect(body.metadata.finalizers).toEqual(['orphan']);
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'p' };
    await server.call('POST', `${at}/events`, { metadata: { name: 'e' }, involvedObject });
    expect((await server.call('DELETE', `${at}/events/e`, { propagationPolicy: 'Orphan' })).code).toBe(200);
    expect((await server.call('GET', `${at}/events/e`)).code).toBe(404);
  });

  test('a pod on a node has its grace, which can only become shorter', async () => {
    await server.call('POST', pods, pod('graceful', { nodeName: 'n' }));
    const grace = async (body?: object) =>
      (await server.call('DELETE', `${pods}/graceful`, body)).body.metadata.deletionGracePeriodSeconds;
    expect(await grace()).toBe(30);
    expect(await grace({ gracePeriodSeconds: 3 })).toBe(3);
    expect(await grace({ gracePeriodSeconds: 9 })).toBe(3);
    expect(await grace({ gracePeriodSeconds: 0 })).toBe(0);
    expect((await server.call('GET', `${pods}/graceful`)).code).toBe(404);
  });

  test('a namespace is removed when it is finalized', async () => {
    await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'going' } });
    const { body } = await server.call('DELETE', '/api/v1/namespaces/going');
    expect(body).toMatchObject({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Terminating' } });
    await server.call('PUT', '/api/v1/namespaces/going/finalize', { ...body, spec: {} });
    expect((await server.call('GET', '/api/v1/namespaces/going')).code).toBe(404);
  });

  test('a collection is deleted by selector', async () => {
    for (const name of ['x1', 'x2']) await server.call('POST', maps, configMap(name, { labels: { of: 'x' } }));
    const { body } = await server.call('DELETE', `${maps}?labelSelector=of%3Dx`);
    expect(body.items.map((item: any) => item.metadata.name)).toEqual(['x1', 'x2']);
    expect((await server.call('GET', `${maps}?labelSelector=of%3Dx`)).body.items).toEqual([]);
  });
});
