import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../machinery/logger.ts';
import { mustBeClear, mutatedText } from '../../../machinery/test-mutated.ts';
import fc from '../../../machinery/test-property.ts';
import { VirtualClock } from '../../../machinery/time/clock.ts';
import type { Attributes } from '../authorization.ts';
import type { AuthorizationWebhookConfiguration } from '../authorization-configuration.ts';
import { startRemote, type TestRemote } from '../test-remote.ts';
import { authorizationWebhook } from './webhook.ts';

let remote: TestRemote | undefined;
afterEach(() => remote?.stop());
const clock = new VirtualClock();

async function start(status: object | string, over: Partial<AuthorizationWebhookConfiguration> = {}) {
  remote = await startRemote(() => ({
    ...(typeof status === 'string' && { code: 403 }),
    text: typeof status === 'string' ? status : JSON.stringify({ status }),
  }));
  const configuration: AuthorizationWebhookConfiguration = {
    timeout: '3s',
    subjectAccessReviewVersion: 'v1',
    failurePolicy: 'NoOpinion',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/x' },
    ...over,
  };
  const server = { url: remote.url };
  return {
    remote,
    webhook: authorizationWebhook({ name: 'hook', configuration, server, clock, logger: silentLogger }),
  };
}

const attributes = (over: Partial<Attributes> = {}): Attributes => ({
  user: { name: 'ann', uid: '1', groups: ['dev'], extra: { scope: ['a'] } },
  isResource: true,
  path: '/api/v1/namespaces/default/pods',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: '',
  rest: '',
  ...over,
});
const resourceAttributes = {
  namespace: 'default',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  name: '',
};
const who = { user: 'ann', uid: '1', groups: ['dev'], extra: { scope: ['a'] } };

describe('authorization webhook', () => {
  test('sends a SubjectAccessReview, selectors included', async () => {
    const { remote, webhook } = await start({ allowed: true, reason: 'fine' });
    const fieldSelector = [{ field: 'spec.nodeName', operator: '=' as const, value: 'n1' }];
    const labelRequirements = async () => [{ key: 'app', operator: 'Exists' as const, values: [] }];
    expect(await webhook.authorize(attributes({ fieldSelector, labelRequirements }))).toEqual({
      decision: 'allow',
      reason: 'fine',
    });
    expect(remote.asked[0].body).toEqual({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        ...who,
        resourceAttributes: {
          ...resourceAttributes,
          fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n1'] }] },
          labelSelector: { requirements: [{ key: 'app', operator: 'Exists' }] },
        },
      },
    });
  });

  test('sends a path, in the beta version with another field for groups', async () => {
    const { remote, webhook } = await start({ allowed: false }, { subjectAccessReviewVersion: 'v1beta1' });
    await webhook.authorize(attributes({ isResource: false, path: '/healthz', verb: 'get' }));
    const { groups, ...others } = who;
    expect(remote.asked[0].body).toMatchObject({
      apiVersion: 'authorization.k8s.io/v1beta1',
      spec: { ...others, group: groups, nonResourceAttributes: { path: '/healthz', verb: 'get' } },
    });
  });

  test.each([
    { status: { allowed: true }, decision: 'allow' },
    { status: { allowed: false }, decision: 'no-opinion' },
    { status: { allowed: false, denied: true, reason: 'no' }, decision: 'deny', reason: 'no' },
    { status: { allowed: true, denied: true }, decision: 'deny' },
  ])('$status is $decision', async ({ status, decision, reason }) => {
    const { webhook } = await start(status);
    expect(await webhook.authorize(attributes())).toEqual({ decision, ...(reason && { reason }) });
  });

  test.each([
    { failurePolicy: 'NoOpinion' as const, decision: 'no-opinion' },
    { failurePolicy: 'Deny' as const, decision: 'deny' },
  ])('that fails has $decision with failurePolicy $failurePolicy', async ({ failurePolicy, decision }) => {
    const { webhook } = await start('not for you', { failurePolicy });
    expect(await webhook.authorize(attributes())).toEqual({ decision });
  });

  test.each([
    { status: { allowed: 'false' } },
    { status: { allowed: 1 } },
    { status: { allowed: true, denied: 'false' } },
    { status: { allowed: true, reason: ['no'] } },
    { status: [] },
  ])('that responds with the status $status has failed', async ({ status }) => {
    const { webhook } = await start(status, { failurePolicy: 'Deny' });
    expect(await webhook.authorize(attributes())).toEqual({ decision: 'deny' });
  });

  test('remembers a yes for five minutes and a no for half a minute', async () => {
    const yes = await start({ allowed: true });
    await yes.webhook.authorize(attributes());
    await clock.advance(299_000);
    await yes.webhook.authorize(attributes());
    expect(yes.remote.asked).toHaveLength(1);
    await clock.advance(1_000);
    await yes.webhook.authorize(attributes());
    expect(yes.remote.asked).toHaveLength(2);
    await yes.remote.stop();
    const no = await start({ allowed: false });
    await no.webhook.authorize(attributes());
    await clock.advance(30_000);
    await no.webhook.authorize(attributes());
    expect(no.remote.asked).toHaveLength(2);
  });

  test('caches no response if disabled, and none for a huge request', async () => {
    const { remote, webhook } = await start({ allowed: true }, { cacheAuthorizedRequests: false });
    await webhook.authorize(attributes());
    await webhook.authorize(attributes());
    expect(remote.asked).toHaveLength(2);
    await remote.stop();
    const huge = await start({ allowed: true });
    for (let i = 0; i < 2; i++) await huge.webhook.authorize(attributes({ name: 'x'.repeat(10_000) }));
    expect(huge.remote.asked).toHaveLength(2);
  });
});

