// A node that runs out of memory, in virtual time: its condition, its taint, evictions and refusals.

import { afterEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
afterEach(() => cluster.stop());

const at = (name: string) => ({ namespace: 'default', name });
const gi = 2 ** 30;

test('a node short of memory evicts the pod that is furthest above its request, and recovers', async () => {
  cluster = await startCluster({ nodes: 1 });
  const { client } = cluster;
  const make = (name: string, usesGi: number, resources: object, spec: object = {}) =>
    client.create('pods', {
      metadata: { ...at(name), annotations: { 'simulated.coracle.local/memory-bytes': String(usesGi * gi) } },
      spec: { containers: [{ name: 'c', image: 'example.com/app:1', resources }], ...spec },
    } as any);
  const statusOf = async (name: string) => (await client.get('pods', at(name))).status!;
  const node = async () => (await client.list('nodes')).items[0];
  const condition = async () => (await node()).status!.conditions!.find((c) => c.type === 'MemoryPressure')!;
  const events = async () =>
    (await client.list('events')).items.map(
      ({ reason, message, involvedObject }) => `${involvedObject.name}: ${reason} ${message}`,
    );

  await make('modest', 100, { requests: { memory: '120Gi' } });
  await make('greedy', 90, { requests: { memory: '10Gi' } });
  await make('small', 20, { requests: { memory: '10Gi' } });
  for (const name of ['modest', 'greedy', 'small'])
    await cluster.until(async () => (await statusOf(name)).phase === 'Running');
  await cluster.advance(20_000);
  expect((await condition()).status).toBe('False');

  await make('last', 46, {}, { priorityClassName: 'system-node-critical' });
  await cluster.until(async () => (await statusOf('greedy')).phase === 'Failed');
  const message =
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. ' +
    'Container c was using 90Gi, request is 10Gi, has larger consumption of memory. ';
  const evicted = await statusOf('greedy');
  expect(evicted).toMatchObject({ reason: 'Evicted', message });
  expect(evicted.conditions).toContainEqual(
    expect.objectContaining({ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message }),
  );
  expect(await condition()).toMatchObject({
    status: 'True',
    reason: 'KubeletHasInsufficientMemory',
    message: 'kubelet has insufficient memory available',
  });
  await cluster.until(async () =>
    ((await node()).spec?.taints ?? []).some((t) => t.key === 'node.kubernetes.io/memory-pressure'),
  );
  for (const name of ['modest', 'small', 'last']) expect((await statusOf(name)).phase, name).toBe('Running');

  const { name: nodeName } = (await node()).metadata;
  await make('refused', 1, {}, { nodeName });
  await cluster.until(async () => (await statusOf('refused')).phase === 'Failed');
  expect(await statusOf('refused')).toMatchObject({
    reason: 'Evicted',
    message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
  });
  await make('admitted', 1, { requests: { memory: '1Gi' } }, { nodeName });
  await cluster.until(async () => (await statusOf('admitted')).phase === 'Running');

  const tookMs = await cluster.until(async () => (await condition()).status === 'False');
  expect(tookMs).toBeGreaterThan(4 * 60_000);
  await cluster.until(async () => ((await node()).spec?.taints ?? []).length === 0);
  const told = await events();
  for (const text of [
    `${nodeName}: EvictionThresholdMet Attempting to reclaim memory`,
    `${nodeName}: NodeHasInsufficientMemory Node ${nodeName} status is now: NodeHasInsufficientMemory`,
    `${nodeName}: NodeHasSufficientMemory Node ${nodeName} status is now: NodeHasSufficientMemory`,
    `greedy: Evicted ${message}`,
  ])
    expect(told).toContain(text);
});
