import { expect, test } from 'vitest';
import { KindRegistry } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import type { RawReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { discoveryReply } from './discovery.ts';

const kinds = new KindRegistry();
const get = async (path: string, headers: Record<string, string> = {}): Promise<RawReply> =>
  (await discoveryReply(
    { server: { kinds, metrics: new Metrics() }, headers, query: new URLSearchParams() } as unknown as ApiRequest,
    path,
  )) as RawReply;

const protobuf = 'application/vnd.kubernetes.protobuf';
const as = (version: string) => `g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

test.each([
  ['/api', {}, 'application/json', '{"kind":"APIVersions"'],
  ['/apis/apps/v1', { accept: 'application/json' }, 'application/json', '{"kind":"APIResourceList"'],
  ['/apis', { accept: `${protobuf},application/json` }, protobuf, 'k8s\0\n\x12\n\x02v1\x12\fAPIGroupList'],
  ['/api/v1', { accept: protobuf }, protobuf, 'k8s\0\n\x13\n\0\x12\x0fAPIResourceList'],
  [
    '/api',
    { accept: `application/json;${as('v2')}` },
    `application/json;${as('v2')}`,
    '{"kind":"APIGroupDiscoveryList"',
  ],
  ['/apis', { accept: `${protobuf};${as('v2')}` }, `${protobuf};${as('v2')}`, 'k8s\0\n/\n\x16apidiscovery.k8s.io/v2'],
])('%s as asked by %j', async (path, headers, contentType, start) => {
  const reply = await get(path, headers as Record<string, string>);
  expect(reply.contentType).toBe(contentType);
  expect(
    Buffer.from(reply.body as Uint8Array)
      .toString('latin1')
      .slice(0, start.length),
  ).toBe(start);
});

test('a matching hash gets 304', async () => {
  const headers = { accept: `application/json;${as('v2')}` };
  const { headers: answered = {} } = await get('/apis', headers);
  expect(answered).toMatchObject({ Vary: 'Accept', 'Cache-Control': 'public' });
  expect((await get('/apis', { ...headers, 'if-none-match': String(answered.ETag) })).code).toBe(304);
});

test('requests without peers are counted', async () => {
  const metrics = new Metrics();
  const request = (accept: string) =>
    ({ server: { kinds, metrics }, headers: { accept }, query: new URLSearchParams() }) as unknown as ApiRequest;
  const form = `application/json;${as('v2')}`;
  for (const accept of [form, `${form};profile=nopeer`]) await discoveryReply(request(accept), '/apis');
  expect(metrics.text()).toContain('aggregator_discovery_nopeer_requests_total 1');
});

test.each([
  ['/api/v1', 'pods', 'xPOwRZ+Yhw8='],
  ['/api/v1', 'events', 'r2yiGXH7wu8='],
  ['/api/v1', 'componentstatuses', undefined],
  ['/apis/events.k8s.io/v1', 'events', 'r2yiGXH7wu8='],
  ['/apis/autoscaling/v1', 'horizontalpodautoscalers', 'qwQve8ut294='],
  ['/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions', 'jfWCUB31mvA='],
  ['/apis/admissionregistration.k8s.io/v1', 'mutatingadmissionpolicies', 'LYmCf+UMVdg='],
  ['/apis/admissionregistration.k8s.io/v1', 'mutatingadmissionpolicybindings', '90V5FRZZ3Zg='],
])('the storage version hash of %s %s is that of a real 1.36', async (path, name, hash) => {
  const { body } = await get(path);
  const { resources } = JSON.parse(String(body)) as { resources: { name: string; storageVersionHash?: string }[] };
  expect(resources.find((resource) => resource.name === name)).toHaveProperty('name', name);
  expect(resources.find((resource) => resource.name === name)?.storageVersionHash).toBe(hash);
});
