import { afterEach, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { stepFor } from './ttl.ts';

let cluster: TestCluster | undefined;
afterEach(() => cluster?.stop());

test.each([
  ['a first node', 1, 0, 0],
  ['the most nodes of a step', 100, 0, 0],
  ['one more', 101, 0, 1],
  ['fewer, but within the step', 90, 1, 1],
  ['fewer than the step has', 89, 1, 0],
  ['many at once', 1500, 0, 3],
  ['more than all limits', 5000, 3, 4],
  ['the last step, within', 1800, 4, 4],
  ['none left', 0, 4, 0],
])('%s: %d nodes after step %d are at step %d', (_, nodes, before, wanted) =>
  expect(stepFor(nodes, before)).toBe(wanted),
);

test('a node gets the annotation, and another value in it is replaced', async () => {
  cluster = await startTestCluster();
  const { client, clock } = cluster;
  const annotation = 'node.alpha.kubernetes.io/ttl';
  await client.create('nodes', { metadata: { name: 'a', annotations: { other: 'x' } } } as never);
  await client.create('nodes', { metadata: { name: 'b', annotations: { [annotation]: '7' } } } as never);
  await clock.advance(100);
  const annotations = async (name: string) => (await client.get('nodes', { name })).metadata.annotations;
  expect(await annotations('a')).toMatchObject({ other: 'x', [annotation]: '0' });
  expect(await annotations('b')).toMatchObject({ [annotation]: '0' });
});
