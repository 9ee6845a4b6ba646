// Attacks on the admission of others' objects, as in attacks.test.ts: by a limit range, a policy and webhooks.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const attempts = 3;

let server: AttackedServer;
beforeAll(async () => {
  server = await startAttackedServer({ hasAdmission: true });
  for (const namespace of ['limits', 'policy', 'hooks']) {
    const metadata = { name: namespace, labels: { attack: namespace } };
    await server.send('POST', '/api/v1/namespaces', JSON.stringify({ metadata }));
  }
});
afterAll(() => server.stop());

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const fields = (count: number, name: string, value: unknown) =>
  Object.fromEntries(many(count, (i) => [name + i, value]));
const chosen = (attack: string) => ({ namespaceSelector: { matchLabels: { attack } } });
const configMaps = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };

async function create(path: string, object: object): Promise<void> {
  const { code, text } = await server.send('POST', path, JSON.stringify(object));
  expect(code, text).toBe(201);
}

async function isHarmless(path: string, object: object, code: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const send = () => server.send('POST', `${path}?dryRun=All`, JSON.stringify(object));
    const { waitMs, megabytes, ...answer } = await server.measured(send);
    expect(answer.code, answer.text.slice(0, 300)).toBe(code);
    if (waitMs < longestWaitMs && megabytes < 300) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(300);
  }
}

test('a limit range with thousands of defaults', async () => {
  const limits = [{ type: 'Container', default: fields(4_000, 'x.y/a', '1') }];
  await create('/api/v1/namespaces/limits/limitranges', { metadata: { name: 'l' }, spec: { limits } });
  const spec = { containers: [{ name: 'c', image: 'x' }] };
  await isHarmless('/api/v1/namespaces/limits/pods', { metadata: { name: 'p' }, spec }, 201);
});

test('a policy that compares maps in a loop', async () => {
  const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
  const validations = [{ expression: 'object.data.all(k, object.data == object.data)' }];
  const resourceRules = [{ ...configMaps, operations: ['CREATE'] }];
  await create(policies, { metadata: { name: 'a' }, spec: { validations, matchConstraints: { resourceRules } } });
  const binding = { policyName: 'a', validationActions: ['Deny'], matchResources: chosen('policy') };
  await create(policies.replace('policies', 'policybindings'), { metadata: { name: 'a' }, spec: binding });
  const path = '/api/v1/namespaces/policy/configmaps';
  const odd = JSON.stringify({ metadata: { name: 'n' }, data: fields(20_000, 'k', 'v') });
  await expect.poll(async () => (await server.send('POST', `${path}?dryRun=All`, odd)).code).toBe(422);
  await isHarmless(path, { metadata: { name: 'm' }, data: fields(3_000, 'k', 'v') }, 201);
});

test('hundreds of webhooks with a large object', async () => {
  const webhooks = many(200, (i) => ({
    name: `w${i}.example.com`,
    clientConfig: { url: 'https://127.0.0.1:1/' },
    rules: [{ ...configMaps, operations: ['CREATE'] }],
    ...{ failurePolicy: 'Ignore', sideEffects: 'None', admissionReviewVersions: ['v1'], ...chosen('hooks') },
  }));
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  await create(path, { metadata: { name: 'h' }, webhooks });
  const data = { a: 'x'.repeat(900_000) };
  await isHarmless('/api/v1/namespaces/hooks/configmaps', { metadata: { name: 'm' }, data }, 201);
});
