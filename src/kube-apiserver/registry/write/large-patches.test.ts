// Patches of large objects, and long patches, are made in another thread, with the same results as short ones here.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
let url: string;
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const pad = ' '.repeat(300 << 10);
const labels = { a: 'b' };
const spec = { containers: ['a', 'b', 'c'].map((name) => ({ name, image: 'x', env: [{ name: 'E', value: name }] })) };

beforeAll(async () => {
  server = await startTestServer();
  ({ url } = await server.listen({ port: 0 }));
  for (const [name, annotations] of [
    ['short', {}],
    ['large', { pad: 'x'.repeat(200 << 10) }],
  ] as const) {
    const data = { k: 'v', pad: 'y'.repeat((annotations.pad?.length ?? 0) / 2) };
    await server.call('POST', maps, { metadata: { name, annotations }, data });
    const template = { metadata: { labels }, spec };
    await server.call('POST', deployments, {
      metadata: { name, annotations },
      spec: { selector: { matchLabels: labels }, template },
    });
  }
});
afterAll(() => server.stop());

async function patched(path: string, form: string, text: string): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method: 'PATCH',
    headers: { 'content-type': `application/${form}-patch+json` },
    body: text,
  });
  const { data, spec, message, details } = (await response.json()) as any;
  const { pad: _, ...rest } = data ?? {};
  const warnings = response.headers.get('warning');
  const result = { code: response.status, data: data && rest, spec, message, details, warnings };
  return JSON.parse(JSON.stringify(result).replaceAll(/"(short|large)"|\\"(short|large)\\"/g, '"NAME"'));
}

test.each<[what: string, collection: string, form: string, patch: string]>([
  ['a merge', maps, 'merge', '{"data":{"k":null,"l":"w"}}'],
  ['a merge of a text', maps, 'merge', '"x"'],
  ['a merge with unknown and repeated fields', maps, 'merge', '{"data":{"l":"w","l":"x"},"other":1}'],
  ['a merge that is no JSON', maps, 'merge', '{"data":'],
  [
    'operations',
    maps,
    'json',
    '[{"op":"add","path":"/data/l","value":"w"},{"op":"test","path":"/data/l","value":"w"}]',
  ],
  ['an operation that fails', maps, 'json', '[{"op":"remove","path":"/data/none"}]'],
  ['an operation of no type', maps, 'json', '[{"op":1}]'],
  ['an operation with another field', maps, 'json', '[{"op":"test","path":"/data/k","value":"v","x":1}]'],
  ['no operations', maps, 'json', '{}'],
  [
    'a strategic merge',
    deployments,
    'strategic-merge',
    '{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}],"containers":[{"name":"b","$patch":"delete"},{"name":"a","image":"y"}]}}}}',
  ],
  [
    'an order that does not match',
    deployments,
    'strategic-merge',
    '{"metadata":{"$setElementOrder/finalizers":["a.b/c"],"finalizers":["a.b/d"]}}',
  ],
  ['a strategic merge of another type', deployments, 'strategic-merge', '{"spec":{"replicas":"x"}}'],
  ['a directive that is none', deployments, 'strategic-merge', '{"spec":{"$patch":"x"}}'],
  ['a scale', deployments, 'merge', '{"spec":{"replicas":3}}'],
])('%s', async (what, collection, form, patch) => {
  const at = (name: string) =>
    `${collection}/${name}${what === 'a scale' ? '/scale' : ''}?dryRun=All&fieldValidation=Warn`;
  const short = await patched(at('short'), form, patch);
  expect(await patched(at('large'), form, patch)).toEqual(short);
  expect(await patched(at('short'), form, pad + patch)).toEqual(short);
});
