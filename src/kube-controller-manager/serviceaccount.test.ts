import { expect, test } from 'vitest';
import { workloads } from './shared/test-workloads.ts';

const cluster = workloads();

test('namespaces get their service account and CA', async () => {
  await cluster.client.create('namespaces', { metadata: { name: 'team' }, status: { phase: 'Active' } });
  await cluster.clock.settle();
  await cluster.client.get('serviceaccounts', { namespace: 'team', name: 'default' });
  const ca = await cluster.client.get('configmaps', { namespace: 'team', name: 'kube-root-ca.crt' });
  expect(ca.data).toEqual({ 'ca.crt': 'PEM' });
  await cluster.client.update('configmaps', { ...ca, data: { 'ca.crt': 'tampered', other: 'x' } });
  await cluster.client.delete('serviceaccounts', { namespace: 'team', name: 'default' });
  await cluster.clock.settle();
  await cluster.client.get('serviceaccounts', { namespace: 'team', name: 'default' });
  expect((await cluster.client.get('configmaps', { namespace: 'team', name: 'kube-root-ca.crt' })).data).toEqual({
    'ca.crt': 'PEM',
  });
});
