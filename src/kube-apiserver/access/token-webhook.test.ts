import { afterEach, describe, expect, test } from 'vitest';
import { mustBeClear, mutatedText } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { startRemote, type TestRemote } from './test-remote.ts';
import { tokenWebhook } from './token-webhook.ts';

let remote: TestRemote | undefined;
afterEach(() => remote?.stop());

const clock = new VirtualClock();
async function start(answer: Parameters<typeof startRemote>[0]) {
  remote = await startRemote(answer);
  const webhook = tokenWebhook({ server: { url: remote.url, token: 'mine' }, clock });
  return { remote, enter: (token: string, audiences: string[] = []) => webhook.authenticateToken?.(token, audiences) };
}
const status = (of: object) => ({
  text: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status: of }),
});
const ann = { username: 'ann', uid: '1', groups: ['dev'], extra: { scope: ['a'] } };
/** Lets retries wait in virtual time while the server answers in real time. */
async function settled<T>(promise: Promise<T> | undefined): Promise<PromiseSettledResult<T | undefined>> {
  let done = false;
  const result = Promise.allSettled([promise]).then(([first]) => {
    done = true;
    return first;
  });
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(100);
  }
  return result as Promise<PromiseSettledResult<T | undefined>>;
}

describe('token webhook', () => {
  test('sends a TokenReview, and caches the response for two minutes', async () => {
    const { remote, enter } = await start(() => status({ authenticated: true, user: ann }));
    const user = { name: 'ann', uid: '1', groups: ['dev', 'system:authenticated'], extra: { scope: ['a'] } };
    expect(await enter('t', ['api'])).toEqual(user);
    expect(await enter('t', ['api'])).toEqual(user);
    expect(remote.asked).toEqual([
      {
        path: '/ask',
        authorization: 'Bearer mine',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 't', audiences: ['api'] } },
      },
    ]);
    await clock.advance(120_000);
    await enter('t', ['api']);
    expect(remote.asked).toHaveLength(2);
  });

  test.each([
    { case: 'an unknown token', status: { authenticated: false }, user: undefined },
    { case: 'other audiences', status: { authenticated: true, user: ann, audiences: ['other'] }, user: undefined },
    { case: 'a matching audience', status: { authenticated: true, user: ann, audiences: ['api'] }, user: 'ann' },
  ])('$case: $user', async ({ status: of, user }) => {
    const { enter } = await start(() => status(of));
    expect((await enter('t', ['api']))?.name).toBe(user);
  });

  test.each([
    { case: 'an error', answer: status({ authenticated: false, error: 'token is revoked' }), why: 'token is revoked' },
    { case: 'no user', answer: status({ authenticated: true }), why: 'the webhook named no user' },
    { case: 'no JSON', answer: { text: '<html>' }, why: /^webhook: / },
    { case: 'no status', answer: { text: '{}' }, why: 'webhook: the answer has no status' },
    { case: 'null', answer: { text: 'null' }, why: 'webhook: the answer has no status' },
    ...[
      { of: { authenticated: 'false', user: ann }, why: 'status.authenticated must be a boolean' },
      { of: { authenticated: 1, user: ann }, why: 'status.authenticated must be a boolean' },
      { of: { authenticated: true, user: 'ann' }, why: 'status.user must be an object' },
      { of: { authenticated: true, user: { username: ['ann'] } }, why: 'status.user.username must be a string' },
      {
        of: { authenticated: true, user: { ...ann, groups: 'system:masters' } },
        why: 'status.user.groups must be a list of strings',
      },
      {
        of: { authenticated: true, user: { ...ann, groups: [['system:masters']] } },
        why: 'status.user.groups must be a list of strings',
      },
      {
        of: { authenticated: true, user: { ...ann, extra: { scope: 'a' } } },
        why: 'status.user.extra must be a map of lists of strings',
      },
      { of: { authenticated: true, user: ann, audiences: 'api' }, why: 'status.audiences must be a list of strings' },
    ].map(({ of, why }) => ({
      case: JSON.stringify(of),
      answer: status(of),
      why: `webhook: the answer is invalid: ${why}`,
    })),
    { case: 'a refusal', answer: { code: 403, text: '' }, why: 'webhook: the server answered 403' },
    { case: 'a huge answer', answer: { text: ' '.repeat(2 << 20) }, why: /longer than/ },
  ])('$case is a 401 with its reason', async ({ answer, why }) => {
    const { enter } = await start(() => answer);
    const result = await settled(enter('t'));
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 401 } });
    expect((result as PromiseRejectedResult).reason.why).toMatch(why);
  });

  test('ignores fields that it does not know', async () => {
    const { enter } = await start(() => status({ authenticated: true, user: { ...ann, age: 7 }, more: {} }));
    expect((await enter('t'))?.name).toBe('ann');
  });

  test('is retried when it fails, five times at most', async () => {
    const { remote, enter } = await start((_, count) =>
      count < 4 ? { code: 503, text: '' } : status({ authenticated: true, user: ann }),
    );
    expect(await settled(enter('t'))).toMatchObject({ status: 'fulfilled', value: { name: 'ann' } });
    expect(remote.asked).toHaveLength(4);
    const down = await start(() => ({ code: 500, text: '' }));
    expect(await settled(down.enter('t'))).toMatchObject({ reason: { why: 'webhook: the server answered 500' } });
    expect(down.remote.asked).toHaveLength(5);
    await remote.stop();
  });
});

test('any answer of the webhook names a user, none, or is refused with a clear reason', async () => {
  let text = '';
  remote = await startRemote(() => ({ text }));
  const user = { username: 'ann', uid: '1', groups: ['dev'], extra: { scope: ['a'] } };
  const sample = { status: { authenticated: true, user, audiences: ['a'], error: '' } };
  await fc.assert(
    fc.asyncProperty(mutatedText(sample), async (answer) => {
      text = answer;
      const webhook = tokenWebhook({ server: { url: remote!.url }, clock });
      const found = await webhook.authenticateToken?.('t', ['a']).catch((error: { code: number; why: string }) => {
        expect(error.code).toBe(401);
        mustBeClear(error.why);
      });
      if (!found) return;
      expect(found.name.length).toBeGreaterThan(0);
      expect(found.groups.every((group) => typeof group === 'string')).toBe(true);
      for (const values of Object.values(found.extra ?? {}))
        expect(values.every((value) => typeof value === 'string')).toBe(true);
    }),
    { numRuns: 400 },
  );
});
