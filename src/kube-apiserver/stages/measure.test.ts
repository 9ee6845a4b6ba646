import { afterAll, beforeAll, expect, test } from 'vitest';
import { KindRegistry } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { textReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import type { Waits } from '../request/waits.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { measure } from './measure.ts';

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
  expect(text).toMatch(
    /^apiserver_request_total\{.*resource="pods",scope="resource",subresource="log",verb="CONNECT"/m,
  );
});

const samples = async (name: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(`${name}{`));
};
const sample = async (name: string, ...labels: string[]) => {
  const found = (await samples(name)).filter((line) => labels.every((label) => line.includes(label)));
  return found.length ? found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0) : undefined;
};
const configMaps = '/api/v1/namespaces/default/configmaps';
const json = { 'content-type': 'application/json' };
const apply = { 'content-type': 'application/apply-patch+yaml' };
const get = { method: 'GET' };
const map = (name: string) => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

test.each<[string, string, RequestInit, string]>([
  ['POST', configMaps, { body: map('a'), headers: json }, 'resource'],
  ['PUT', `${configMaps}/a`, { body: map('a'), headers: json }, 'resource'],
  ['PATCH', `${configMaps}/a`, { body: '{}', headers: { 'content-type': 'application/merge-patch+json' } }, 'resource'],
  ['APPLY', `${configMaps}/a?fieldManager=m`, { method: 'PATCH', body: map('a'), headers: apply }, 'resource'],
  ['GET', `${configMaps}/a`, get, 'resource'],
  ['LIST', configMaps, get, 'namespace'],
  ['LIST', '/api/v1/configmaps', get, 'cluster'],
  ['WATCH', `${configMaps}?watch=1&timeoutSeconds=1`, get, 'namespace'],
  ['DELETE', `${configMaps}/a`, {}, 'resource'],
  ['DELETE', configMaps, {}, 'namespace'],
])('%s %s is counted under the verb', async (verb, path, init, scope) => {
  const labels = [`verb="${verb}"`, `scope="${scope}"`, 'resource="configmaps"'];
  const counted = async () => [
    await sample('apiserver_request_total', ...labels),
    await sample('apiserver_request_duration_seconds_count', ...labels),
    await sample('apiserver_request_sli_duration_seconds_count', ...labels),
  ];
  const before = await counted();
  const answer = await fetch(url + path, { method: verb, ...init });
  expect(answer.status).toBeLessThan(300);
  await answer.arrayBuffer();
  await expect.poll(counted).toEqual(before.map((count) => (count ?? 0) + 1));
});

test('a made-up method is counted as another', async () => {
  const info = requestInfo('STEAL', '/version', new URLSearchParams());
  const request = {
    server: server.server,
    info,
    method: 'STEAL',
    query: new URLSearchParams(),
    user: { name: 'me', groups: [] },
  };
  await measure(request as unknown as ApiRequest, async () => textReply(405, ''));
  const counted = await samples('apiserver_request_total');
  expect(counted.filter((line) => line.includes('STEAL'))).toEqual([]);
  expect(counted.filter((line) => line.includes('verb="other"'))).toHaveLength(1);
});

test('long-running requests count until they end', async () => {
  const count = () => sample('apiserver_longrunning_requests', 'verb="WATCH"', 'resource="secrets"');
  const ended = new AbortController();
  const path = `${url}/api/v1/secrets?watch=1`;
  await Promise.all([fetch(path, { signal: ended.signal }), fetch(path, { signal: ended.signal })]);
  expect(await count()).toBe(2);
  ended.abort();
  await expect.poll(count).toBe(0);
});

test('a watch that cannot be sent does not count for ever', async () => {
  const refused = await fetch(`${url}/api/v1/secrets?watch=1`, { headers: { accept: 'text/html' } });
  expect(refused.status).toBe(406);
  expect(await sample('apiserver_longrunning_requests', 'verb="WATCH"', 'resource="secrets"')).toBe(0);
});

test('sizes of bodies and responses', async () => {
  const body = map('sized');
  await fetch(url + configMaps, { method: 'POST', body, headers: json });
  const sent = await sample('apiserver_request_body_size_bytes_sum', 'verb="create"', 'resource="configmaps"');
  expect(sent).toBe(body.length + map('a').length);
  const before = (await sample('apiserver_response_sizes_sum', 'verb="LIST"', 'scope="cluster"')) ?? 0;
  const text = await (await fetch(`${url}/api/v1/configmaps`)).text();
  const after = await sample('apiserver_response_sizes_sum', 'verb="LIST"', 'scope="cluster"');
  expect(after).toBe(before + text.length);
});

test('sent watch events have their number and size', async () => {
  const path = `${configMaps}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name=sized`;
  const text = await (await fetch(url + path)).text();
  expect(text.split('\n').filter(Boolean).length).toBe(1);
  expect(await sample('apiserver_watch_events_total', 'resource="configmaps"')).toBeGreaterThanOrEqual(1);
  expect(await sample('apiserver_watch_events_sizes_sum', 'resource="configmaps"')).toBeGreaterThanOrEqual(text.length);
});

test('the time of others does not count for the objective', async () => {
  let clock = 0;
  const server = { clock: { monotonic: () => clock }, metrics: new Metrics(), kinds: new KindRegistry() };
  const request = {
    server,
    info: requestInfo('GET', '/version', new URLSearchParams()),
    method: 'GET',
    user: { name: 'me', groups: [] },
  };
  await measure({ ...request, query: new URLSearchParams() } as unknown as ApiRequest, async () => {
    clock += 1_000;
    return textReply(200, '');
  });
  const slow = { ...request, query: new URLSearchParams() } as unknown as ApiRequest;
  await measure(slow, async () => {
    clock += 1_000;
    (slow.waits as Waits).ms += 900;
    return textReply(200, '');
  });
  const text = server.metrics.text();
  expect(text).toMatch(/^apiserver_request_duration_seconds_sum\{.*\} 2$/m);
  expect(text).toMatch(/^apiserver_request_sli_duration_seconds_sum\{.*\} 1\.1$/m);
});

test('deprecated APIs are marked when they are used', async () => {
  const marked = () => samples('apiserver_requested_deprecated_apis');
  expect(await marked()).toEqual([]);
  await fetch(`${url}/api/v1/endpoints`);
  expect(await marked()).toEqual([
    'apiserver_requested_deprecated_apis{group="",version="v1",resource="endpoints",subresource="",removed_release=""} 1',
  ]);
});
