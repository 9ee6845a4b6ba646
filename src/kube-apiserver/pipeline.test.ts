import { expect, test } from 'vitest';
import { run } from './pipeline.ts';
import { type Reply, textReply } from './request/reply.ts';
import type { ApiRequest, Stage } from './request/request.ts';

const request = {} as ApiRequest;
const answer: Stage = async () => textReply(200, 'ok');

test('stages run in the order of the list, each around those behind it', async () => {
  const seen: string[] = [];
  const around =
    (name: string): Stage =>
    async (_, next) => {
      seen.push(`${name} begins`);
      const reply = await next();
      seen.push(`${name} ends`);
      return reply;
    };
  expect(await run(request, [around('a'), around('b'), answer])).toMatchObject({ code: 200 });
  expect(seen).toEqual(['a begins', 'b begins', 'b ends', 'a ends']);
});

test.each<[string, (next: () => Promise<Reply>) => Promise<unknown>]>([
  ['one after the other', (next) => next().then(next)],
  ['at the same time', async (next) => Promise.all([next(), next()])],
])('a second call of next, %s, is refused', async (_, goOn) => {
  let handled = 0;
  const careless: Stage = async (__, next) => goOn(next) as Promise<Reply>;
  const handler: Stage = async (one, next) => {
    handled++;
    return answer(one, next);
  };
  await expect(run(request, [careless, handler])).rejects.toThrow('stage careless went on twice');
  expect(handled).toBe(1);
});

test('a stage that failed behind one cannot be tried again by it', async () => {
  const failing: Stage = () => Promise.reject(new Error('the handler failed'));
  const stubborn: Stage = (_, next) => next().catch(next);
  await expect(run(request, [stubborn, failing])).rejects.toThrow('stage stubborn went on twice');
});
