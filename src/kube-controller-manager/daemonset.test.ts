import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DaemonSet, Node, Pod, Taint } from '../api/api.ts';
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

const node = async (name: string, spec: object = {}, condition = '') => {
  const conditions = condition ? [{ type: condition, status: 'True' }] : [];
  await client.create('nodes', { metadata: { name }, spec, status: { conditions } } as unknown as Node);
  await clock.advance(1_000);
};
const daemon = async (spec: object = {}) => {
  const made = {
    metadata: { name: 'd', namespace: 'default' },
    spec: { selector, template: template('one'), ...spec },
  };
  await client.create('daemonsets', made as unknown as DaemonSet);
  await cluster.runPods();
};
const rollTo = async (image: string, isHealthy: (pod: Pod) => boolean = () => true) => {
  await client.patch('daemonsets', at('d'), { type: 'merge', body: { spec: { template: template(image) } } });
  await cluster.runPods(isHealthy);
};
const bind = async () => {
  for (const { metadata, spec } of (await client.list('pods')).items) {
    const [term] = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
    const target = term?.matchFields?.[0].values?.[0] ?? '';
    if (!spec.nodeName)
      await client.createSubresource('pods', at(metadata.name), 'binding', {
        ...{ kind: 'Binding', apiVersion: 'v1', metadata: { name: metadata.name, namespace: 'default' } },
        target: { kind: 'Node', name: target },
      });
  }
  await cluster.runPods();
};

