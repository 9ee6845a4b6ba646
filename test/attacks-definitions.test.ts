// Attacks by definitions: small objects whose definition makes them take long, as in attacks.test.ts.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const mostMegabytes = 300;
const attempts = 4;

let server: AttackedServer;
const group = 'attack.test';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const any = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const listOf = (items: object) => ({ type: 'array', items });
let defined = 0;

beforeAll(async () => {
  server = await startAttackedServer();
});
afterAll(() => server.stop());

/** Path and kind of a new definition with this schema of `spec`. */
async function define(spec: object, version: object = {}): Promise<{ path: string; kind: string }> {
  const plural = `d${++defined}s`;
  const kind = `D${defined}`;
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  const versions = [{ name: 'v1', served: true, storage: true, schema, ...version }];
  const body = {
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope: 'Cluster', names: { plural, kind }, versions },
  };
  const answer = await server.send('POST', definitions, JSON.stringify(body));
  expect(answer.code, answer.text.slice(0, 300)).toBe(201);
  const path = `/apis/${group}/v1/${plural}`;
  await expect.poll(async () => (await server.send('GET', path)).code).toBe(200);
  return { path, kind };
}

async function isBounded(code: number, send: () => ReturnType<AttackedServer['send']>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { waitMs, megabytes, ...answer } = await server.measured(send);
    expect(answer.code, answer.text.slice(0, 300)).toBe(code);
    if (waitMs < longestWaitMs && megabytes < mostMegabytes) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(mostMegabytes);
  }
}

const wholeOf = (kind: string, spec: unknown) =>
  JSON.stringify({ apiVersion: `${group}/v1`, kind, metadata: { name: 'a' }, spec });
const nested = (rule: string) => ({
  ...listOf({ type: 'string', maxLength: 10 }),
  maxItems: 300,
  'x-kubernetes-validations': [{ rule }],
});

test.each<[attack: string, code: number, schema: object, spec: unknown]>([
  [
    'a hundred thousand values for each of thousands of items',
    201,
    listOf({ type: 'string', enum: many(100_000, (i) => `e${i}`) }),
    many(5_000, (i) => `e99${i % 999}`),
  ],
  [
    'four thousand alternatives for each of hundreds of items',
    422,
    listOf({ ...any, anyOf: many(4_000, (i) => ({ required: [`a${i}`] })) }),
    many(200, () => ({})),
  ],
  [
    'a pattern of thousands of nodes for a long text',
    201,
    { type: 'string', pattern: '^(x?x?x?x?x?x?x?x?x?x?){100}' },
    'x'.repeat(60_000),
  ],
  [
    'a rule that compares all items with all',
    201,
    nested('self.all(a, self.all(b, a == b || a != b))'),
    many(300, (i) => `x${i}`),
  ],
  [
    'defaults that make megabytes of nothing',
    413,
    listOf({
      type: 'object',
      properties: {
        a: { type: 'string', default: 'x'.repeat(40_000) },
      },
    }),
    many(5_000, () => ({})),
  ],
])('%s', async (_, code, schema, spec) => {
  const { path, kind } = await define(schema);
  await isBounded(code, () => server.send('POST', `${path}?dryRun=All`, wholeOf(kind, spec)));
});

test('stored objects are read again without the defaults that are too large for them', async () => {
  const { path, kind } = await define(listOf({ ...any }));
  expect(
    (
      await server.send(
        'POST',
        path,
        wholeOf(
          kind,
          many(2_000, () => ({})),
        ),
      )
    ).code,
  ).toBe(201);
  const name = `${path.split('/').at(-1)}.${group}`;
  const items = { ...any, properties: { a: { type: 'string', default: 'x'.repeat(20_000) } } };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: listOf(items) } } };
  const versions = [{ name: 'v1', served: true, storage: true, schema }];
  const patch = JSON.stringify({ spec: { versions } });
  expect((await server.send('PATCH', `${definitions}/${name}`, patch, 'merge-patch+json')).code).toBe(200);
  const read = () => server.send('GET', `${path}/a`);
  await expect.poll(async () => (await read()).text.length).toBeGreaterThan(20_000);
  await isBounded(200, read);
  expect((await read()).text.length).toBeLessThan(4 << 20);
});

test('columns that descend again and again', async () => {
  let deep: object = {};
  for (let i = 0; i < 600; i++) deep = { a: deep };
  const additionalPrinterColumns = [{ name: 'c', type: 'string', jsonPath: `.spec${'..a'.repeat(6)}` }];
  const { path, kind } = await define(any, { additionalPrinterColumns });
  expect((await server.send('POST', path, wholeOf(kind, deep))).code).toBe(201);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  await isBounded(200, () => server.send('GET', path, undefined, '', { accept }));
});

test('a definition of forty thousand fields', async () => {
  const properties = Object.fromEntries(many(40_000, (i) => [`p${i}`, { type: 'string' }]));
  let last = { path: '', kind: '' };
  await isBounded(200, async () => {
    last = await define({ type: 'object', properties });
    return server.send('GET', last.path);
  });
  for (const path of ['/openapi/v2', `/openapi/v3/apis/${group}/v1`])
    await isBounded(200, async () => {
      // Each change makes other documents.
      await define({ type: 'string' });
      return server.send('GET', path);
    });
  await isBounded(201, () => server.send('POST', `${last.path}?dryRun=All`, wholeOf(last.kind, { p1: 'x' })));
});

test('the index of thousands of versions', async () => {
  const schema = { openAPIV3Schema: { type: 'object' } };
  const versions = many(1_000, (i) => ({ name: `v${i + 1}`, served: true, storage: i === 0, schema }));
  const names = { plural: 'vs', kind: 'V' };
  const spec = { group: 'versions.test', scope: 'Cluster', names, versions };
  const body = JSON.stringify({ metadata: { name: 'vs.versions.test' }, spec });
  expect((await server.send('POST', definitions, body)).code).toBe(201);
  await expect.poll(async () => (await server.send('GET', '/apis/versions.test/v7/vs')).code).toBe(200);
  await isBounded(200, () => server.send('GET', '/openapi/v3'));
});

test('an expression whose constant part is too expensive is no internal error', async () => {
  const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['*'] };
  const spec = {
    validations: [{ expression: "'%.100000000f'.format([1.0]) == ''" }],
    matchConstraints: { resourceRules: [rule] },
  };
  await isBounded(201, () =>
    server.send('POST', `${policies}?dryRun=All`, JSON.stringify({ metadata: { name: 'p' }, spec })),
  );
});
