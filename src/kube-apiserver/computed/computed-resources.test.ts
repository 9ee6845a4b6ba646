import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ComputedResource } from '../../api/api.ts';
import { notFound } from '../../api/api.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let withdraw: () => void;
beforeEach(async () => {
  server = await startTestServer();
  withdraw = server.server.computed.add([tides]);
});
afterEach(() => server.stop());

const tideOf = (namespace: string, name: string) => ({
  kind: 'Tide',
  apiVersion: 'sea.example.com/v1',
  metadata: { name, namespace, labels: { coast: name.slice(0, 4) } },
  height: `${name.length}m`,
});
const stored = [tideOf('default', 'east-1'), tideOf('default', 'west-1'), tideOf('other', 'east-20')];

const tides: ComputedResource = {
  group: 'sea.example.com',
  version: 'v1',
  resource: 'tides',
  kind: 'Tide',
  namespaced: true,
  schema: { type: 'object', properties: { height: { type: 'string' } } },
  columns: [
    { name: 'Height', type: 'string', description: '', cell: (tide) => (tide as never as { height: string }).height },
  ],
  async read(namespace, name) {
    const found = stored.filter(
      ({ metadata }) => (!namespace || metadata.namespace === namespace) && (!name || metadata.name === name),
    );
    if (name && found.length === 0) throw notFound({ group: 'sea.example.com', resource: 'tides' }, name);
    return structuredClone(found) as never;
  },
};

const base = '/apis/sea.example.com/v1';
const names = async (path: string) => {
  const { code, body } = await server.call('GET', `${base}${path}`);
  expect(code, JSON.stringify(body)).toBe(200);
  return body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
};

test.each([
  ['/tides', ['east-1', 'west-1', 'east-20']],
  ['/namespaces/default/tides', ['east-1', 'west-1']],
  ['/tides?labelSelector=coast%3Deast', ['east-1', 'east-20']],
  ['/tides?labelSelector=coast!%3Deast', ['west-1']],
  ['/tides?fieldSelector=metadata.name%3Deast-20', ['east-20']],
  ['/tides?fieldSelector=metadata.namespace%3Dother', ['east-20']],
  ['/namespaces/none/tides', []],
])('a list of %s', async (path, wanted) => expect(await names(path)).toEqual(wanted));

test('an object has no revision, and a missing one is not found', async () => {
  const { code, body } = await server.call('GET', `${base}/namespaces/default/tides/west-1`);
  expect([code, body]).toEqual([200, tideOf('default', 'west-1')]);
  const missing = await server.call('GET', `${base}/namespaces/default/tides/none`);
  expect([missing.code, missing.body.message]).toEqual([404, 'tides.sea.example.com "none" not found']);
});

test.each([
  ['POST', '/namespaces/default/tides'],
  ['PUT', '/namespaces/default/tides/west-1'],
  ['DELETE', '/namespaces/default/tides/west-1'],
  ['DELETE', '/namespaces/default/tides'],
  ['GET', '/tides?watch=true'],
])('%s %s is refused', async (method, path) => {
  const { code, body } = await server.call(method, base + path, method === 'GET' ? undefined : tideOf('default', 'x'));
  expect([code, body.reason]).toEqual([405, 'MethodNotAllowed']);
});

test('discovery has the resource with its two verbs', async () => {
  const { body } = await server.call('GET', base);
  expect(body.resources).toMatchObject([{ name: 'tides', namespaced: true, kind: 'Tide', verbs: ['get', 'list'] }]);
  const groups = (await server.call('GET', '/apis')).body.groups.map(({ name }: { name: string }) => name);
  expect(groups).toContain('sea.example.com');
  const { body: index } = await server.call('GET', '/openapi/v3');
  expect(Object.keys(index.paths)).toContain('apis/sea.example.com/v1');
});

const service = {
  metadata: { name: 'v1.sea.example.com' },
  spec: {
    group: 'sea.example.com',
    version: 'v1',
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { namespace: 'default', name: 'sea' },
  },
};

test('an APIService takes the place of the resource until it is deleted', async () => {
  const apiservices = '/apis/apiregistration.k8s.io/v1/apiservices';
  expect((await server.call('POST', apiservices, service)).code).toBe(201);
  const { code, body } = await server.call('GET', `${base}/tides`);
  expect([code, body]).toEqual([503, 'service unavailable\n']);
  const named = async () =>
    (await server.call('GET', '/apis')).body.groups.filter(({ name }: { name: string }) => name === 'sea.example.com');
  expect(await named()).toMatchObject([{ versions: [{ version: 'v1' }] }]);
  await server.call('DELETE', `${apiservices}/v1.sea.example.com`);
  expect(await names('/tides')).toHaveLength(3);
  expect(await named()).toMatchObject([{ versions: [{ version: 'v1' }] }]);
});

test('it comes back after a definition of the same name, and goes when it is withdrawn', async () => {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const schema = { openAPIV3Schema: { type: 'object' } };
  const definition = {
    metadata: { name: 'tides.sea.example.com' },
    spec: {
      group: 'sea.example.com',
      scope: 'Namespaced',
      names: { plural: 'tides', kind: 'Tide' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
  expect((await server.call('POST', crds, definition)).code).toBe(201);
  expect(await names('/tides')).toEqual([]);
  await server.call('DELETE', `${crds}/tides.sea.example.com`);
  await expect.poll(() => names('/tides')).toHaveLength(3);
  withdraw();
  expect((await server.call('GET', `${base}/tides`)).code).toBe(404);
});
