// The times of the past are for users who may list and watch.

import { expect, test } from 'vitest';
import type { Client } from '../client/client.ts';
import { insight } from './insights.ts';

test.each([
  ['refusals', true],
  ['refusals', false],
  ['deletions', true],
  ['deletions', false],
] as const)('%s are for users who may get their path: %j', async (sort, allowed) => {
  const insights: any = { [sort]: (place: object) => [place] };
  const create = async (_: string, { spec }: any) => {
    expect(spec.nonResourceAttributes).toEqual({ verb: 'get', path: `/console/insights/${sort}` });
    return { status: { allowed } };
  };
  const clientFor = () => ({ create }) as unknown as Client;
  const query = new URLSearchParams('group=apps&namespace=a&name=');
  const { code, body } = await insight(
    { clientFor, insights },
    { name: 'jane', groups: [] },
    `/insights/${sort}`,
    query,
  );
  expect(code).toBe(allowed ? 200 : 403);
  if (allowed) expect(JSON.parse(String(body))).toEqual({ [sort]: [{ group: 'apps', namespace: 'a', name: '' }] });
});

const asked: { place: object; atMs: number | undefined }[] = [];
const answer = (
  allowed: (attributes: any) => boolean,
  text: string,
  found: object | null = { marks: [] },
  path = '/insights/history',
) =>
  insight(
    {
      clientFor: () =>
        ({
          create: async (resource: string, review: any) => {
            expect(resource).toBe('selfsubjectaccessreviews');
            return { status: { allowed: allowed(review.spec.resourceAttributes) } };
          },
        }) as unknown as Client,
      insights: {
        decision: () => undefined,
        trace: () => [],
        refusals: (place) => [place],
        deletions: () => [],
        usage: () => [{ name: 'n1' }],
        async history(place, atMs) {
          asked.push({ place, atMs });
          return found ?? undefined;
        },
      },
    },
    { name: 'jane', groups: [] },
    path,
    new URLSearchParams(text),
  );

test.each([
  { case: 'all rights', allowed: () => true, code: 200 },
  { case: 'no rights', allowed: () => false, code: 403 },
  { case: 'no watch', allowed: ({ verb }: any) => verb === 'list', code: 403 },
  { case: 'no list', allowed: ({ verb }: any) => verb === 'watch', code: 403 },
  { case: 'another namespace', allowed: ({ namespace }: any) => namespace === 'b', code: 403 },
  { case: 'the name', allowed: ({ name, namespace }: any) => name === 'x' && namespace === 'a', code: 200 },
  { case: 'another group', allowed: ({ group }: any) => group === '', code: 403 },
])('with $case: $code', async ({ allowed, code }) => {
  asked.length = 0;
  const { code: found } = await answer(allowed, 'group=apps&resource=deployments&namespace=a&name=x&at=5');
  expect(found).toBe(code);
  const place = { group: 'apps', resource: 'deployments', namespace: 'a', name: 'x' };
  expect(asked).toEqual(code === 200 ? [{ place, atMs: 5 }] : []);
});

test('a resource without a past, and requests without sense', async () => {
  expect((await answer(() => true, 'resource=pods', null)).code).toBe(404);
  expect((await answer(() => true, '')).code).toBe(400);
  expect((await answer(() => true, 'resource=pods&at=soon')).code).toBe(400);
});

test.each([
  { case: 'nodes with the right', allowed: () => true, text: 'resource=nodes', code: 200 },
  { case: 'nodes without it', allowed: ({ resource }: any) => resource !== 'nodes', text: 'resource=nodes', code: 403 },
  {
    case: 'pods of a namespace',
    allowed: ({ namespace }: any) => namespace === 'a',
    text: 'resource=pods&namespace=a',
    code: 200,
  },
  {
    case: 'pods of all namespaces',
    allowed: ({ namespace }: any) => namespace === 'a',
    text: 'resource=pods',
    code: 403,
  },
  { case: 'the core group alone', allowed: ({ group }: any) => group === '', text: 'resource=pods', code: 403 },
])('usage of $case: $code', async ({ allowed, text, code }) =>
  expect((await answer(allowed, text, null, '/insights/usage')).code).toBe(code),
);
