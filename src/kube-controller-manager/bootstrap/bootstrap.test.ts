// The signer and the cleaner of bootstrap tokens, over the real API server in virtual time.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { detachedSignature } from './bootstrapsigner.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
  for (const name of ['kube-system', 'kube-public']) await cluster.client.create('namespaces', { metadata: { name } });
});
afterEach(() => cluster.stop());

const type = 'bootstrap.kubernetes.io/token';
const info = { namespace: 'kube-public', name: 'cluster-info' };

async function token(id: string, data: Record<string, string> = {}, more: object = {}) {
  const stringData = {
    'token-id': id,
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-signing': 'true',
    ...data,
  };
  const metadata = { name: `bootstrap-token-${id}`, namespace: 'kube-system' };
  await cluster.client.create('secrets', { metadata, type, stringData, ...more });
  await cluster.clock.advance(100);
}
const publish = async (kubeconfig: string) => {
  await cluster.client.create('configmaps', { metadata: info, data: { kubeconfig } });
  await cluster.clock.advance(100);
};
const data = async () => (await cluster.client.get('configmaps', info)).data;
const at = (ms: number) => new Date(cluster.clock.now() + ms).toISOString().replace(/\.\d+/, '');

test("a signature is a detached JWS: recorded from Kubernetes' library", () =>
  expect(
    detachedSignature('Hello from the other side. I must have called a thousand times.', {
      id: 'joshua',
      secret: 'my voice is my passcode',
    }),
  ).toMatch(/^eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9\.\.[\w-]{43}$/));

describe('the signer', () => {
  test('signs for each token, and removes signatures of those that are gone', async () => {
    await publish('config');
    await token('aaaaaa');
    await token('bbbbbb');
    const sign = (id: string, content: string) => detachedSignature(content, { id, secret: '0123456789abcdef' });
    expect(await data()).toEqual({
      kubeconfig: 'config',
      'jws-kubeconfig-aaaaaa': sign('aaaaaa', 'config'),
      'jws-kubeconfig-bbbbbb': sign('bbbbbb', 'config'),
    });
    await cluster.client.delete('secrets', { namespace: 'kube-system', name: 'bootstrap-token-aaaaaa' });
    await cluster.clock.advance(100);
    expect(Object.keys((await data()) ?? {})).toEqual(['jws-kubeconfig-bbbbbb', 'kubeconfig']);
    const map = await cluster.client.get('configmaps', info);
    await cluster.client.update('configmaps', { ...map, data: { kubeconfig: 'other' } });
    await cluster.clock.advance(100);
    expect(await data()).toMatchObject({ 'jws-kubeconfig-bbbbbb': sign('bbbbbb', 'other') });
  });

  test.each<[string, Record<string, string>]>([
    ['for another use', { 'usage-bootstrap-signing': 'false' }],
    ['with another id in it', { 'token-id': 'cccccc' }],
    ['whose secret has another form', { 'token-secret': 'short' }],
    ['that has expired', { expiration: '2000-01-01T00:00:00Z' }],
  ])('does not sign for a token %s', async (_, more) => {
    await publish('config');
    await token('aaaaaa', more, {}).catch((error) => expect(error.code).toBe(422));
    expect(await data()).toEqual({ kubeconfig: 'config' });
  });

  test('leaves a map without a kubeconfig alone', async () => {
    await cluster.client.create('configmaps', { metadata: info, data: { other: 'x' } });
    await token('aaaaaa');
    expect(await data()).toEqual({ other: 'x' });
  });
});

describe('the cleaner', () => {
  const names = async () => cluster.names('secrets', 'kube-system');

  test('deletes a token when it expires', async () => {
    await token('aaaaaa', { expiration: at(60_000) });
    await token('bbbbbb');
    await cluster.clock.advance(50_000);
    expect(await names()).toEqual(['bootstrap-token-aaaaaa', 'bootstrap-token-bbbbbb']);
    await cluster.clock.advance(15_000);
    expect(await names()).toEqual(['bootstrap-token-bbbbbb']);
  });

  test('follows an expiration that moves', async () => {
    await token('aaaaaa', { expiration: at(60_000) });
    const secret = await cluster.client.get('secrets', { namespace: 'kube-system', name: 'bootstrap-token-aaaaaa' });
    await cluster.client.update('secrets', {
      ...secret,
      data: { ...secret.data, expiration: btoa(at(600_000)) },
    });
    await cluster.clock.advance(120_000);
    expect(await names()).toEqual(['bootstrap-token-aaaaaa']);
  });

  test('leaves secrets of other types and namespaces', async () => {
    const stringData = { expiration: '2000-01-01T00:00:00Z' };
    await cluster.client.create('secrets', { metadata: { name: 'x', namespace: 'kube-system' }, stringData });
    await cluster.client.create('secrets', { metadata: { name: 'y', namespace: 'default' }, type, stringData });
    await cluster.clock.advance(60_000);
    expect(await names()).toEqual(['x']);
    expect(await cluster.names('secrets', 'default')).toEqual(['y']);
  });
});
