// Attacks by answers that are large, in forms that no cache has, as in attacks.test.ts: they need a right to read.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const mostMegabytes = 300;
const attempts = 4;

let server: AttackedServer;
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

beforeAll(async () => {
  server = await startAttackedServer();
  const create = async (path: string, body: object) =>
    expect((await server.send('POST', path, JSON.stringify(body))).code).toBe(201);
  await create(maps, {
    metadata: { name: 'wide' },
    data: Object.fromEntries(many(40_000, (i) => [`k${i}`, `- ${i}: #`])),
  });
  await create(maps, { metadata: { name: 'long' }, data: { text: 'a: \u0001\n'.repeat(120_000) } });
  await create(pods, {
    metadata: { name: 'wide' },
    spec: { containers: many(10_000, (i) => ({ name: `c${i}`, image: 'x' })) },
  });
  const annotations = { a: 'x'.repeat(200_000) };
  for (let i = 0; i < 100; i++) await create(maps, { metadata: { name: `m${i}`, annotations } });
});
afterAll(() => server.stop());

const form = (as: string) => `application/json;as=${as};v=v1;g=meta.k8s.io`;
const get = (path: string, accept: string) => () => server.send('GET', path, undefined, undefined, { accept });
const atOnce = (count: number, one: () => Promise<Answer>) => async () => (await Promise.all(many(count, one)))[0];

test.each<[attack: string, run: () => Promise<Answer>]>([
  ['a map of forty thousand keys as YAML', get(`${maps}/wide`, 'application/yaml')],
  ['a text of a hundred thousand lines as YAML', get(`${maps}/long`, 'application/yaml')],
  ['a pod of ten thousand containers as YAML', get(`${pods}/wide`, 'application/yaml')],
  ['a list with one long pod as YAML', get(pods, 'application/yaml')],
  ['metadata of twenty megabytes, ten at once', atOnce(10, get(maps, form('PartialObjectMetadataList')))],
  ['tables of twenty megabytes, ten at once', atOnce(10, get(maps, form('Table')))],
  ['thirty schemas of megabytes at once', atOnce(30, get('/openapi/v2', 'application/json'))],
])('%s', async (_, run) => {
  for (let attempt = 1; ; attempt++) {
    const { code, waitMs, megabytes } = await server.measured(run);
    expect(code).toBe(200);
    if (waitMs < longestWaitMs && megabytes < mostMegabytes) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(mostMegabytes);
  }
});
