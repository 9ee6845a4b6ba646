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

test('a cron job makes jobs on schedule, not two at a time if forbidden, and keeps a few', async () => {
  const jobTemplate = {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  };
  const spec = { schedule: '*/10 * * * *', concurrencyPolicy: 'Forbid', jobTemplate };
  await client.create('cronjobs', { metadata: { name: 'tick', namespace: 'default' }, spec } as any);
  await clock.advance(601_000);
  expect((await client.list('jobs')).items).toHaveLength(1);
  const cron = await client.get('cronjobs', at('tick'));
  expect(cron.status).toMatchObject({ active: [{ kind: 'Job' }], lastScheduleTime: '2026-01-01T00:10:00Z' });
  await clock.advance(600_000);
  expect((await client.list('jobs')).items).toHaveLength(1);
  for (let i = 0; i < 6; i++) {
    await cluster.endPods('Succeeded');
    await clock.advance(600_000);
  }
  await cluster.endPods('Succeeded');
  await clock.advance(1000);
  const finished = (await client.list('jobs')).items.filter((job) => job.status.completionTime);
  expect(finished).toHaveLength(3);
  const reasons = (await client.list('events')).items.map(({ reason }) => reason);
  expect(reasons).toEqual(
    expect.arrayContaining(['SuccessfulCreate', 'JobAlreadyActive', 'SawCompletedJob', 'SuccessfulDelete']),
  );
});

test('a cron job ignores a manually made job', async () => {
  const jobTemplate = {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  };
  const spec = { schedule: '*/10 * * * *', concurrencyPolicy: 'Replace', jobTemplate };
  const cron = await client.create('cronjobs', { metadata: { name: 'tick', namespace: 'default' }, spec } as any);
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid: cron.metadata.uid, controller: true };
  const metadata = { name: 'manual', namespace: 'default', ownerReferences: [owner] };
  await client.create('jobs', { metadata, spec: jobTemplate.spec } as any);
  await clock.advance(1_000);
  expect((await client.get('cronjobs', at('tick'))).status?.active ?? []).toEqual([]);
  const unexpected = (await client.list('events')).items.find(({ reason }) => reason === 'UnexpectedJob');
  expect(unexpected).toMatchObject({
    type: 'Warning',
    message: 'Saw a job that the controller did not create or forgot: manual',
  });
  // Its next Jobs replace each other, not that one.
  await clock.advance(1_200_000);
  const names = (await client.list('jobs')).items.map((job) => job.metadata.name);
  expect(names).toHaveLength(2);
  expect(names).toContain('manual');
  await cluster.endPods('Succeeded');
  await clock.advance(1_000);
  const { status } = await client.get('cronjobs', at('tick'));
  expect(status).toMatchObject({ lastSuccessfulTime: '2026-01-01T00:20:01Z' });
  expect(status.active ?? []).toEqual([]);
});

test('a cron job adopts its job that is missing in the status', async () => {
  const jobTemplate = {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  };
  const spec = { schedule: '*/10 * * * *', jobTemplate };
  const cron = await client.create('cronjobs', { metadata: { name: 'tick', namespace: 'default' }, spec } as any);
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid: cron.metadata.uid, controller: true };
  const name = `tick-${Date.parse('2026-01-01T00:10:00Z') / 60_000}`;
  const metadata = { name, namespace: 'default', ownerReferences: [owner] };
  await client.create('jobs', { metadata, spec: jobTemplate.spec } as any);
  await clock.advance(601_000);
  expect((await client.get('cronjobs', at('tick'))).status).toMatchObject({
    active: [{ name }],
    lastScheduleTime: '2026-01-01T00:10:00Z',
  });
});

test('a schedule without a time, one of a second and a long pause cause events and no hang', async () => {
  const jobTemplate = {
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  };
  const make = (name: string, schedule: string, more = {}) =>
    client.create('cronjobs', {
      metadata: { name, namespace: 'default' },
      spec: { schedule, jobTemplate, ...more },
    } as any);
  const eventsOf = async (name: string) =>
    (await client.list('events')).items
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`);
  await make('never', '0 0 31 2 *');
  await clock.advance(1_000);
  expect(await eventsOf('never')).toEqual([
    'InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second',
  ]);
  const paused = await make('paused', '* * * * *', { suspend: true });
  await clock.advance(7_260_000);
  await client.update('cronjobs', { ...paused, spec: { ...paused.spec, suspend: false } });
  await make('second', '@every 0s');
  await clock.advance(3_000);
  expect(await eventsOf('paused')).toContain(
    'TooManyMissedTimes: too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
  );
  const jobs = (await client.list('jobs')).items.map(({ metadata }) => metadata.name);
  expect(jobs.filter((name) => name.startsWith('paused-'))).toHaveLength(1);
  expect(jobs.filter((name) => name.startsWith('second-'))).toHaveLength(1);
  expect(jobs).toHaveLength(2);
});
