import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, selector, startTestCluster, type TestCluster, template } from './shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

const images = async () =>
  (await client.list('pods')).items.map(
    (pod) => `${pod.metadata.name.replace(/^d-.*/, 'd')} ${pod.spec.containers[0].image}`,
  );

test('a daemon set has a pod on each selected node, also on broken ones, and rolls one by one', async () => {
  for (const name of ['a', 'b', 'c'])
    await client.create('nodes', { metadata: { name, labels: { disk: name === 'c' ? 'no' : 'yes' } } });
  await clock.settle();
  const spec = (image: string) => {
    const { metadata, spec } = template(image);
    return { selector, template: { metadata, spec: { ...spec, nodeSelector: { disk: 'yes' } } } };
  };
  const set: any = await client.create('daemonsets', {
    metadata: { name: 'd', namespace: 'default' },
    spec: spec('one'),
  } as any);
  await cluster.runPods();
  expect(await images()).toEqual(['d one', 'd one']);
  const read = () => client.get('daemonsets', at('d'));
  expect((await read()).status).toMatchObject({
    desiredNumberScheduled: 2,
    currentNumberScheduled: 2,
    numberReady: 2,
    numberAvailable: 2,
    updatedNumberScheduled: 2,
  });
  await client.patch('daemonsets', at('d'), { type: 'merge', body: { spec: { template: template('broken') } } });
  await cluster.runPods((pod) => pod.spec.containers[0].image !== 'broken');
  expect((await images()).sort()).toEqual(['d broken', 'd one']);
  await client.patch('daemonsets', at('d'), { type: 'merge', body: { spec: { template: template('two') } } });
  await cluster.runPods();
  expect(await images()).toEqual(['d two', 'd two']);
  expect((await client.list('controllerrevisions')).items.map(({ revision }) => revision).sort()).toEqual([1, 2, 3]);
  await client.patch('nodes', { name: 'c' }, { type: 'merge', body: { metadata: { labels: { disk: 'yes' } } } });
  await cluster.runPods();
  expect(await images()).toHaveLength(3);
  expect(set.metadata.generation).toBe(1);
});
