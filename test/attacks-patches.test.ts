// Attacks by patches, as in attacks.test.ts: they need the right to change one object.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const mostMegabytes = 300;
const attempts = 4;

let server: AttackedServer;
const map = '/api/v1/namespaces/default/configmaps/wide';
const deployment = '/apis/apps/v1/namespaces/default/deployments/wide';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const fields = (count: number, name: string, value: unknown) =>
  Object.fromEntries(many(count, (i) => [name + i, value]));
const data = fields(60_000, 'k', 'v');
const containers = (count: number, more: object) => many(count, (i) => ({ name: `c${i}`, ...more }));
const podTemplate = (spec: object) => ({ spec: { template: { spec } } });

beforeAll(async () => {
  server = await startAttackedServer();
  const create = async (path: string, body: object) => {
    const whole = JSON.stringify({ metadata: { name: 'wide' }, ...body });
    expect((await server.send('POST', path.slice(0, path.lastIndexOf('/')), whole)).code).toBe(201);
  };
  await create(map, { data });
  const labels = { a: 'b' };
  const spec = { containers: containers(5_000, { image: 'x' }) };
  await create(deployment, { spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } });
});
afterAll(() => server.stop());

test.each<[attack: string, code: number, path: string, form: string, patch: () => object]>([
  ['a hundred thousand keys to remove', 200, map, 'merge', () => ({ data: fields(100_000, 'k', null) })],
  [
    'a test of sixty thousand keys',
    200,
    map,
    'json',
    () => many(2, () => ({ op: 'test', path: '/data', value: data })),
  ],
  [
    'copies that add up',
    422,
    map,
    'json',
    () => many(2_000, (i) => ({ op: 'copy', from: '/data', path: `/x${i % 2}` })),
  ],
  [
    'moves of sixty thousand keys',
    200,
    map,
    'json',
    () => many(4_000, (i) => ({ op: 'move', from: i % 2 ? '/x' : '/data', path: i % 2 ? '/data' : '/x' })),
  ],
  [
    'sixty thousand containers of five thousand names',
    200,
    deployment,
    'strategic-merge',
    () => podTemplate({ containers: many(60_000, (i) => ({ name: `c${i % 5_000}`, image: 'y' })) }),
  ],
  [
    'an order of fifty thousand unknown names',
    200,
    deployment,
    'strategic-merge',
    () => podTemplate({ '$setElementOrder/containers': many(50_000, (i) => ({ name: `u${i}` })) }),
  ],
  [
    'a scale of a hundred thousand fields',
    200,
    `${deployment}/scale`,
    'merge',
    () => ({ metadata: { annotations: fields(50_000, 'k', 'v') }, status: fields(50_000, 'z', 1) }),
  ],
])('%s', async (_, code, path, form, patch) => {
  const body = JSON.stringify(patch());
  for (let attempt = 1; ; attempt++) {
    const { waitMs, megabytes, ...answer } = await server.measured(() =>
      server.send('PATCH', `${path}?dryRun=All`, body, `${form}-patch+json`),
    );
    expect(answer.code, answer.text.slice(0, 300)).toBe(code);
    if (waitMs < longestWaitMs && megabytes < mostMegabytes) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(mostMegabytes);
  }
});
