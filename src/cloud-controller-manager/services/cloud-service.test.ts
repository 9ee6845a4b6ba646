// The service controller with a cloud that can fail.

import { afterEach, describe, expect, test } from 'vitest';
import type { LoadBalancerStatus, Node, Service } from '../../api/api.ts';
import { type LoadBalancers, RetryAfterError } from '../provider.ts';
import { startTestCloud, type TestCloud } from '../test-cloud.ts';

let cloud: TestCloud | undefined;
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});

type Call = 'exists' | 'ensure' | 'update' | 'remove';

async function start() {
  const state = {
    status: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } as LoadBalancerStatus,
    balancers: new Map<string, string[]>(),
    failures: new Map<Call, Error>(),
    calls: [] as string[],
  };
  const call = (name: Call, service: Service) => {
    state.calls.push(`${name} ${service.metadata.name}`);
    const failure = state.failures.get(name);
    if (failure) throw failure;
  };
  const set = (service: Service, nodes: readonly Node[]) =>
    state.balancers.set(
      service.metadata.uid,
      nodes.map(({ metadata }) => metadata.name),
    );
  const loadBalancers: LoadBalancers = {
    async exists(service) {
      call('exists', service);
      return state.balancers.has(service.metadata.uid);
    },
    async ensure(service, nodes) {
      call('ensure', service);
      set(service, nodes);
      return { status: state.status };
    },
    async update(service, nodes) {
      call('update', service);
      set(service, nodes);
      return undefined;
    },
    async remove(service) {
      call('remove', service);
      state.balancers.delete(service.metadata.uid);
    },
  };
  cloud = await startTestCloud({ name: 'test', loadBalancers });
  const { client, pass } = cloud;
  return Object.assign(state, cloud, {
    async service(name: string) {
      const spec = { type: 'LoadBalancer', selector: { app: 'x' }, ports: [{ port: 80 }] };
      await client.create('services', { metadata: { namespace: 'default', name }, spec } as never);
      await pass();
    },
    async delete(name: string) {
      await client.delete('services', { namespace: 'default', name });
      await pass();
    },
  });
}

describe('errors of the cloud', () => {
  test.each<[string, Call, string]>([
    ['no load balancer', 'ensure', 'failed to ensure load balancer: quota'],
    ['no answer whether there is one', 'exists', 'failed to check if load balancer exists before cleanup: quota'],
    ['no removal', 'remove', 'failed to delete load balancer: quota'],
  ])('%s: the event has its text, and the service waits', async (_, name, message) => {
    const test = await start();
    test.failures.set(name, new Error('quota'));
    await test.service('web');
    if (name !== 'ensure') await test.delete('web');
    expect(await test.events('web')).toContain(
      `Warning SyncLoadBalancerFailed: Error syncing load balancer: ${message}`,
    );
    expect((await test.getService('web')).metadata.finalizers).toEqual(['service.kubernetes.io/load-balancer-cleanup']);
    test.failures.clear();
    await test.pass(5_000);
    if (name === 'ensure') expect((await test.getService('web')).status?.loadBalancer).toEqual(test.status);
    else await expect(test.getService('web')).rejects.toThrow('not found');
  });

  test('are repeated after 5, 10, 20 ... at most 300 seconds', async () => {
    const test = await start();
    test.failures.set('ensure', new Error('quota'));
    const triedMs: number[] = [];
    await test.service('web');
    for (let count = 1, ms = 0; count < 9 && ms < 3_000_000; ms += 1_000) {
      await test.pass(1_000);
      if (test.calls.length > count) triedMs.push(ms);
      count = test.calls.length;
    }
    const waits = triedMs.map((ms, i) => Math.round((ms - (triedMs[i - 1] ?? 0)) / 1_000));
    expect(waits.slice(1)).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  test('are repeated when the cloud asks for it, without a longer wait the next time', async () => {
    const test = await start();
    test.failures.set('ensure', new RetryAfterError('not ready yet', 2_000));
    await test.service('web');
    await test.pass(20_000);
    expect(test.calls.length).toBe(11);
    expect(await test.events('web')).toContain(
      'Warning SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: not ready yet',
    );
  });
});

describe('a load balancer of other nodes', () => {
  test('is updated; its status stays', async () => {
    const test = await start();
    await test.service('web');
    expect(await test.events('web')).toContain(
      'Warning UnAvailableLoadBalancer: There are no available nodes for LoadBalancer',
    );
    await test.node('a');
    expect([...test.balancers.values()]).toEqual([['a']]);
    expect(await test.events('web')).toContain('Normal UpdatedLoadBalancer: Updated load balancer with new hosts');
    expect((await test.getService('web')).status?.loadBalancer).toEqual(test.status);
  });

  test('that cannot be updated is made again', async () => {
    const test = await start();
    await test.service('web');
    test.failures.set('update', new Error('busy'));
    await test.node('a');
    expect(await test.events('web')).toContain(
      'Warning UpdateLoadBalancerFailed: Error updating load balancer with new hosts [a] [node names limited, total number of nodes: 1], error: busy',
    );
    expect(test.calls.slice(-2)).toEqual(['exists web', 'ensure web']);
  });

  test('that is gone is no failure', async () => {
    const test = await start();
    await test.service('web');
    test.balancers.clear();
    test.failures.set('update', new Error('no such load balancer'));
    await test.node('a');
    expect((await test.events('web')).join()).not.toContain('UpdateLoadBalancerFailed');
  });
});

test('a load balancer goes also with a service that loses its finalizer by force', async () => {
  const test = await start();
  await test.service('web');
  test.failures.set('remove', new Error('busy'));
  await test.delete('web');
  const name = { namespace: 'default', name: 'web' };
  await test.client.patch('services', name, { type: 'merge', body: { metadata: { finalizers: null } } });
  await test.pass();
  await expect(test.getService('web')).rejects.toThrow('not found');
  expect(test.balancers.size).toBe(1);
  test.failures.clear();
  await test.pass(600_000);
  expect(test.balancers.size).toBe(0);
  expect(await test.events('web')).toContain('Normal DeletedLoadBalancer: Deleted load balancer');
});
