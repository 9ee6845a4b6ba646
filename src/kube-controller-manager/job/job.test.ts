import { afterEach, beforeEach, expect, test } from 'vitest';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

const job = () => client.get('jobs', at('work'));
const createJob = (spec: object) =>
  client.create('jobs', {
    metadata: { name: 'work', namespace: 'default' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } }, ...spec },
  } as any);
const conditionsOf = async () => (await job()).status.conditions?.map(({ type, reason }) => `${type}: ${reason}`);

test('a job runs its pods in parallel until enough have succeeded, and is removed after its time', async () => {
  await createJob({ completions: 5, parallelism: 2, ttlSecondsAfterFinished: 60 });
  await clock.settle();
  expect((await job()).status).toMatchObject({ active: 2, ready: 0 });
  expect(await cluster.endPods('Succeeded', 1)).toBe(2);
  expect((await job()).status).toMatchObject({ active: 2, succeeded: 1 });
  await cluster.endPods('Succeeded');
  await cluster.endPods('Succeeded');
  expect((await job()).status).toMatchObject({ succeeded: 5, completionTime: expect.any(String) });
  expect(await conditionsOf()).toEqual(['SuccessCriteriaMet: CompletionsReached', 'Complete: CompletionsReached']);
  expect((await client.list('pods')).items.flatMap((pod) => pod.metadata.finalizers ?? [])).toEqual([]);
  await clock.advance(70_000);
  expect((await client.list('jobs')).items).toHaveLength(0);
  expect(await cluster.names('pods', 'default')).toEqual([]);
});

test('a job waits longer after each failure, and gives up at its limit', async () => {
  await createJob({ backoffLimit: 2 });
  await clock.settle();
  await cluster.endPods('Failed');
  expect(await cluster.endPods('Failed')).toBe(0);
  await clock.advance(10_000);
  expect(await cluster.endPods('Failed')).toBe(1);
  await clock.advance(10_000);
  expect(await cluster.endPods('Failed')).toBe(0);
  await clock.advance(10_000);
  expect(await cluster.endPods('Failed')).toBe(1);
  expect((await job()).status.failed).toBe(3);
  expect(await conditionsOf()).toEqual(['FailureTarget: BackoffLimitExceeded', 'Failed: BackoffLimitExceeded']);
});

test('an indexed job runs each index once', async () => {
  await createJob({ completions: 3, parallelism: 3, completionMode: 'Indexed' });
  await clock.settle();
  const { items } = await client.list('pods');
  expect(items.map((pod) => pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index']).sort()).toEqual([
    '0',
    '1',
    '2',
  ]);
  expect(items[0].spec.containers[0].env?.[0].name).toBe('JOB_COMPLETION_INDEX');
  await cluster.endPods('Succeeded', 2);
  expect((await job()).status).toMatchObject({ succeeded: 2, active: 1 });
  await cluster.endPods('Succeeded');
  expect((await job()).status.completedIndexes).toBe('0-2');
});

const podOfIndex = async (index: number) =>
  (await client.list('pods')).items.find(
    ({ metadata, status }) =>
      metadata.annotations?.['batch.kubernetes.io/job-completion-index'] === String(index) &&
      status?.phase === 'Pending',
  );
async function endIndex(index: number, phase: 'Succeeded' | 'Failed'): Promise<void> {
  const name = (await podOfIndex(index))?.metadata.name ?? 'none';
  await client.patch('pods', at(name), { type: 'merge', body: { status: { phase } } }, { subresource: 'status' });
  await clock.settle();
}

test('with a limit for each index, a failed one does not stop the others', async () => {
  await createJob({ completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimitPerIndex: 1 });
  await clock.settle();
  await endIndex(0, 'Failed');
  expect(await podOfIndex(0)).toBeUndefined();
  await clock.advance(11_000);
  expect((await podOfIndex(0))?.metadata.annotations?.['batch.kubernetes.io/job-index-failure-count']).toBe('1');
  await endIndex(0, 'Failed');
  await clock.advance(60_000);
  expect(await podOfIndex(0)).toBeUndefined();
  await endIndex(1, 'Succeeded');
  expect((await job()).status).toMatchObject({ failedIndexes: '0', completedIndexes: '1', failed: 2, succeeded: 1 });
  await endIndex(2, 'Succeeded');
  expect(await conditionsOf()).toEqual(['FailureTarget: FailedIndexes', 'Failed: FailedIndexes']);
});

test('too many failed indexes end a job; a success policy ends it early', async () => {
  const indexed = { completions: 3, parallelism: 3, completionMode: 'Indexed' };
  await createJob({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 1 });
  await clock.settle();
  await endIndex(0, 'Failed');
  await endIndex(2, 'Failed');
  expect(await conditionsOf()).toEqual(['FailureTarget: MaxFailedIndexesExceeded', 'Failed: MaxFailedIndexesExceeded']);
  await client.delete('jobs', at('work'), { propagationPolicy: 'Background' });
  await cluster.runPods();
  await createJob({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] } });
  await clock.settle();
  await endIndex(1, 'Succeeded');
  expect((await job()).status.conditions?.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
    'SuccessPolicy: Matched rules at index 0',
    'SuccessPolicy: Matched rules at index 0',
  ]);
});

test('a job that takes too long, or is suspended, loses its pods', async () => {
  await createJob({ activeDeadlineSeconds: 30 });
  await clock.settle();
  await clock.advance(31_000);
  for (const { metadata } of (await client.list('pods')).items)
    await client.delete('pods', at(metadata.name), { gracePeriodSeconds: 0 });
  await clock.advance(1000);
  expect(await conditionsOf()).toEqual(['FailureTarget: DeadlineExceeded', 'Failed: DeadlineExceeded']);
});
