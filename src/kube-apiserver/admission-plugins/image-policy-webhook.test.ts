import { afterEach, describe, expect, test } from 'vitest';
import { startRemote, type TestRemote } from '../access/test-remote.ts';
import { admissionServer } from './test-admission.ts';

const { create, start } = admissionServer();
let remote: TestRemote | undefined;
afterEach(async () => {
  await remote?.stop();
  remote = undefined;
});

describe('ImagePolicyWebhook', () => {
  const policy = (defaultAllow: boolean, url = remote?.url ?? 'http://127.0.0.1:1') => ({
    configuration: {
      imagePolicy: { server: { url }, allowTtlMs: 60_000, denyTtlMs: 0, retryBackoffMs: 1, defaultAllow },
    },
  });

  test.each([
    ['allowed', { allowed: true }, 201, undefined],
    [
      'denied with a reason',
      { allowed: false, reason: 'too old' },
      403,
      'pods "p" is forbidden: image policy webhook backend denied one or more images: too old',
    ],
    ['denied', {}, 403, 'pods "p" is forbidden: one or more images rejected by webhook backend'],
  ])('%s', async (_, status, code, message) => {
    remote = await startRemote(() => ({ text: JSON.stringify({ status }) }));
    await start({ enabled: 'ImagePolicyWebhook', ...policy(false) });
    const annotations = { 'x.image-policy.k8s.io/ticket': '7', other: 'no' };
    const answer = await create('p', {}, { annotations });
    expect([answer.code, answer.body.message]).toEqual([code, message]);
    expect(remote.asked[0].body).toEqual({
      kind: 'ImageReview',
      apiVersion: 'imagepolicy.k8s.io/v1alpha1',
      spec: {
        containers: [{ image: 'registry.test/box:1' }],
        annotations: { 'x.image-policy.k8s.io/ticket': '7' },
        namespace: 'default',
      },
    });
  });

  test('an answer is remembered for its time', async () => {
    remote = await startRemote(() => ({ text: '{"status":{"allowed":true}}' }));
    const clock = await start({ enabled: 'ImagePolicyWebhook', ...policy(false) });
    await create('a');
    await create('b');
    expect(remote.asked).toHaveLength(1);
    await clock.advance(61_000);
    await create('c');
    expect(remote.asked).toHaveLength(2);
  });

  test.each([
    [true, 201],
    [false, 403],
  ])('a server that refuses the review, where failures are allowed: %s', async (defaultAllow, code) => {
    remote = await startRemote(() => ({ code: 400, text: '' }));
    await start({ enabled: 'ImagePolicyWebhook', ...policy(defaultAllow) });
    const answer = await create('p');
    expect(answer.code).toBe(code);
    expect(answer.body.metadata.annotations?.['alpha.image-policy.k8s.io/failed-open']).toBe(
      defaultAllow ? 'true' : undefined,
    );
  });
});
