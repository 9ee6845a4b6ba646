import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const at = (version: string) => `/apis/test.example/${version}/namespaces/default/ports`;
const merge = { contentType: 'application/merge-patch+json' };

/** v1 has one text `address`, v2 a `host` and a `port`. */
const version = (name: string, storage: boolean, properties: Record<string, { type: string }>) => ({
  name,
  served: true,
  storage,
  selectableFields: Object.keys(properties).map((field) => ({ jsonPath: `.spec.${field}` })),
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
});
const v1 = (storage: boolean) => version('v1', storage, { address: { type: 'string' } });
const v2 = (storage: boolean) => version('v2', storage, { host: { type: 'string' }, port: { type: 'string' } });

function convert(object: any, apiVersion: string): any {
  const { address, host, port } = object.spec;
  const [first, second] = (address ?? '').split(':');
  const spec = apiVersion.endsWith('/v2') ? { host: first, port: second } : { address: `${host}:${port}` };
  return { ...object, apiVersion, spec };
}

let server: TestServer;
let hook: Server;
let asked: any[];
let askedAt: string | undefined;
/** The webhook's response to a request; undefined: a correct one. */
let answer: ((request: any) => any) | undefined;
let definition: any;

beforeAll(async () => {
  const authority = await testAuthority();
  hook = createServer(await authority.issue('CN=hook', ['127.0.0.1']), async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const review = JSON.parse(Buffer.concat(parts).toString());
    asked.push(review.request);
    askedAt = request.url;
    const { uid, objects, desiredAPIVersion } = review.request;
    const said = answer?.(review.request) ?? {
      result: { status: 'Success' },
      convertedObjects: objects.map((object: any) => convert(object, desiredAPIVersion)),
    };
    response.end(JSON.stringify({ ...review, request: undefined, response: { uid, ...said } }));
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(hook.address() as AddressInfo).port}/convert`;
  definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'ports.test.example' },
    spec: {
      group: 'test.example',
      scope: 'Namespaced',
      names: { plural: 'ports', kind: 'Port' },
      versions: [v1(true), v2(false)],
      conversion: {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: { url, caBundle: Buffer.from(authority.ca).toString('base64') },
        },
      },
    },
  };
  asked = [];
  server = await startTestServer();
  expect((await server.call('POST', definitions, definition)).code).toBe(201);
});
afterAll(async () => {
  await server.stop();
  hook.closeAllConnections();
  hook.close();
});
beforeEach(() => {
  asked = [];
  answer = undefined;
});

const port = (name: string, apiVersion: string, spec: object) => ({
  apiVersion: `test.example/${apiVersion}`,
  kind: 'Port',
  metadata: { name },
  spec,
});

describe('a conversion webhook', () => {
  test('converts on read, write, patch and delete', async () => {
    await expect.poll(async () => (await server.call('GET', at('v2'))).code).toBe(200);
    const made = await server.call('POST', at('v1'), port('a', 'v1', { address: 'one:1' }));
    expect(made.code).toBe(201);
    expect(asked).toHaveLength(0);
    const read = await server.call('GET', `${at('v2')}/a`);
    expect(read.body).toMatchObject({ apiVersion: 'test.example/v2', spec: { host: 'one', port: '1' } });
    expect(read.body.metadata.uid).toBe(made.body.metadata.uid);
    const patched = await server.call('PATCH', `${at('v2')}/a`, { spec: { port: '2' } }, merge);
    expect(patched.body).toMatchObject({ spec: { host: 'one', port: '2' }, metadata: { generation: 2 } });
    expect((await server.call('GET', `${at('v1')}/a`)).body.spec).toEqual({ address: 'one:2' });
    const next = { ...patched.body, spec: { host: 'two', port: '3' } };
    expect((await server.call('PUT', `${at('v2')}/a`, next)).body.spec).toEqual({ host: 'two', port: '3' });
    expect((await server.call('GET', `${at('v1')}/a`)).body.spec).toEqual({ address: 'two:3' });
    expect((await server.call('DELETE', `${at('v2')}/a`)).code).toBe(200);
    expect((await server.call('GET', `${at('v1')}/a`)).code).toBe(404);
  });

  test('converts an object created in another version than the stored one, once per version', async () => {
    const made = await server.call('POST', at('v2'), port('b', 'v2', { host: 'b', port: '1' }));
    expect(made.body).toMatchObject({ apiVersion: 'test.example/v2', spec: { host: 'b', port: '1' } });
    expect((await server.call('GET', `${at('v1')}/b`)).body.spec).toEqual({ address: 'b:1' });
    await server.call('GET', `${at('v2')}/b`);
    const calls = asked.length;
    await server.call('GET', `${at('v2')}/b`);
    expect(asked).toHaveLength(calls);
  });

  test('converts a whole list in one call', async () => {
    for (const name of ['l1', 'l2', 'l3'])
      await server.call('POST', at('v1'), port(name, 'v1', { address: `${name}:1` }));
    asked = [];
    const list = await server.call('GET', at('v2'));
    const hosts = list.body.items.map((item: any) => item.spec.host);
    expect(hosts).toEqual(expect.arrayContaining(['l1', 'l2', 'l3']));
    expect(asked).toHaveLength(1);
    expect(askedAt).toBe('/convert?timeout=30s');
    expect(list.body.apiVersion).toBe('test.example/v2');
  });

  test('field selectors concern the version of the list or the watch', async () => {
    const admin = server.transport({ name: 'admin', groups: ['system:masters'] });
    await server.call('POST', at('v1'), port('s1', 'v1', { address: 'chosen:1' }));
    const query = { watch: 'true', sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
    const selected = { ...query, allowWatchBookmarks: 'true', fieldSelector: 'spec.host=chosen' };
    const { events } = await admin.send({ method: 'GET', path: at('v2'), query: selected });
    const told: string[] = [];
    const reading = (async () => {
      for await (const { type, object } of events ?? []) {
        const { metadata, spec } = object as any;
        told.push([type, metadata.name, spec?.host, spec?.port].filter(Boolean).join(' '));
        if (told.at(-1)?.startsWith('DELETED s2')) break;
      }
    })();
    await expect.poll(() => told).toEqual(['ADDED s1 chosen 1', 'BOOKMARK']);
    await server.call('POST', at('v1'), port('s2', 'v1', { address: 'chosen:2' }));
    await server.call('POST', at('v1'), port('s3', 'v1', { address: 'other:3' }));
    await server.call('PATCH', `${at('v1')}/s2`, { spec: { address: 'chosen:4' } }, merge);
    await server.call('PATCH', `${at('v1')}/s1`, { spec: { address: 'other:1' } }, merge);
    await server.call('PATCH', `${at('v1')}/s3`, { spec: { address: 'chosen:3' } }, merge);
    await server.call('DELETE', `${at('v1')}/s2`);
    await reading;
    expect(told).toEqual([
      'ADDED s1 chosen 1',
      'BOOKMARK',
      'ADDED s2 chosen 2',
      'MODIFIED s2 chosen 4',
      'DELETED s1 chosen 1',
      'ADDED s3 chosen 3',
      'DELETED s2 chosen 4',
    ]);
    const list = await server.call('GET', `${at('v2')}?fieldSelector=spec.host%3Dchosen`);
    expect(list.body.items.map((item: any) => item.metadata.name)).toEqual(['s3']);
  });

  test('converts watch events, in order', async () => {
    const admin = server.transport({ name: 'admin', groups: ['system:masters'] });
    const { resourceVersion } = (await server.call('GET', at('v2'))).body.metadata;
    const query = { watch: 'true', resourceVersion, fieldSelector: 'metadata.name=w' };
    const { events } = await admin.send({ method: 'GET', path: at('v2'), query });
    await server.call('POST', at('v1'), port('w', 'v1', { address: 'w:1' }));
    await server.call('PATCH', `${at('v1')}/w`, { spec: { address: 'w:2' } }, merge);
    await server.call('DELETE', `${at('v1')}/w`);
    const told: string[] = [];
    for await (const { type, object } of events ?? []) {
      told.push(`${type} ${(object as any).spec.port}`);
      if (type === 'DELETED') break;
    }
    expect(told).toEqual(['ADDED 1', 'MODIFIED 2', 'DELETED 2']);
  });

  test('may change labels and annotations alone', async () => {
    await server.call('POST', at('v1'), port('m', 'v1', { address: 'm:1' }));
    answer = ({ objects, desiredAPIVersion }) => ({
      result: { status: 'Success' },
      convertedObjects: objects.map((object: any) => {
        const { metadata, ...rest } = convert(object, desiredAPIVersion);
        return { ...rest, metadata: { ...metadata, labels: { by: 'hook' }, finalizers: ['a/b'], generation: 9 } };
      }),
    });
    const { metadata } = (await server.call('GET', `${at('v2')}/m`)).body;
    expect(metadata).toMatchObject({ labels: { by: 'hook' }, generation: 1 });
    expect(metadata).not.toHaveProperty('finalizers');
  });

  test.each<[string, (request: any) => any, string]>([
    [
      'says no',
      () => ({ result: { status: 'Failure', message: 'not today' } }),
      'conversion webhook for test.example/v1, Kind=Port failed: not today',
    ],
    [
      'leaves objects out',
      () => ({ result: { status: 'Success' }, convertedObjects: [] }),
      'conversion webhook for test.example/v1, Kind=Port returned 0 objects, expected 1',
    ],
    [
      'makes another version of it',
      ({ objects }) => ({ result: { status: 'Success' }, convertedObjects: objects }),
      'conversion webhook for test.example/v1, Kind=Port returned invalid converted object at index 0: invalid groupVersion (expected test.example/v2, received test.example/v1)',
    ],
    [
      'renames it',
      ({ objects }) => ({
        result: { status: 'Success' },
        convertedObjects: [{ ...convert(objects[0], 'test.example/v2'), metadata: { name: 'other' } }],
      }),
      'conversion webhook for test.example/v1, Kind=Port returned invalid converted object at index 0: must have the same name: f0 != other',
    ],
  ])('that %s causes an error with the reason', async (_, said, message) => {
    await server.call('POST', at('v1'), port('f0', 'v1', { address: 'f:1' }));
    answer = said;
    expect(await server.call('GET', `${at('v2')}/f0`)).toMatchObject({ code: 500, body: { message } });
    // The object is intact, and the next call retries.
    expect((await server.call('GET', `${at('v1')}/f0`)).code).toBe(200);
    answer = undefined;
    expect((await server.call('GET', `${at('v2')}/f0`)).code).toBe(200);
    await server.call('DELETE', `${at('v1')}/f0`);
  });

  test('reads objects of an earlier storage version', async () => {
    await server.call('POST', at('v1'), port('old', 'v1', { address: 'old:1' }));
    const live = (await server.call('GET', `${definitions}/ports.test.example`)).body;
    const spec = { ...live.spec, versions: [v1(false), v2(true)] };
    expect((await server.call('PUT', `${definitions}/ports.test.example`, { ...live, spec })).code).toBe(200);
    await expect.poll(async () => (await server.call('GET', `${at('v2')}/old`)).body.spec?.host).toBe('old');
    const changed = await server.call('PATCH', `${at('v1')}/old`, { spec: { address: 'new:2' } }, merge);
    expect(changed.body.spec).toEqual({ address: 'new:2' });
    expect((await server.call('GET', `${at('v2')}/old`)).body.spec).toEqual({ host: 'new', port: '2' });
  });
});