test('with maxSurge, the old pod stays until the new one is available', async () => {
  await node('a');
  await daemon({ updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
  await rollTo('broken', (pod) => pod.spec.containers[0].image !== 'broken');
  expect((await images()).sort()).toEqual(['d broken', 'd one']);
  await cluster.runPods();
  expect(await images()).toEqual(['d broken']);
});

test('OnDelete replaces deleted pods alone', async () => {
  await node('a');
  await daemon({ updateStrategy: { type: 'OnDelete' } });
  await rollTo('two');
  expect(await images()).toEqual(['d one']);
  const [pod] = (await client.list('pods')).items;
  await client.delete('pods', at(pod.metadata.name), { gracePeriodSeconds: 0 });
  await cluster.runPods();
  expect(await images()).toEqual(['d two']);
});

test('of two pods on one node, the older one stays', async () => {
  await node('a');
  await daemon();
  const [first] = (await client.list('pods')).items;
  await clock.advance(5_000);
  const { labels, ownerReferences } = first.metadata;
  const metadata = { name: 'second', namespace: 'default', labels, ownerReferences };
  await client.create('pods', { metadata, spec: first.spec } as unknown as Pod);
  await cluster.runPods();
  expect(await cluster.names('pods')).toEqual([first.metadata.name]);
});

test.each([
  ['Failed', 'Warning FailedDaemonPod', 'failed daemon pod', 'will try to kill it'],
  ['Succeeded', 'Normal SucceededDaemonPod', 'succeeded daemon pod', 'will try to delete it'],
] as const)('a pod that %s is replaced', async (phase, reason, text, outcome) => {
  await node('a');
  await daemon();
  const [before] = await cluster.names('pods');
  await cluster.endPods(phase);
  await cluster.runPods();
  const after = await cluster.names('pods');
  expect(after).toHaveLength(1);
  expect(after).not.toContain(before);
  const { items } = await client.list('events');
  const event = items.find((one) => one.reason === reason.split(' ')[1]);
  expect(`${event?.type} ${event?.reason}`).toBe(reason);
  expect(event?.message).toBe(`Found ${text} default/${before} on node a, ${outcome}`);
});

test('failed pods of a node are deleted ever later', async () => {
  await node('a');
  await daemon();
  const deletions: number[] = [];
  let [name] = await cluster.names('pods');
  let failedMs = clock.now();
  await cluster.endPods('Failed');
  while (deletions.length < 5) {
    await clock.advance(100);
    const pods = (await client.list('pods')).items;
    for (const { metadata } of pods)
      if (metadata.deletionTimestamp) await client.delete('pods', at(metadata.name), { gracePeriodSeconds: 0 });
    const fresh = pods.find(({ metadata }) => metadata.name !== name && !metadata.deletionTimestamp);
    if (!fresh) continue;
    deletions.push(Math.round((clock.now() - failedMs) / 1000));
    name = fresh.metadata.name;
    failedMs = clock.now();
    await cluster.endPods('Failed');
  }
  expect(deletions).toEqual([0, 1, 2, 4, 8]);
});

describe('a node', () => {
  const taint = (key: string, effect: Taint['effect']) => ({ taints: [{ key, effect }] });
  const podsOn = async (podSpec: object) => {
    const { metadata, spec } = template('one');
    await daemon({ template: { metadata, spec: { ...spec, ...podSpec } } });
    const count = (await cluster.names('pods')).length;
    const { status } = await client.get('daemonsets', at('d'));
    expect(status).toMatchObject({ desiredNumberScheduled: count, currentNumberScheduled: count });
    return count;
  };
  test.each<[string, object, object, number]>([
    ['without taints', {}, {}, 1],
    ['that is unschedulable', { unschedulable: true }, {}, 1],
    ['that is not ready', taint('node.kubernetes.io/not-ready', 'NoExecute'), {}, 1],
    ['that is unreachable', taint('node.kubernetes.io/unreachable', 'NoExecute'), {}, 1],
    ['with another taint', taint('dedicated', 'NoSchedule'), {}, 0],
    ['with a taint that keeps pods away', taint('dedicated', 'NoExecute'), {}, 0],
    ['with a taint that others prefer to avoid', taint('dedicated', 'PreferNoSchedule'), {}, 1],
    [
      'with a taint that the template tolerates',
      taint('dedicated', 'NoSchedule'),
      { tolerations: [{ key: 'dedicated', operator: 'Exists' }] },
      1,
    ],
    ['of another name than the template has', {}, { nodeName: 'b' }, 0],
    ['without a label of the template', {}, { nodeSelector: { disk: 'ssd' } }, 0],
  ])('%s', async (_, nodeSpec, podSpec, count) => {
    await node('a', nodeSpec);
    expect(await podsOn(podSpec)).toBe(count);
  });

  // The node lifecycle controller gives it the taint.
  test.each<[string, object, number]>([
    ['DiskPressure', {}, 1],
    ['MemoryPressure', {}, 1],
    ['PIDPressure', {}, 1],
    ['NetworkUnavailable', {}, 0],
    ['NetworkUnavailable', { hostNetwork: true }, 1],
  ])('with the condition %s, pods of %j', async (condition, podSpec, count) => {
    await node('a', {}, condition);
    expect((await client.get('nodes', { name: 'a' })).spec?.taints).toHaveLength(1);
    expect(await podsOn(podSpec)).toBe(count);
  });

  test('that gets a taint keeps its pod, or loses it', async () => {
    await node('a');
    await daemon();
    await bind();
    const give = async (effect: Taint['effect']) => {
      const taints = [{ key: 'dedicated', effect }];
      await client.patch('nodes', { name: 'a' }, { type: 'merge', body: { spec: { taints } } });
      await cluster.runPods();
      const { status } = await client.get('daemonsets', at('d'));
      return [(await cluster.names('pods')).length, status?.desiredNumberScheduled, status?.numberMisscheduled];
    };
    expect(await give('NoSchedule')).toEqual([1, 0, 1]);
    expect(await give('NoExecute')).toEqual([0, 0, 0]);
  });
});

test('a pod counts as available after minReadySeconds', async () => {
  await node('a');
  await daemon({ minReadySeconds: 10 });
  const available = async () => (await client.get('daemonsets', at('d'))).status?.numberAvailable ?? 0;
  expect(await available()).toBe(0);
  await clock.advance(15_000);
  expect(await available()).toBe(1);
});
