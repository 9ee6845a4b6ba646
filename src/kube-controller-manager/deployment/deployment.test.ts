import { expect, test } from 'vitest';
import { web, workloads } from '../shared/test-workloads.ts';

const cluster = workloads();
const { pods, deployment, messages, settle } = cluster;

test('a deployment makes its pods, and reports its progress', async () => {
  await cluster.client.create('deployments', web('one'));
  await cluster.clock.settle();
  expect(await pods()).toHaveLength(4);
  await settle();
  expect(await deployment()).toMatchObject({
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } },
    status: {
      replicas: 4,
      readyReplicas: 4,
      availableReplicas: 4,
      updatedReplicas: 4,
      observedGeneration: 1,
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    },
  });
  const [set] = (await cluster.client.list('replicasets')).items;
  expect(await messages('ScalingReplicaSet')).toEqual([`Scaled up replica set ${set.metadata.name} from 0 to 4`]);
  expect(await messages('SuccessfulCreate')).toHaveLength(4);
  expect(set.metadata.annotations).toMatchObject({
    'deployment.kubernetes.io/desired-replicas': '4',
    'deployment.kubernetes.io/max-replicas': '5',
  });
  expect(cluster.warnings).toEqual([]);
});

test('an update rolls within its limits, can be undone, and keeps revisions', async () => {
  await cluster.client.create('deployments', web('one'));
  await settle();
  await cluster.client.update('deployments', { ...(await deployment()), spec: web('two').spec });
  await cluster.clock.settle();
  expect((await pods()).length).toBeLessThanOrEqual(5);
  expect((await pods()).filter((pod) => pod.status?.phase === 'Running').length).toBeGreaterThanOrEqual(3);
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['two', 'two', 'two', 'two']);
  await cluster.client.update('deployments', { ...(await deployment()), spec: web('one').spec });
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['one', 'one', 'one', 'one']);
  const sets = (await cluster.client.list('replicasets')).items;
  expect(sets.map((set) => [set.spec.template.spec?.containers[0].image, set.metadata.annotations])).toMatchObject([
    ['one', { 'deployment.kubernetes.io/revision': '3', 'deployment.kubernetes.io/revision-history': '1' }],
    ['two', { 'deployment.kubernetes.io/revision': '2' }],
  ]);
  expect((await deployment()).metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
  expect(cluster.warnings).toEqual([]);
});

test('an update to a broken image stops at its limits and misses its deadline', async () => {
  await cluster.client.create('deployments', web('one'));
  await settle();
  await cluster.client.update('deployments', { ...(await deployment()), spec: web('broken').spec });
  await settle();
  const images = (await pods()).map((pod) => pod.spec.containers[0].image).sort();
  expect(images).toEqual(['broken', 'broken', 'one', 'one', 'one']);
  await cluster.clock.advance(605_000);
  const { status } = await deployment();
  expect(status.conditions?.find((condition) => condition.type === 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: expect.stringMatching(/^ReplicaSet "web-\w+" has timed out progressing\.$/),
  });
});

test('recreate lets the old pods end first', async () => {
  const strategy = { type: 'Recreate' };
  await cluster.client.create('deployments', web('one', { strategy }));
  await settle();
  for (const pod of await pods())
    await cluster.client.update('pods', { ...pod, metadata: { ...pod.metadata, finalizers: ['test/hold'] } });
  await cluster.client.update('deployments', { ...(await deployment()), spec: web('two', { strategy }).spec });
  await settle();
  expect(await pods()).toHaveLength(0);
  for (const pod of (await cluster.client.list('pods')).items)
    await cluster.client.update('pods', { ...pod, metadata: { ...pod.metadata, finalizers: [] } });
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['two', 'two', 'two', 'two']);
});

test('scaling in the middle of an update keeps the proportion; paused deployments only scale', async () => {
  // The example of the page on Deployments, under Proportional scaling.
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
  await cluster.client.create('deployments', web('one', { replicas: 10, strategy }));
  await settle();
  await cluster.client.update('deployments', {
    ...(await deployment()),
    spec: web('broken', { replicas: 10, strategy }).spec,
  });
  await settle();
  const sizes = async () =>
    Object.fromEntries(
      (await cluster.client.list('replicasets')).items.map((set) => [
        set.spec.template.spec?.containers[0].image,
        set.spec.replicas,
      ]),
    );
  expect(await sizes()).toEqual({ one: 8, broken: 5 });
  await cluster.client.update('deployments', {
    ...(await deployment()),
    spec: web('broken', { replicas: 15, strategy }).spec,
  });
  await settle();
  expect(await sizes()).toEqual({ one: 11, broken: 7 });
  await cluster.client.update('deployments', {
    ...(await deployment()),
    spec: web('two', { replicas: 15, strategy, paused: true }).spec,
  });
  await settle();
  expect(await sizes()).toEqual({ one: 11, broken: 7 });
  expect((await deployment()).status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }),
  );
});

test('old sets beyond the history limit go', async () => {
  await cluster.client.create('deployments', web('v0', { revisionHistoryLimit: 2 }));
  for (let i = 1; i <= 5; i++) {
    await settle();
    await cluster.client.update('deployments', {
      ...(await deployment()),
      spec: web(`v${i}`, { revisionHistoryLimit: 2 }).spec,
    });
  }
  await settle();
  const sets = (await cluster.client.list('replicasets')).items;
  expect(sets.map((set) => set.spec.template.spec?.containers[0].image)).toEqual(['v3', 'v4', 'v5']);
});
