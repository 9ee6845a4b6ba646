import { afterEach, expect, test } from 'vitest';
import { conditionOf, type Pod } from '../api/api.ts';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
afterEach(() => cluster.stop());

/** A control plane without kubelets: the test sets the state of nodes. */
async function start(): Promise<void> {
  cluster = await startCluster({ components: ['kube-apiserver', 'kube-scheduler'] });
  await cluster.client.create('serviceaccounts', { metadata: { name: 'default', namespace: 'default' } });
}

/** The node lifecycle controller normally removes the not-ready taint of a new node: here the test does. */
const addNode = async (name: string, spec: object = {}) => {
  const allocatable = { cpu: '2', memory: '4Gi', pods: '110' };
  const metadata = { name, labels: { 'kubernetes.io/hostname': name } };
  await cluster.client.create('nodes', { metadata, spec, status: { allocatable, capacity: allocatable } } as any);
  await cluster.client.patch('nodes', { name }, { type: 'merge', body: { spec: { taints: null } } });
};
const addPod = (name: string, cpu: string, spec: object = {}) =>
  cluster.client.create('pods', {
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }], ...spec },
  } as any);
const get = (name: string): Promise<Pod> => cluster.client.get('pods', { namespace: 'default', name });
const scheduled = (pod: Pod) => conditionOf(pod, 'PodScheduled');
const isOn = async (pod: string, node: string) => (await get(pod)).spec.nodeName === node;
const reports = { group: 'events.k8s.io', version: 'v1', resource: 'events', namespaced: true };
const messages = async (pod: string, reason: string) =>
  (await cluster.client.list('events', { namespace: 'default' })).items
    .filter((e) => e.involvedObject.name === pod && e.reason === reason)
    .map((e) => e.message);

test('a pod waits with a reason, and is scheduled to a new node', async () => {
  await start();
  await addPod('web', '1');
  await cluster.until(async () => scheduled(await get('web'))?.status === 'False');
  expect(scheduled(await get('web'))).toMatchObject({
    reason: 'Unschedulable',
    message: 'no nodes available to schedule pods',
  });
  await addNode('small', { unschedulable: true });
  const why =
    '0/1 nodes are available: 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
  await cluster.until(async () => scheduled(await get('web'))?.message === why);
  const { resourceVersion } = (await get('web')).metadata;
  await cluster.advance(400_000);
  // The pod was retried after five minutes, and without a change there was no write.
  expect((await get('web')).metadata.resourceVersion).toBe(resourceVersion);
  await cluster.client.patch('nodes', { name: 'small' }, { type: 'merge', body: { spec: { unschedulable: null } } });
  const waitedMs = await cluster.until(() => isOn('web', 'small'));
  expect(waitedMs).toBeLessThanOrEqual(10_000);
  expect(scheduled(await get('web'))?.status).toBe('True');
  await cluster.until(async () => (await messages('web', 'Scheduled')).length === 1);
  expect(await messages('web', 'Scheduled')).toEqual(['Successfully assigned default/web to small']);
  expect(await messages('web', 'FailedScheduling')).toContain(why);
  const { items } = await cluster.client.list(reports, { namespace: 'default' });
  expect(items.find((event: any) => event.note === why)).toMatchObject({
    ...{ type: 'Warning', reason: 'FailedScheduling', action: 'Scheduling' },
    eventTime: expect.stringMatching(/\.\d{6}Z$/),
    reportingController: 'default-scheduler',
    reportingInstance: expect.stringMatching(/^default-scheduler-./),
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web' },
    // As when a client of the new API creates it.
    ...{ deprecatedSource: {}, deprecatedFirstTimestamp: null, deprecatedLastTimestamp: null },
  });
  expect(items.find((event: any) => event.reason === 'Scheduled')).toMatchObject({ type: 'Normal', action: 'Binding' });
});

test('ended pods free resources', async () => {
  await start();
  await addNode('one');
  await addPod('first', '2');
  await cluster.until(() => isOn('first', 'one'));
  await addPod('second', '2');
  await cluster.until(async () => scheduled(await get('second'))?.status === 'False');
  await cluster.client.delete('pods', { namespace: 'default', name: 'first' }, { gracePeriodSeconds: 0 });
  await cluster.until(() => isOn('second', 'one'), 20_000);
});

test('an important pod takes the place of a less important one', async () => {
  await start();
  await cluster.client.create('priorityclasses', { metadata: { name: 'high' }, value: 1000 } as any);
  await addNode('one');
  await addPod('lesser', '2');
  await cluster.until(() => isOn('lesser', 'one'));
  await addPod('urgent', '1', { priorityClassName: 'high' });
  await cluster.until(async () => (await get('urgent')).status?.nominatedNodeName === 'one');
  const going = await get('lesser').catch(() => undefined);
  if (going) {
    expect(conditionOf(going, 'DisruptionTarget')).toMatchObject({
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    });
    await cluster.client.delete('pods', { namespace: 'default', name: 'lesser' }, { gracePeriodSeconds: 0 });
  }
  await cluster.until(() => isOn('urgent', 'one'), 20_000);
  const { items } = await cluster.client.list(reports, { namespace: 'default' });
  const { uid } = (await get('urgent')).metadata;
  expect(items.filter((event: any) => event.reason === 'Preempted')).toMatchObject([
    {
      ...{ type: 'Normal', action: 'Preempting', note: `Preempted by pod ${uid} on node one` },
      regarding: { kind: 'Pod', name: 'lesser' },
      related: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'urgent', uid },
    },
  ]);
});

test('while victims end, no more are chosen, and their place is kept for the pod that waits for it', async () => {
  await start();
  await cluster.client.create('priorityclasses', { metadata: { name: 'high' }, value: 1000 } as any);
  const middle = { metadata: { name: 'middle' }, value: 500, preemptionPolicy: 'Never' };
  await cluster.client.create('priorityclasses', middle as any);
  for (const name of ['one', 'two']) await addNode(name);
  for (const name of ['first', 'second']) await addPod(name, '2');
  await cluster.until(async () => Boolean((await get('first')).spec.nodeName && (await get('second')).spec.nodeName));
  await addPod('urgent', '2', { priorityClassName: 'high' });
  await cluster.until(async () => Boolean((await get('urgent')).status?.nominatedNodeName));
  const node = (await get('urgent')).status?.nominatedNodeName as string;
  // Events that could help wake the pod while its victim is still there.
  for (const name of ['one', 'two'])
    await cluster.client.patch('nodes', { name }, { type: 'merge', body: { metadata: { labels: { look: 'again' } } } });
  await cluster.advance(20_000);
  const going = (await cluster.client.list('pods')).items.filter(({ metadata }) => metadata.deletionTimestamp);
  expect(going).toHaveLength(1);
  expect(going[0].spec.nodeName).toBe(node);
  await addPod('also', '1', { priorityClassName: 'middle' });
  await cluster.client.delete('pods', going[0].metadata, { gracePeriodSeconds: 0 });
  await cluster.until(() => isOn('urgent', node), 20_000);
  expect((await get('also')).spec.nodeName).toBeUndefined();
});
