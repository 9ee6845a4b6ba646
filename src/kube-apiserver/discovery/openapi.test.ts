import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { builtinKinds, customKinds, KindRegistry } from '../../api/api.ts';
import type { RawReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { generalOperations } from './general-operations.ts';
import { openapiReply } from './openapi.ts';
import { typeName } from './openapi-parts.ts';
import { type Operation, operationsOf } from './operations.ts';

const facts = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../facts/${name}.json`, import.meta.url), 'utf8'));

/** Group -> its versions. */
function versionsOf(): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  for (const { group, version } of builtinKinds())
    versions.set(group, [...new Set([...(versions.get(group) ?? []), version])]);
  return versions;
}

test('paths, operations and media types are those that were recorded', () => {
  const items = [...generalOperations(versionsOf()), ...builtinKinds().flatMap((kind) => operationsOf(kind, typeName))];
  const shown = ({ id, action, gvk, consumes, produces }: Operation) => ({
    id,
    action: action ?? null,
    gvk: gvk ?? null,
    consumes: consumes ?? null,
    produces,
  });
  const made = Object.fromEntries(
    items.map(({ path, operations }) => [path, Object.fromEntries(operations.map((one) => [one.method, shown(one)]))]),
  );
  const recorded = facts('paths').paths;
  for (const item of Object.values(recorded) as any[])
    for (const one of Object.values(item) as any[]) delete one.params;
  expect(made).toEqual(recorded);
});

describe('documents', () => {
  const kinds = new KindRegistry();
  const get = async (url: string, headers: Record<string, string> = {}): Promise<RawReply> => {
    const [path, query] = url.split('?');
    const request = { server: { kinds }, headers, query: new URLSearchParams(query) } as unknown as ApiRequest;
    return (await openapiReply(request, path)) as RawReply;
  };
  const json = async (path: string): Promise<any> => JSON.parse(String((await get(path)).body));
  const define = (spec: object) => kinds.add(...customKinds(definition(spec) as never));

  const definition = (spec: object) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gears.o.test' },
    spec: {
      group: 'o.test',
      scope: 'Namespaced',
      names: { plural: 'gears', kind: 'Gear' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: { type: 'object', properties: spec },
                port: { 'x-kubernetes-int-or-string': true },
                keep: {
                  type: 'object',
                  'x-kubernetes-preserve-unknown-fields': true,
                  properties: { a: { type: 'string' } },
                },
                pod: {
                  type: 'object',
                  'x-kubernetes-embedded-resource': true,
                  properties: { spec: { type: 'object' } },
                },
              },
            },
          },
        },
      ],
    },
  });

  define({ a: { type: 'string', nullable: true } });

  test('version 2 has every recorded type, each operation described', async () => {
    const document = await json('/openapi/v2');
    expect(Object.keys(facts('openapi').schemas).filter((name) => !document.definitions[name])).toEqual([]);
    const pods = document.paths['/api/v1/namespaces/{namespace}/pods'];
    expect(pods.post.description).toBe('create a Pod');
    expect(pods.parameters.map(({ $ref }: any) => document.parameters[$ref.replace('#/parameters/', '')].name)).toEqual(
      ['namespace', 'pretty'],
    );
    const described = Object.values<any>(document.parameters).filter(
      ({ name, description }) => name !== 'body' && !description,
    );
    expect(described).toEqual([]);
  });

  test('both versions have enums, unions and the parameters of a list in order', async () => {
    const profile = 'io.k8s.api.core.v1.SeccompProfile';
    const documents = [await json('/openapi/v2'), await json('/openapi/v3/api/v1')];
    for (const { definitions, components } of documents) {
      const schema = (definitions ?? components.schemas)[profile];
      expect(schema.properties.type.enum).toEqual(['Localhost', 'RuntimeDefault', 'Unconfined']);
      expect(schema['x-kubernetes-unions']).toHaveLength(1);
      const { claimRef } = (definitions ?? components.schemas)['io.k8s.api.core.v1.PersistentVolumeSpec'].properties;
      expect(claimRef['x-kubernetes-map-type']).toBe('granular');
    }
    const names = documents[1].paths['/api/v1/pods'].parameters.map(({ name }: any) => name);
    expect(names).toContain('shardSelector');
    expect(names).toEqual([...names].sort());
  });

  test('version 2 shows custom resources without unsupported keywords', async () => {
    const { definitions: all } = await json('/openapi/v2');
    const { properties } = all['test.o.v1.Gear'];
    expect(properties.spec.properties.a).toEqual({});
    expect(properties.keep).toEqual({ 'x-kubernetes-preserve-unknown-fields': true });
    expect(properties.port).toEqual({ 'x-kubernetes-int-or-string': true });
    expect(properties.pod.required).toEqual(['kind', 'apiVersion']);
    expect(properties.metadata.$ref).toBe('#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
    expect(all['test.o.v1.GearList'].required).toEqual(['items']);
  });

  test('version 3 offers no strategic merge patch for custom resources', async () => {
    const { paths, components } = await json('/openapi/v3/apis/o.test/v1');
    const { patch } = paths['/apis/o.test/v1/namespaces/{namespace}/gears/{name}'];
    expect(Object.keys(patch.requestBody.content)).toEqual([
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/apply-patch+yaml',
    ]);
    const { properties } = components.schemas['test.o.v1.Gear'];
    expect(properties.port.anyOf).toEqual([{ type: 'integer' }, { type: 'string' }]);
    expect(properties.spec.properties.a).toEqual({ type: 'string', nullable: true });
  });

  test('a definition that changes shows at once, and its hash with it', async () => {
    const url = async () => (await json('/openapi/v3')).paths['apis/o.test/v1'].serverRelativeURL;
    const before = await url();
    define({ b: { type: 'integer' } });
    expect(await url()).not.toBe(before);
    const shown = (await json('/openapi/v2')).definitions['test.o.v1.Gear'].properties.spec.properties;
    expect(shown).toEqual({ b: { type: 'integer' } });
    expect(await get(before)).toMatchObject({ code: 301, headers: { Location: await url() } });
  });

  test.each([
    ['/openapi/v2', 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf', '2.0'],
    ['/openapi/v3/apis/o.test/v1', 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf', '3.0.0'],
  ])('%s is also there as protobuf', async (path, type, version) => {
    const { body, contentType } = await get(path, { accept: type });
    expect(contentType).toBe(type.replace('@', '.'));
    const start = Buffer.from(`\x0a${String.fromCharCode(version.length)}${version}`);
    expect((body as Buffer).subarray(0, start.length)).toEqual(start);
    expect((body as Buffer).includes('test.o.v1.Gear')).toBe(true);
    await expect(get(path, { accept: 'text/html' })).rejects.toMatchObject({ code: 406 });
  });

  test('a document that a client has is not sent again', async () => {
    const { ETag = '' } = (await get('/openapi/v2')).headers ?? {};
    expect(await get('/openapi/v2', { 'if-none-match': String(ETag) })).toMatchObject({ code: 304 });
  });
});
