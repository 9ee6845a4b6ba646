import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { WatchCache } from '../watch-cache/watch-cache.ts';

let server: TestServer;
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const widgets = '/apis/test.example/v1/namespaces/default/widgets';
const merge = { contentType: 'application/merge-patch+json' };

const definition = (kind = 'Widget', plural = 'widgets') => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.test.example` },
  spec: {
    group: 'test.example',
    scope: 'Namespaced',
    names: { plural, kind },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { size: { type: 'integer', default: 3, minimum: 0 }, replicas: { type: 'integer' } },
              },
              status: { type: 'object', properties: { replicas: { type: 'integer' } } },
            },
          },
        },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
      },
    ],
  },
});

beforeAll(async () => {
  server = await startTestServer();
  await server.call('POST', definitions, definition());
});
afterAll(() => server.stop());

describe('a custom resource', () => {
  test('has defaults, validation, status, scale and a place in discovery', async () => {
    await expect.poll(async () => (await server.call('GET', widgets)).code).toBe(200);
    const { body } = await server.call('POST', widgets, {
      apiVersion: 'test.example/v1',
      kind: 'Widget',
      metadata: { name: 'w' },
      spec: { replicas: 1, colour: 'pruned' },
    });
    expect(body).toMatchObject({ metadata: { generation: 1 }, spec: { replicas: 1, size: 3 } });
    expect(body.spec).not.toHaveProperty('colour');
    const { code } = await server.call('PATCH', `${widgets}/w`, { spec: { size: -1 } }, merge);
    expect(code).toBe(422);
    await server.call('PATCH', `${widgets}/w/status`, { status: { replicas: 1 }, spec: { size: 9 } }, merge);
    await server.call('PATCH', `${widgets}/w/scale`, { spec: { replicas: 5 } }, merge);
    const { body: now } = await server.call('GET', `${widgets}/w`);
    expect(now).toMatchObject({ metadata: { generation: 2 }, spec: { size: 3, replicas: 5 }, status: { replicas: 1 } });
    const { body: resources } = await server.call('GET', '/apis/test.example/v1');
    expect(resources.resources.map(({ name }: { name: string }) => name)).toEqual([
      'widgets',
      'widgets/status',
      'widgets/scale',
    ]);
  });

  test.each([
    ['POST', 'replicas', 201, undefined],
    ['PATCH', 'size', 201, undefined],
    ['PATCH', 'replicas', 422, 'spec.replicas in body must be of type integer: "null"'],
  ])('by %s with null as its %s', async (method, field, code, why) => {
    const name = `${method.toLowerCase()}-${field}`;
    const given = { apiVersion: 'test.example/v1', kind: 'Widget', metadata: { name }, spec: { [field]: null } };
    const apply = { contentType: 'application/apply-patch+yaml', query: { fieldManager: 'm' } };
    const { code: got, body } =
      method === 'POST'
        ? await server.call('POST', widgets, given)
        : await server.call('PATCH', `${widgets}/${name}`, given, apply);
    expect(got).toBe(code);
    if (why) expect(body.message).toContain(why);
    else expect(body.spec).toEqual({ size: 3 });
  });

  test('is not stored when etcd would not take it', async () => {
    const heaped = definition('Heap', 'heaps') as any;
    heaped.spec.versions[0].schema.openAPIV3Schema['x-kubernetes-preserve-unknown-fields'] = true;
    await server.call('POST', definitions, heaped);
    const heap = (bytes: number) => ({
      apiVersion: 'test.example/v1',
      kind: 'Heap',
      metadata: { name: `of-${bytes}` },
      data: 'x'.repeat(bytes),
    });
    const heaps = '/apis/test.example/v1/namespaces/default/heaps';
    expect((await server.call('POST', heaps, heap(1_500_000))).code).toBe(201);
    expect(await server.call('POST', heaps, heap(1_600_000))).toMatchObject({
      code: 500,
      body: { message: 'etcdserver: request is too large' },
    });
  });

  test('is stored without managed fields when they make it too large, unless it is applied', async () => {
    const heaps = '/apis/test.example/v1/namespaces/default/heaps';
    const fields = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${'k'.repeat(40)}${i}`, 1]));
    const heap = (name: string) => ({
      apiVersion: 'test.example/v1',
      kind: 'Heap',
      metadata: { name },
      ...fields,
    });
    const made = await server.call('POST', heaps, heap('wide'));
    expect(made.code).toBe(201);
    expect(made.body.metadata.managedFields).toBeUndefined();
    const changed = Object.fromEntries(Object.keys(fields).map((field) => [field, 2]));
    const put = await server.call('PUT', `${heaps}/wide`, { ...made.body, ...changed });
    expect([put.code, put.body.metadata.managedFields]).toEqual([200, undefined]);
    const apply = { contentType: 'application/apply-patch+yaml', query: { fieldManager: 'm' } };
    expect(await server.call('PATCH', `${heaps}/applied`, heap('applied'), apply)).toMatchObject({
      code: 500,
      body: { message: 'etcdserver: request is too large' },
    });
  });

  test('whose names are taken is not served', async () => {
    await server.call('POST', definitions, definition('Widget', 'gadgets'));
    const conditions = async () =>
      (await server.call('GET', `${definitions}/gadgets.test.example`)).body.status.conditions;
    await expect.poll(conditions).toMatchObject([
      { type: 'NamesAccepted', status: 'False', reason: 'ListKindConflict', message: '"WidgetList" is already in use' },
      { type: 'Established', status: 'False' },
    ]);
    expect((await server.call('GET', '/apis/test.example/v1/gadgets')).code).toBe(404);
  });

  test('has a definition whose deletion is no generation, and adds no finalizer of the garbage collector', async () => {
    await server.call('POST', definitions, definition('Cog', 'cogs'));
    const { body } = await server.call('DELETE', `${definitions}/cogs.test.example?propagationPolicy=Orphan`);
    expect(body.metadata.generation).toBe(1);
    expect(body.metadata.finalizers).not.toContain('orphan');
  });

  test('is deleted with its definition, which waits for it', async () => {
    await server.call('PATCH', `${widgets}/w`, { metadata: { finalizers: ['test.example/hold'] } }, merge);
    const { body } = await server.call('DELETE', `${definitions}/widgets.test.example`);
    expect(body.metadata.finalizers).toEqual(['customresourcecleanup.apiextensions.k8s.io']);
    await expect
      .poll(async () => (await server.call('GET', `${widgets}/w`)).body.metadata.deletionTimestamp)
      .toBeTruthy();
    expect((await server.call('GET', `${definitions}/widgets.test.example`)).code).toBe(200);
    const late = { apiVersion: 'test.example/v1', kind: 'Widget', metadata: { name: 'late' } };
    expect((await server.call('POST', widgets, late)).code).toBe(405);
    await server.call('PATCH', `${widgets}/w`, { metadata: { finalizers: null } }, merge);
    await expect.poll(async () => (await server.call('GET', `${definitions}/widgets.test.example`)).code).toBe(404);
    expect((await server.call('GET', widgets)).code).toBe(404);
  });
});

