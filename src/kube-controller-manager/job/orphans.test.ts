import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startTestCluster();
});
afterEach(() => cluster.stop());

const finalizer = 'batch.kubernetes.io/job-tracking';
const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'registry.test/c:1' }] } };
const pods = async () => [...(await cluster.client.list('pods')).items] as Pod[];

async function startJob(): Promise<void> {
  const metadata = { name: 'work', namespace: 'default' };
  await cluster.client.create('jobs', { metadata, spec: { parallelism: 2, completions: 2, template } } as never);
  await cluster.runPods();
  expect((await pods()).map((pod) => pod.metadata.finalizers)).toEqual([[finalizer], [finalizer]]);
}
const deleteJob = (propagationPolicy: 'Background' | 'Foreground' | 'Orphan') =>
  cluster.client.delete('jobs', { name: 'work', namespace: 'default' }, { propagationPolicy });

test.each(['Background', 'Foreground'] as const)('running pods go with their Job, deleted %s', async (policy) => {
  await startJob();
  await deleteJob(policy);
  await cluster.runPods();
  expect(await pods()).toEqual([]);
  expect((await cluster.client.list('jobs')).items).toEqual([]);
});

test('pods that outlive their Job are not kept for it', async () => {
  await startJob();
  await deleteJob('Orphan');
  await cluster.runPods();
  const left = await pods();
  expect(left.map((pod) => [pod.metadata.ownerReferences, pod.metadata.finalizers])).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

test('pods of a Job that went unseen are released; those of others are not', async () => {
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name: 'unseen', uid: 'gone', controller: true };
  const owners = { unseen: owner, foreign: { ...owner, apiVersion: 'example.com/v1' } };
  for (const [name, reference] of Object.entries(owners)) {
    const metadata = { name, namespace: 'default', finalizers: [finalizer], ownerReferences: [reference] };
    await cluster.client.create('pods', { metadata, spec: template.spec } as never);
  }
  await cluster.runPods();
  const finalizers = Object.fromEntries((await pods()).map(({ metadata }) => [metadata.name, metadata.finalizers]));
  expect(finalizers['foreign']).toEqual([finalizer]);
  expect(finalizers['unseen']).toBeUndefined();
});

test('a namespace with a running Job is deleted', async () => {
  await startJob();
  await cluster.client.delete('namespaces', { name: 'default' });
  await cluster.runPods();
  await cluster.clock.advance(30_000);
  await cluster.runPods();
  expect(await cluster.names('namespaces')).toEqual(['kube-node-lease']);
});
