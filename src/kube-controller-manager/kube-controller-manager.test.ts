import { afterEach, beforeEach, expect, test } from 'vitest';
import { startKubeControllerManager } from './kube-controller-manager.ts';
import { startTestCluster, type TestCluster } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  // The leading manager makes service accounts, not the cluster.
  cluster = await startTestCluster({ disabled: ['serviceaccount'] });
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('of two managers one works, and the other takes over at once when that one stops', async () => {
  const { context } = cluster;
  await client.create('namespaces', { metadata: { name: 'kube-system' } });
  const one = await startKubeControllerManager(context, { leaderElection: { identity: 'one' } });
  await clock.advance(100);
  const two = await startKubeControllerManager(context, { leaderElection: { identity: 'two' } });
  await clock.advance(30_000);
  const lease = async () =>
    (await client.get('leases', { namespace: 'kube-system', name: 'kube-controller-manager' })).spec;
  expect((await lease()).holderIdentity).toBe('one');
  await one.stop();
  expect((await lease()).holderIdentity).toBe('');
  await clock.advance(5_000);
  expect(await lease()).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  await client.create('namespaces', { metadata: { name: 'fresh' } });
  await clock.advance(100);
  await client.get('serviceaccounts', { namespace: 'fresh', name: 'default' });
  await two.stop();
});

test('a leader whose time stood still writes nothing before it has renewed its lead', async () => {
  const { context } = cluster;
  await client.create('namespaces', { metadata: { name: 'kube-system' } });
  const writes: string[] = [];
  // Its clock jumps, as after a pause of the process; its timers have not run yet.
  let jumpMs = 0;
  const changed = <T extends object>(of: T, name: keyof T, value: unknown): T =>
    new Proxy(of, {
      get(target, key) {
        const found: unknown = key === name ? value : Reflect.get(target, key);
        return typeof found === 'function' ? found.bind(target) : found;
      },
    });
  const create: typeof client.create = (resource, object) => {
    writes.push(String(resource));
    return context.client.create(resource, object);
  };
  const recording = {
    ...context,
    clock: changed(clock, 'monotonic', () => clock.monotonic() + jumpMs),
    client: changed(context.client, 'create', create),
  };
  const manager = await startKubeControllerManager(recording, { leaderElection: { identity: 'one' } });
  await clock.advance(100);
  await client.create('namespaces', { metadata: { name: 'before' } });
  await clock.advance(100);
  expect(writes).toContain('serviceaccounts');
  writes.length = 0;
  jumpMs = 60_000;
  await client.create('namespaces', { metadata: { name: 'during' } });
  await clock.advance(100);
  expect(writes).toEqual([]);
  await manager.stop();
});