test('stored objects are read by the schema of now, and their watches end when it changes', async () => {
  const own = await startTestServer();
  const changed = definition() as any;
  const spec = changed.spec.versions[0].schema.openAPIV3Schema.properties.spec;
  await own.call('POST', definitions, definition());
  await expect.poll(async () => (await own.call('GET', widgets)).code).toBe(200);
  const widget = { apiVersion: 'test.example/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { replicas: 1 } };
  await own.call('POST', widgets, widget);
  const watching = own.watched('/apis/test.example/v1/widgets', 5, 5_000);
  spec.properties = { colour: { type: 'string', default: 'red' } };
  await own.call('PATCH', `${definitions}/widgets.test.example`, { spec: changed.spec }, merge);
  await expect.poll(async () => (await own.call('GET', `${widgets}/w`)).body.spec).toEqual({ colour: 'red' });
  expect(await watching).toEqual(['ADDED w']);
  await own.stop();
});

test('a definition is served once, also when its status is stored with fields in another order', async () => {
  const forget = vi.spyOn(WatchCache.prototype, 'forget');
  await server.call('POST', definitions, definition('Lamp', 'lamps'));
  const conditions = async () =>
    (await server.call('GET', `${definitions}/lamps.test.example`)).body.status.conditions?.length;
  await expect.poll(conditions).toBe(2);
  await server.call('PATCH', `${definitions}/lamps.test.example`, { metadata: { labels: { a: 'b' } } }, merge);
  // A dropped cache loses its watches and its history.
  expect(forget).not.toHaveBeenCalled();
  forget.mockRestore();
});

test('a name conflict ends with the definition that had the name', async () => {
  const own = await startTestServer();
  await own.call('POST', definitions, definition());
  await own.call('POST', definitions, definition('Widget', 'gadgets'));
  const conditions = async () => (await own.call('GET', `${definitions}/gadgets.test.example`)).body.status.conditions;
  await expect.poll(conditions).toMatchObject([{ type: 'NamesAccepted', status: 'False' }, {}]);
  await own.call('DELETE', `${definitions}/widgets.test.example`);
  await expect.poll(conditions).toMatchObject([
    { type: 'NamesAccepted', status: 'True' },
    { type: 'Established', status: 'True' },
  ]);
  expect((await own.call('GET', '/apis/test.example/v1/gadgets')).code).toBe(200);
  await own.stop();
});

test('a watch ends with the definition of its kind', async () => {
  const own = await startTestServer();
  await own.call('POST', definitions, definition());
  await expect.poll(async () => (await own.call('GET', widgets)).code).toBe(200);
  const watching = own.watched('/apis/test.example/v1/widgets', 5, 5_000);
  const widget = { apiVersion: 'test.example/v1', kind: 'Widget', metadata: { name: 'w' } };
  await own.call('POST', widgets, widget);
  await own.call('DELETE', `${definitions}/widgets.test.example`);
  const started = Date.now();
  expect((await watching).slice(0, 2)).toEqual(['ADDED w', 'DELETED w']);
  expect(Date.now() - started).toBeLessThan(4_000);
  await own.stop();
});

test('existing definitions are served after a restart', async () => {
  const first = await startTestServer();
  await first.call('POST', definitions, definition());
  await expect.poll(async () => (await first.call('GET', widgets)).code).toBe(200);
  await first.stop();
  const second = await startTestServer({ store: first.store });
  expect((await second.call('GET', widgets)).code).toBe(200);
  await second.stop();
});
