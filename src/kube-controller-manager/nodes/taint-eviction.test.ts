import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
  await cluster.client.create('nodes', { metadata: { name: 'n' } });
});
afterEach(() => cluster.stop());

const create = (name: string, tolerationSeconds?: number) => {
  const toleration = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds };
  const tolerations = tolerationSeconds === undefined ? [] : [toleration];
  const spec = {
    nodeName: 'n',
    containers: [{ name: 'c', image: 'i' }],
    tolerations,
    terminationGracePeriodSeconds: 0,
  };
  return cluster.client.create('pods', { metadata: at(name), spec } as never);
};
const taint = (taints: object[]) =>
  cluster.client.patch('nodes', { name: 'n' }, { type: 'merge', body: { spec: { taints } } });
const events = async () =>
  (await cluster.client.list('events')).items
    .filter(({ reason }) => reason === 'TaintManagerEviction')
    .map(({ message }) => message);

test('a pod stays for as long as it tolerates the taint', async () => {
  for (const [name, seconds] of [['now'], ['later', 30], ['much-later', 3_600]] as const) await create(name, seconds);
  await taint([{ key: 'a', effect: 'NoExecute' }]);
  await cluster.clock.advance(1_000);
  expect(await cluster.names('pods')).toEqual(['later', 'much-later']);
  await cluster.clock.advance(30_000);
  expect(await cluster.names('pods')).toEqual(['much-later']);
  expect((await events()).sort()).toEqual(['later', 'now'].map((name) => `Marking for deletion Pod default/${name}`));
});

test('a taint that goes cancels the eviction', async () => {
  await create('later', 30);
  await taint([{ key: 'a', effect: 'NoExecute' }]);
  await cluster.clock.advance(10_000);
  await taint([]);
  await cluster.clock.advance(60_000);
  expect(await cluster.names('pods')).toEqual(['later']);
  expect(await events()).toEqual(['Cancelling deletion of Pod default/later']);
});

test('other effects evict no pod', async () => {
  await create('p');
  await taint([{ key: 'a', effect: 'NoSchedule' }]);
  await cluster.clock.advance(10_000);
  expect(await cluster.names('pods')).toEqual(['p']);
});
