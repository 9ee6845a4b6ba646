import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
let signed: object[];
beforeEach(async () => {
  signed = [];
  cluster = await startTestCluster({
    signSecretToken: async (claims) => `token ${signed.push(claims)}`,
  });
});
afterEach(() => cluster.stop());

const decoded = (data: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(data).map(([field, value]) => [field, Buffer.from(value, 'base64').toString()]));
const annotations = { 'kubernetes.io/service-account.name': 'robot' };
const type = 'kubernetes.io/service-account-token';
const make = (name: string, more: object = {}) =>
  cluster.client.create('secrets', { metadata: { ...at(name), annotations, ...more }, type });
const settle = () => cluster.clock.advance(1_000);

test('a secret that asks for a token gets it, with authority and namespace', async () => {
  const account = await cluster.client.create('serviceaccounts', { metadata: at('robot') });
  await make('wanted');
  await settle();
  const secret = await cluster.client.get('secrets', at('wanted'));
  expect(decoded(secret.data)).toEqual({ token: 'token 1', 'ca.crt': 'PEM', namespace: 'default' });
  expect(secret.metadata.annotations?.['kubernetes.io/service-account.uid']).toBe(account.metadata.uid);
  expect(signed).toEqual([
    { namespace: 'default', secret: 'wanted', serviceAccount: { name: 'robot', uid: account.metadata.uid } },
  ]);
});

test('a token that was removed is made again, and one that is there stays', async () => {
  await cluster.client.create('serviceaccounts', { metadata: at('robot') });
  await make('wanted');
  await settle();
  const body = { data: { 'ca.crt': Buffer.from('old').toString('base64') } };
  await cluster.client.patch('secrets', at('wanted'), { type: 'merge', body });
  await settle();
  expect(decoded((await cluster.client.get('secrets', at('wanted'))).data)).toMatchObject({
    token: 'token 1',
    'ca.crt': 'PEM',
  });
  await cluster.client.patch('secrets', at('wanted'), { type: 'merge', body: { data: { token: null } } });
  await settle();
  expect(decoded((await cluster.client.get('secrets', at('wanted'))).data)).toMatchObject({ token: 'token 2' });
});

test.each([
  ['without its account', false, {}],
  [
    'of another account of the name',
    true,
    { annotations: { ...annotations, 'kubernetes.io/service-account.uid': 'old' } },
  ],
])('a secret %s is deleted', async (_, exists, more) => {
  if (exists) await cluster.client.create('serviceaccounts', { metadata: at('robot') });
  await make('orphan', more);
  await settle();
  expect(await cluster.names('secrets')).toEqual([]);
});

test('the secrets of an account go with it, and others stay', async () => {
  await cluster.client.create('serviceaccounts', { metadata: at('robot') });
  await make('wanted');
  await cluster.client.create('secrets', { metadata: { ...at('other'), annotations } });
  await settle();
  await cluster.client.delete('serviceaccounts', at('robot'));
  await settle();
  expect(await cluster.names('secrets')).toEqual(['other']);
});
