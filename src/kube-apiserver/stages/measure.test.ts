import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let url: string;

beforeAll(async () => {
  server = await startTestServer();
  ({ url } = await server.listen({ port: 0 }));
});
afterAll(() => server.stop());

const pods = '/api/v1/namespaces/default/pods';
const series = async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => /^apiserver_request_(total|duration_seconds_count)\{/.test(line)).length;
};

test.each<[string, (i: number) => string]>([
  ['groups', (i) => `/apis/g${i}.example/v1/things`],
  ['versions', (i) => `/apis/apps/v${i + 7}/deployments`],
  ['resources', (i) => `/api/v1/namespaces/default/r${i}`],
  ['subresources', (i) => `${pods}/p/s${i}`],
  ['namespaces and names', (i) => `/api/v1/namespaces/n${i}/pods/p${i}`],
  ['dry runs', (i) => `${pods}/p?dryRun=d${i}`],
  ['paths', (i) => `/x${i}`],
])('made-up %s make no new series', async (_, path) => {
  await fetch(url + path(0));
  await series();
  const before = await series();
  for (let i = 1; i <= 20; i++) await fetch(url + path(i));
  expect(await series()).toBe(before);
});

test('served resources have their names', async () => {
  await server.call('GET', `${pods}/p/log`);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).toMatch(/^apiserver_request_total\{.*resource="pods",scope="resource",subresource="log",verb="GET"/m);
});
