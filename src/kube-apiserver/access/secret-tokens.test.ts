import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { serviceAccountTokens } from './service-account-tokens.ts';

const newKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const ns = '/api/v1/namespaces/default';
const clock = new VirtualClock();
let server: TestServer;
let client: Client;
let uid: string;

const signingKey = newKey();
const made = (key = signingKey) =>
  serviceAccountTokens({
    signingKey: key,
    issuer: 'https://issuer.test',
    clock,
    random: seededRandom(1),
    client: () => client,
  });
const tokens = made();

beforeAll(async () => {
  server = await startTestServer({ clock });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  uid = (await server.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'robot' } })).body.metadata.uid;
});
afterAll(() => server.stop());

const authenticate = async (token: string) => tokens.authenticator.authenticateToken?.(token, []);
const tokenFor = (name: string, serviceAccount = { name: 'robot', uid }, by = tokens) =>
  by.issuer.issueForSecret({ namespace: 'default', secret: name, serviceAccount });
const keep = (name: string, token: string, labels: object = {}) =>
  server.call('POST', `${ns}/secrets`, {
    metadata: { name, labels, annotations: { 'kubernetes.io/service-account.name': 'robot' } },
    type: 'kubernetes.io/service-account-token',
    data: { token: Buffer.from(token).toString('base64') },
  });
const failure = (token: string) =>
  authenticate(token).then(
    (user) => JSON.stringify(user),
    (error: Error & { why?: string }) => error.why ?? String(error),
  );

test('a token of a secret is good without end, and its use is noted once a day', async () => {
  const token = await tokenFor('good');
  await keep('good', token);
  const user = { name: 'system:serviceaccount:default:robot', uid };
  expect(await authenticate(token)).toMatchObject(user);
  const lastUsed = async () =>
    (await server.call('GET', `${ns}/secrets/good`)).body.metadata.labels['kubernetes.io/legacy-token-last-used'];
  expect(await lastUsed()).toBe('2026-01-01');
  const { resourceVersion } = (await server.call('GET', `${ns}/secrets/good`)).body.metadata;
  await authenticate(token);
  expect((await server.call('GET', `${ns}/secrets/good`)).body.metadata.resourceVersion).toBe(resourceVersion);
  await clock.advance(400 * 86_400_000);
  expect(await authenticate(token)).toMatchObject(user);
  expect(await lastUsed()).toBe('2027-02-05');
});

test.each([
  ['a secret that is gone', async () => tokenFor('ghost'), 'Token has been invalidated'],
  [
    'a secret with another token',
    async () => {
      await keep('changed', 'other');
      return tokenFor('changed');
    },
    "Token does not match server's copy",
  ],
  [
    'an account of another uid',
    async () => {
      const token = await tokenFor('replaced', { name: 'robot', uid: 'old' });
      await keep('replaced', token);
      return token;
    },
    /^ServiceAccount UID \(.*\) does not match claim \(old\)$/,
  ],
  [
    'a secret that was marked invalid',
    async () => {
      const token = await tokenFor('marked');
      await keep('marked', token, { 'kubernetes.io/legacy-token-invalid-since': '2026-01-01' });
      return token;
    },
    /^the token in secret default\/marked for service account default\/robot has been marked invalid\. /,
  ],
  ['another key', () => tokenFor('good', undefined, made(newKey())), 'signature verification failed'],
])('the token of %s is refused', async (_, make, message) => {
  const why = await failure(await make());
  if (typeof message === 'string') expect(why).toContain(message);
  else expect(why).toMatch(message);
});

test('no token makes another error than a refusal', async () => {
  const good = await tokenFor('good');
  const [header, payload, signature] = good.split('.');
  const part = fc.oneof(
    fc.constantFrom(header, payload, signature, ''),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.string(),
  );
  const token = fc.oneof(
    fc.string(),
    fc.tuple(part, part, part).map((parts) => parts.join('.')),
  );
  await fc.assert(
    fc.asyncProperty(token, async (text) => {
      const why = await failure(text);
      expect(why).not.toMatch(/^[A-Z]\w*Error: |Cannot read|is not a function|not iterable/);
    }),
    { numRuns: 300 },
  );
});
