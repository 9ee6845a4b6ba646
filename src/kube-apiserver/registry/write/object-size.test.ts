// Objects stay within a size, however many patches add to them: each of these adds less than a request may have.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { pod, startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const most = 4 << 20;
const addedBytes = 1 << 20;
const text = 'x'.repeat(addedBytes);
const pods = '/api/v1/namespaces/default/pods';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const endpoints = '/api/v1/namespaces/default/endpoints';
const template = { metadata: { labels: { a: 'b' } }, spec: pod('x').spec };
const deployment = { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } };
const subset = { addresses: [{ ip: '10.0.0.1', hostname: 'a' }], ports: [{ name: 'p', port: 1 }] };

test.each<{
  by: string;
  create: [path: string, object: object];
  path: string;
  type: string;
  patch: (i: number) => object;
}>([
  {
    by: 'strategic merge patches of a status',
    create: [deployments, deployment],
    path: `${deployments}/d/status`,
    type: 'strategic-merge-patch+json',
    patch: (i) => ({ status: { conditions: [{ type: `T${i}`, status: 'True', message: text }] } }),
  },
  {
    by: 'ephemeral containers',
    create: [pods, pod('p')],
    path: `${pods}/p/ephemeralcontainers`,
    type: 'strategic-merge-patch+json',
    patch: (i) => ({ spec: { ephemeralContainers: [{ name: `e${i}`, image: 'x', command: [text] }] } }),
  },
  {
    by: 'copies',
    create: [endpoints, { metadata: { name: 'c' }, subsets: Array(100).fill(subset) }],
    path: `${endpoints}/c`,
    type: 'json-patch+json',
    patch: () => Array.from({ length: 9_000 }, () => ({ op: 'copy', from: '/subsets/0', path: '/subsets/-' })),
  },
])('an object that grows by $by', async ({ create: [collection, object], path, type, patch }) => {
  const { body } = await server.call('POST', collection, object);
  const whole = `${collection}/${body.metadata.name}`;
  let code = 200;
  let refusal = '';
  for (let i = 0; i < 12 && code === 200; i++) {
    const answer = await server.call('PATCH', path, patch(i), { contentType: `application/${type}` });
    code = answer.code;
    refusal = answer.body.message;
    expect(JSON.stringify((await server.call('GET', whole)).body).length).toBeLessThanOrEqual(most);
  }
  expect(refusal).toMatch(/request is too large|takes more memory/);
});
