import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { startNodes } from './test-nodes.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

test('nodes get ranges of addresses, and those of deleted nodes are given out again', async () => {
  await startNodes(cluster, 4);
  await clock.settle();
  const ranges = async () => (await client.list('nodes')).items.map((node) => node.spec.podCIDR);
  expect(await ranges()).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']);
  await client.delete('nodes', { name: 'n1' });
  await clock.settle();
  await client.create('nodes', { metadata: { name: 'new' } });
  await clock.settle();
  expect((await client.get('nodes', { name: 'new' })).spec.podCIDRs).toEqual(['10.244.1.0/24']);
});

describe('with a range of each family', () => {
  const podCIDRs = async () => (await client.list('nodes')).items.map(({ spec }) => spec.podCIDRs?.join(' '));
  const create = async (...names: string[]) => {
    for (const name of names) await client.create('nodes', { metadata: { name } });
    await clock.settle();
  };
  const restart = async (...config: Parameters<typeof startTestCluster>) => {
    await cluster.stop();
    cluster = await startTestCluster(...config);
    ({ client, clock } = cluster);
  };

  test('a node gets both or none, and a range without its partner is not lost', async () => {
    await restart({ clusterCidrs: ['10.244.0.0/22', 'fd00:10:244::/63'] });
    await create('a', 'b', 'c');
    const [first, second] = ['10.244.0.0/24 fd00:10:244::/64', '10.244.1.0/24 fd00:10:244:1::/64'];
    expect(await podCIDRs()).toEqual([first, second, undefined]);
    const { items } = await client.list('events');
    expect(items.filter(({ reason }) => reason === 'CIDRNotAvailable').map(({ message }) => message)).toEqual([
      'Node c status is now: CIDRNotAvailable',
    ]);
    await client.delete('nodes', { name: 'a' });
    await clock.advance(60_000);
    expect(await podCIDRs()).toEqual([second, first]);
  });

  test('each family has its own size, and a range in another spelling is taken', async () => {
    await restart({
      clusterCidrs: ['fd00:10:244::/108', '10.244.0.0/24'],
      nodeCidrMaskSize: { ipv4: 28, ipv6: 112 },
    });
    await client.create('nodes', { metadata: { name: 'a' }, spec: { podCIDRs: ['fd00:10:244:0::/112'] } });
    await create('b');
    expect(await podCIDRs()).toEqual(['fd00:10:244:0::/112', 'fd00:10:244::1:0/112 10.244.0.0/28']);
  });
});
