// Integers of 64 bits, from the socket to the store and back.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Listener } from '../../kube-apiserver.ts';
import { pod, startTestServer, type TestServer } from '../../testing/test-server.ts';

const big = '9223372036854775807';
const odd = '3546343826724305833';
let server: TestServer;
let listener: Listener;
const customResources = '/apis/test.example/v1/namespaces/default/things';
const pods = '/api/v1/namespaces/default/pods';

/** Bytes in, text out: JSON.parse would lose the tested digits. */
async function send(method: string, path: string, body?: string, type = 'application/json') {
  const headers = { 'content-type': type };
  const response = await fetch(`${listener.url}${path}`, { method, headers, ...(body && { body }) });
  return { code: response.status, text: await response.text() };
}

beforeAll(async () => {
  server = await startTestServer();
  listener = await server.listen({ port: 0 });
  const schema = {
    type: 'object',
    properties: {
      count: { type: 'integer', format: 'int64' },
      spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  };
  await server.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.example' },
    spec: {
      group: 'test.example',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  await vi.waitUntil(async () => (await server.call('GET', customResources)).code === 200);
});
afterAll(() => server.stop());

const customResource = (name: string, spec: string) =>
  `{"apiVersion":"test.example/v1","kind":"Thing","metadata":{"name":"${name}"},"count":${big},"spec":${spec}}`;
const grace = (name: string, seconds: string) =>
  JSON.stringify(pod(name, { terminationGracePeriodSeconds: 0 })).replace(
    '"terminationGracePeriodSeconds":0',
    `"terminationGracePeriodSeconds":${seconds}`,
  );

describe('a custom resource', () => {
  test('created from JSON', async () => {
    const { code, text } = await send('POST', customResources, customResource('json', `{"a":[${odd}],"small":1}`));
    expect(code).toBe(201);
    expect(text).toContain(`"count":${big}`);
    expect(text).toContain(`"spec":{"a":[${odd}],"small":1}`);
    expect((await send('GET', customResources)).text).toContain(`"a":[${odd}]`);
  });

  test('created from YAML', async () => {
    const yaml = `apiVersion: test.example/v1\nkind: Thing\nmetadata: {name: yaml}\ncount: ${big}\nspec: {a: -${odd}}\n`;
    const { text } = await send('POST', customResources, yaml, 'application/yaml');
    expect(text).toContain(`"count":${big}`);
    expect(text).toContain(`"a":-${odd}`);
  });

  test.each([
    ['application/merge-patch+json', `{"spec":{"b":${odd}}}`],
    ['application/json-patch+json', `[{"op":"add","path":"/spec/b","value":${odd}}]`],
    ['application/apply-patch+yaml', customResource('patched', `{"b":${odd}}`)],
  ])('patched by %s', async (type, patch) => {
    await send('POST', customResources, customResource('patched', `{"a":${odd}}`));
    const { code, text } = await send(
      'PATCH',
      `${customResources}/patched?fieldManager=m&force=${type.includes('apply')}`.replace('&force=false', ''),
      patch,
      type,
    );
    expect(code).toBe(200);
    expect(text).toContain(`"count":${big}`);
    expect(text).toContain(`"b":${odd}`);
    await send('DELETE', `${customResources}/patched`);
  });

  test('a write without a change is skipped', async () => {
    const first = JSON.parse((await send('POST', customResources, customResource('same', `{"a":${odd}}`))).text);
    const again = await send(
      'PATCH',
      `${customResources}/same`,
      `{"spec":{"a":${odd}}}`,
      'application/merge-patch+json',
    );
    expect(JSON.parse(again.text).metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const next = await send(
      'PATCH',
      `${customResources}/same`,
      `{"spec":{"a":${BigInt(odd) + 1n}}}`,
      'application/merge-patch+json',
    );
    expect(JSON.parse(next.text).metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
  });
});

describe('a field of 64 bits of a built-in kind', () => {
  test('is kept', async () => {
    const { code, text } = await send('POST', pods, grace('kept', big));
    expect(code).toBe(201);
    expect(text).toContain(`"terminationGracePeriodSeconds":${big}`);
    expect((await send('GET', `${pods}/kept?pretty=false`)).text).toContain(`"terminationGracePeriodSeconds":${big}`);
    const table = await fetch(`${listener.url}${pods}`, {
      headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
    });
    expect(table.status).toBe(200);
    expect((await send('DELETE', `${pods}/kept`)).code).toBe(200);
  });

  test('that does not hold the number refuses it', async () => {
    const { code, text } = await send('POST', pods, grace('beyond', '9223372036854775808'));
    expect(code).toBe(400);
    expect(JSON.parse(text).message).toContain(
      'json: cannot unmarshal number 9223372036854775808 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
    );
  });

  test('a field of 32 bits refuses one of 64', async () => {
    const spec = '{"replicas":9007199254740993,"selector":{"matchLabels":{"a":"b"}},"template":{}}';
    const body = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":${spec}}`;
    const { text } = await send('POST', '/apis/apps/v1/namespaces/default/deployments', body);
    expect(JSON.parse(text).message).toContain('cannot unmarshal number 9007199254740993 into Go struct field');
  });
});
