import { afterEach, expect, test } from 'vitest';
import { KindRegistry } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { Fairness } from '../fairness/fairness.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import { limit } from './limit.ts';

const reply: Reply = { type: 'raw', code: 200, contentType: '', body: '' };
const clock = new VirtualClock();
const metrics = new Metrics();
const serverOf = () => ({
  clock,
  fairness: new Fairness(clock, metrics),
  metrics,
  kinds: new KindRegistry(),
  cache: { loaded: () => undefined },
});
const ends: (() => void)[] = [];
afterEach(() => ends.splice(0));

function ask(server: object, over: Partial<ApiRequest> & { url?: string } = {}) {
  const { url = '/api/v1/namespaces/default/pods', method = 'GET', ...more } = over;
  const [path, query] = url.split('?');
  const search = new URLSearchParams(query);
  const request = {
    server,
    method,
    path,
    query: search,
    info: requestInfo(method, path as string, search),
    user: { name: 'ann', groups: ['system:authenticated'] },
    signal: new AbortController().signal,
    connection: { remoteAddress: '' },
    ...more,
  } as unknown as ApiRequest;
  let isRunning = false;
  const answer = limit(request, async () => {
    isRunning = true;
    await new Promise<void>((end) => ends.push(end));
    return reply;
  });
  return { request, answer, isRunning: () => isRunning };
}

test('requests get seats, and name their flow', () => {
  const { request, isRunning } = ask(serverOf());
  expect([isRunning(), request.flow]).toEqual([true, { schemaUid: undefined, levelUid: undefined }]);
});

test('requests beyond the seats get Retry-After', async () => {
  const server = serverOf();
  // Without any configuration everything is of the level catch-all, which has all seats and no queue.
  const all = Array.from({ length: 601 }, () => ask(server));
  expect(all.filter(({ isRunning }) => isRunning())).toHaveLength(600);
  expect(await all[600]?.answer).toMatchObject({
    code: 429,
    headers: { 'Retry-After': '1' },
    body: 'Too many requests, please try again later.\n',
  });
  ends.shift()?.();
  await all[0]?.answer;
  expect(ask(server).isRunning()).toBe(true);
});

test.each([
  { case: 'administrators', over: { user: { name: 'admin', groups: ['system:masters'] } } },
  { case: 'reads of components in this process', over: { connection: undefined } },
  { case: 'logs that are followed', over: { url: '/api/v1/namespaces/default/pods/x/log?follow=true' } },
])('$case are not limited', ({ over }) => {
  const server = serverOf();
  const all = Array.from({ length: 1_000 }, () => ask(server, over as never));
  expect(all.every(({ isRunning }) => isRunning())).toBe(true);
});

test('components of this process write 64 at a time, and take turns', async () => {
  const server = serverOf();
  const own = (name: string) =>
    ask(server, { method: 'POST', connection: undefined, user: { name, groups: [] } } as never);
  const flood = Array.from({ length: 200 }, () => own('flood'));
  const quiet = [own('quiet'), own('quiet')];
  expect(flood.filter(({ isRunning }) => isRunning())).toHaveLength(64);
  for (let i = 0; i < 4; i++) {
    ends.shift()?.();
    await new Promise((turn) => setImmediate(turn));
  }
  expect(quiet.map(({ isRunning }) => isRunning())).toEqual([true, true]);
});
