import { expect, test } from 'vitest';
import type { Reply } from '../reply.ts';
import type { ApiRequest } from '../request.ts';
import { limit } from './limit.ts';

const reply: Reply = { type: 'raw', code: 200, contentType: '', body: '' };

test.each([
  { case: 'reads over sockets', request: { connection: {}, verb: 'get' }, most: 400 },
  { case: 'writes over sockets', request: { connection: {}, verb: 'create' }, most: 200 },
  { case: 'writes of components in this process', request: { verb: 'patch' }, most: 64 },
  { case: 'reads of components in this process', request: { verb: 'list' }, most: 1_000 },
  { case: 'writes of the server itself', request: { verb: 'create', groups: ['system:masters'] }, most: 1_000 },
])('$case: $most at once, the others in turn, and nobody is forgotten', async ({ request: asked, most }) => {
  const { verb, groups = [], connection } = asked as { verb: string; groups?: string[]; connection?: object };
  const request = { server: {}, connection, info: { verb, subresource: '' }, user: { groups } };
  let now = 0;
  let seen = 0;
  const ends: (() => void)[] = [];
  const next = async () => {
    seen = Math.max(seen, ++now);
    await new Promise<void>((end) => ends.push(end));
    now--;
    return reply;
  };
  const all = Array.from({ length: 1_000 }, () => limit(request as unknown as ApiRequest, next));
  for (let ended = 0; ended < 1_000; ended++) {
    await new Promise<void>((turn) => setImmediate(turn));
    ends.shift()?.();
  }
  expect(await Promise.all(all)).toHaveLength(1_000);
  expect(seen).toBe(most);
});

test('a queue that is too long turns senders away', async () => {
  const request = { server: {}, connection: {}, info: { verb: 'create', subresource: '' }, user: { groups: [] } };
  const never = () => new Promise<Reply>(() => {});
  for (let i = 0; i < 2_200; i++) void limit(request as unknown as ApiRequest, never);
  await expect(limit(request as unknown as ApiRequest, never)).rejects.toMatchObject({ status: { code: 429 } });
});

test('users take turns, however much one of them has waiting', async () => {
  const server = {};
  const done: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (name: string) =>
    limit(
      {
        server,
        connection: {},
        info: { verb: 'create', subresource: '' },
        user: { name, groups: [] },
      } as unknown as ApiRequest,
      async () => {
        done.push(name);
        await new Promise<void>((end) => ends.push(end));
        return reply;
      },
    );
  for (let i = 0; i < 1_000; i++) void ask('flood');
  for (let i = 0; i < 3; i++) void ask('quiet');
  await new Promise<void>((turn) => setImmediate(turn));
  for (let ended = 0; ended < 8; ended++) {
    ends.shift()?.();
    await new Promise<void>((turn) => setImmediate(turn));
  }
  expect(done.slice(200)).toEqual(['flood', 'quiet', 'flood', 'quiet', 'flood', 'quiet', 'flood', 'flood']);
});
