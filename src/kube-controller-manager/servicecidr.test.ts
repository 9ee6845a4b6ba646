import { afterEach, beforeEach, expect, test } from 'vitest';
import { conditionOf } from '../api/api.ts';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client } = cluster);
});
afterEach(() => cluster.stop());

const range = (name: string, ...cidrs: string[]) =>
  client.create('servicecidrs', { metadata: { name }, spec: { cidrs } } as never);
const names = async () => (await client.list('servicecidrs')).items.map(({ metadata }) => metadata.name);
const ready = async (name: string) => {
  const { status, reason, message } = conditionOf(await client.get('servicecidrs', { name }), 'Ready') ?? {};
  return [status, reason, message];
};
const service = async (name: string, clusterIP?: string) => {
  const spec = { ports: [{ port: 80 }], ...(clusterIP && { clusterIP }) };
  const made = await client.create('services', { metadata: { namespace: 'default', name }, spec } as never);
  return made.spec?.clusterIP;
};
const pass = (ms = 1_000) => cluster.clock.advance(ms);

test('a range becomes ready, and services get addresses of it', async () => {
  await expect(service('early', '10.9.0.9')).rejects.toThrow('the provided network does not match the current range');
  await range('more', '10.9.0.0/24');
  await pass();
  expect((await client.get('servicecidrs', { name: 'more' })).metadata.finalizers).toEqual([
    'networking.k8s.io/service-cidr-finalizer',
  ]);
  expect(await ready('more')).toEqual(['True', '', 'Kubernetes Service CIDR is ready']);
  expect(await service('web', '10.9.0.9')).toBe('10.9.0.9');
  await expect(service('twice', '10.9.0.9')).rejects.toThrow('provided IP is already allocated');
  await expect(service('first', '10.9.0.0')).rejects.toThrow('the provided network does not match the current range');
});

test('a range stays while a service has an address that is in no other range', async () => {
  await range('more', '10.9.0.0/24');
  await pass();
  await service('web', '10.9.0.9');
  await client.delete('servicecidrs', { name: 'more' });
  await pass(20_000);
  expect(await names()).toEqual(['more']);
  expect(await ready('more')).toEqual([
    'False',
    'Terminating',
    'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
  ]);
  await expect(service('late', '10.9.0.10')).rejects.toThrow('the provided network does not match the current range');
  await client.delete('services', { namespace: 'default', name: 'web' });
  await pass(1_000);
  expect(await names()).toEqual([]);
});

test('a range without services goes after ten seconds', async () => {
  await range('more', '10.9.0.0/24');
  await pass();
  await client.delete('servicecidrs', { name: 'more' });
  await pass(8_000);
  expect(await names()).toEqual(['more']);
  await pass(3_000);
  expect(await names()).toEqual([]);
});

test('a larger range takes over the addresses of a smaller one', async () => {
  await range('small', '10.9.0.0/29');
  await pass();
  await service('web', '10.9.0.1');
  await client.delete('servicecidrs', { name: 'small' });
  await pass(12_000);
  expect(await names()).toEqual(['small']);
  await range('large', '10.9.0.0/16');
  await pass();
  expect(await names()).toEqual(['large']);
  await expect(service('twice', '10.9.0.1')).rejects.toThrow('provided IP is already allocated');
  expect(await service('next', '10.9.0.2')).toBe('10.9.0.2');
});