describe('match conditions', () => {
  const conditions = (...expressions: string[]) => ({
    matchConditions: expressions.map((expression) => ({ expression })),
  });
  test.each([
    { expressions: ["request.user == 'ann'"], asked: true },
    { expressions: ["'ops' in request.groups"], asked: false },
    {
      expressions: ["has(request.resourceAttributes) && request.resourceAttributes.namespace == 'default'"],
      asked: true,
    },
    { expressions: ['has(request.nonResourceAttributes)'], asked: false },
    { expressions: ["request.extra['scope'].exists(s, s == 'a')"], asked: true },
    { expressions: ["request.extra['none'][0] == 'a'", "request.user == 'bob'"], asked: false },
  ])('$expressions: $asked', async ({ expressions, asked }) => {
    const { remote, webhook } = await start({ allowed: true }, conditions(...expressions));
    const { decision } = await webhook.authorize(attributes());
    expect([remote.asked.length > 0, decision]).toEqual([asked, asked ? 'allow' : 'no-opinion']);
  });

  test.each([
    { failurePolicy: 'NoOpinion' as const, decision: 'no-opinion' },
    { failurePolicy: 'Deny' as const, decision: 'deny' },
  ])('one that fails is $decision with failurePolicy $failurePolicy', async ({ failurePolicy, decision }) => {
    const { remote, webhook } = await start(
      { allowed: true },
      { ...conditions("request.extra['none'][0] == 'a'"), failurePolicy },
    );
    expect(await webhook.authorize(attributes())).toEqual({ decision });
    expect(remote.asked).toEqual([]);
  });
});

test('any answer of the webhook is a decision, or counts as a failure', async () => {
  let text = '';
  remote = await startRemote(() => ({ text }));
  const sample = { status: { allowed: true, denied: false, reason: 'fine', evaluationError: '' } };
  const configuration: AuthorizationWebhookConfiguration = {
    timeout: '3s',
    subjectAccessReviewVersion: 'v1',
    failurePolicy: 'Deny',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/x' },
  };
  const server = { url: remote.url };
  await fc.assert(
    fc.asyncProperty(mutatedText(sample), async (answer) => {
      text = answer;
      const webhook = authorizationWebhook({ name: 'hook', configuration, server, clock, logger: silentLogger });
      const { decision, reason = '' } = await webhook.authorize(attributes());
      expect(['allow', 'deny', 'no-opinion']).toContain(decision);
      expect(typeof reason).toBe('string');
      if (decision === 'allow') expect(JSON.parse(answer).status.allowed).toBe(true);
      if (reason !== '' && decision === 'deny') mustBeClear(`the reason: ${reason}`);
    }),
    { numRuns: 400 },
  );
});
