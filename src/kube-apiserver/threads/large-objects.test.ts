import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import type { Answer } from './large-objects.ts';
import { TaskThread } from './task-thread.ts';

/** Makes any body one of a large object. */
const padding = ' '.repeat(300_000);

const crd = {
  metadata: { name: 'boats.sea.test' },
  spec: {
    group: 'sea.test',
    names: { plural: 'boats', kind: 'Boat' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { oars: { type: 'integer', default: 2 } },
                'x-kubernetes-validations': [{ rule: 'self.oars > 0', message: 'no oars' }],
              },
              status: { type: 'object', properties: { at: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
};
const pods = '/api/v1/namespaces/NS/pods';
const maps = '/api/v1/namespaces/NS/configmaps';
const boats = '/apis/sea.test/v1/namespaces/NS/boats';
const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'x', env: [{ name: 'A' }] }] } };
const boat = (oars: number) => ({ apiVersion: 'sea.test/v1', kind: 'Boat', metadata: { name: 'b' }, spec: { oars } });
const map = (data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data });
const apply = 'apply-patch+yaml';
const duplicate = { name: 'c', image: 'x' };

/** Sequential, in a separate namespace. */
const requests: readonly (readonly [method: string, path: string, body: object, type?: string])[] = [
  ['POST', pods, pod],
  ['POST', pods, { metadata: { name: '-' }, spec: { containers: [{ name: 'C', image: 'x' }, duplicate, duplicate] } }],
  ['POST', pods, { metadata: { name: 'w' }, spec: { ...pod.spec, containers: [{ ...duplicate, ports: [{}] }] } }],
  ['PUT', `${pods}/p`, { ...pod, spec: { containers: [{ name: 'c', image: 'y', env: [{ name: 'B' }] }] } }],
  ['PUT', `${pods}/p`, { ...pod, metadata: { name: 'p', labels: { a: 'b' } } }],
  ['PATCH', `${pods}/p/status`, { status: { phase: 'Running', conditions: [{ type: 'x' }] } }, 'merge-patch+json'],
  ['PATCH', `${pods}/p`, { metadata: { labels: { a: null, c: 'd' } } }, 'strategic-merge-patch+json'],
  ['PATCH', `${maps}/m?fieldManager=one`, map({ a: '1', b: '1' }), apply],
  ['PATCH', `${maps}/m?fieldManager=two`, map({ a: '2' }), apply],
  ['PATCH', `${maps}/m?fieldManager=two&force=true`, map({ a: '2' }), apply],
  ['PATCH', `${maps}/m?fieldManager=one`, map({ b: '2' }), apply],
  ['PATCH', `${pods}/p?fieldManager=one`, { ...pod, apiVersion: 'v1', kind: 'Pod', spec: { containers: [{}] } }, apply],
  ['POST', boats, boat(0)],
  ['POST', boats, boat(1)],
  ['PUT', `${boats}/b`, boat(3)],
  ['PATCH', `${boats}/b`, { spec: { oars: -1 } }, 'merge-patch+json'],
  ['PATCH', `${boats}/b/status`, { status: { at: 'sea' } }, 'merge-patch+json'],
];

let server: TestServer;
let url: string;
beforeAll(async () => {
  // The time stands still: owners of fields are ordered by the time of their writes.
  const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 1) };
  server = await startTestServer({ clock, namespaces: ['small', 'large'] });
  url = (await server.listen({ port: 0 })).url;
  await server.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
  await vi.waitUntil(() => server.server.kinds.byResource('sea.test', 'v1', 'boats'));
});
afterAll(() => server.stop());

async function answer(namespace: string, pad: string, [method, path, body, type = 'json']: (typeof requests)[number]) {
  const response = await fetch(`${url}${path.replace('NS', namespace)}`, {
    method,
    headers: { 'content-type': `application/${type}` },
    body: JSON.stringify(body) + pad,
  });
  const text = JSON.stringify(await response.json(), (key, value) =>
    ['uid', 'resourceVersion', 'creationTimestamp', 'time', 'namespace'].includes(key) ? undefined : value,
  );
  return { code: response.status, warnings: response.headers.get('warning'), text };
}

test.each(requests.map((request) => ({ request })))(
  '$request.0 $request.1 alike when large, %#',
  async ({ request }) => {
    const small = await answer('small', '', request);
    expect(await answer('large', padding, request)).toEqual(small);
    expect(small.code).not.toBe(500);
  },
);

test('objects are validated by a changed definition', async () => {
  const [version] = crd.spec.versions;
  const spec = { ...crd.spec, versions: [{ ...version, schema: structuredClone(version.schema) }] };
  spec.versions[0].schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'][0].rule = 'self.oars > 7';
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/boats.sea.test';
  await server.call('PATCH', path, { spec }, { contentType: 'application/merge-patch+json' });
  const patched = async (oars: number) => {
    const request = ['PATCH', `${boats}/b`, { spec: { oars } }, 'merge-patch+json'] as const;
    return (await answer('large', padding, request)).code;
  };
  await expect.poll(() => patched(5)).toBe(422);
  expect(await patched(8)).toBe(200);
});

test('a failed task is a response, and the thread continues', async () => {
  const thread = new TaskThread<object, Answer>('object-worker');
  const task = { group: '', version: 'v1', resource: 'pods', job: { type: 'validate', subresource: '' } };
  expect(await thread.run({ ...task, resource: 'none', next: '{}' })).toMatchObject({ type: 'failed' });
  expect(await thread.run({ ...task, next: '{' })).toMatchObject({ type: 'failed' });
  expect(await thread.run({ ...task, definition: 999, next: '{}' })).toEqual({ type: 'unknown definition' });
  expect(await thread.run({ ...task, next: JSON.stringify(pod) })).toMatchObject({ type: 'validated' });
});
