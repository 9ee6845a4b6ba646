import { expect, test } from 'vitest';
import { limit } from './limit.ts';
import type { ApiRequest, Reply } from './request.ts';

const reply: Reply = { type: 'raw', code: 200, contentType: '', body: '' };

test('400 reads at once, the others in turn, and nobody is forgotten', async () => {
  const server = {};
  const request = { server, connection: {}, info: { verb: 'get', subresource: '' }, user: { groups: [] } };
  let now = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const next = async () => {
    most = Math.max(most, ++now);
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
  expect(most).toBe(400);
});

test('a queue that is too long turns senders away', async () => {
  const request = { server: {}, connection: {}, info: { verb: 'create', subresource: '' }, user: { groups: [] } };
  const never = () => new Promise<Reply>(() => {});
  for (let i = 0; i < 2_200; i++) void limit(request as unknown as ApiRequest, never);
  await expect(limit(request as unknown as ApiRequest, never)).rejects.toMatchObject({ status: { code: 429 } });
});
