// Controllers against a fake server; the test simulates the kubelets.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { type Client, createClient, type RunningComponent } from '../client/client.ts';
import { FakeServer } from '../client/fake-server.ts';
import type { Logger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { startKubeControllerManager } from './kube-controller-manager.ts';

let server: FakeServer;
let clock: VirtualClock;
let client: Client;
let manager: RunningComponent;
let warnings: string[];

beforeEach(async () => {
  server = new FakeServer();
  clock = new VirtualClock();
  client = createClient(server);
  warnings = [];
  const note = (message: string, fields?: object) => void warnings.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug() {}, info() {}, warn: note, error: note, child: () => logger };
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random: seededRandom(1), logger, metrics: new Metrics(), fatal };
  manager = await startKubeControllerManager(context, { rootCa: 'PEM', clusterCidrs: ['10.244.0.0/16'] });
  await clock.settle();
});
afterEach(async () => {
  await manager.stop();
});

const pods = async () => [...(await client.list('pods')).items].filter((pod) => !pod.metadata.deletionTimestamp);
const deployment = () => client.get('deployments', { namespace: 'default', name: 'web' });
const messages = async (reason: string) =>
  (await client.list('events')).items.filter((event) => event.reason === reason).map((event) => event.message);

/** Makes all pods ready; those with `broken` images never are. */
async function runPods(): Promise<void> {
  for (const pod of await pods()) {
    if (pod.status?.phase === 'Running' || pod.spec.containers[0].image === 'broken') continue;
    const lastTransitionTime = new Date(clock.now()).toISOString();
    const status = {
      phase: 'Running',
      podIP: `10.0.0.${pod.metadata.resourceVersion}`,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }],
    };
    await client.update('pods', { ...pod, status } as Pod, { subresource: 'status' });
  }
  await clock.settle();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await clock.settle();
    await runPods();
  }
}

const web = (image: string, spec: object = {}): any => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 4,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
    ...spec,
  },
});

test('a deployment makes its pods, and reports its progress', async () => {
  await client.create('deployments', web('one'));
  await clock.settle();
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
  const [set] = (await client.list('replicasets')).items;
  expect(await messages('ScalingReplicaSet')).toEqual([`Scaled up replica set ${set.metadata.name} from 0 to 4`]);
  expect(await messages('SuccessfulCreate')).toHaveLength(4);
  expect(set.metadata.annotations).toMatchObject({
    'deployment.kubernetes.io/desired-replicas': '4',
    'deployment.kubernetes.io/max-replicas': '5',
  });
  expect(warnings).toEqual([]);
});

test('an update rolls within its limits, can be undone, and keeps revisions', async () => {
  await client.create('deployments', web('one'));
  await settle();
  await client.update('deployments', { ...(await deployment()), spec: web('two').spec });
  await clock.settle();
  expect((await pods()).length).toBeLessThanOrEqual(5);
  expect((await pods()).filter((pod) => pod.status?.phase === 'Running').length).toBeGreaterThanOrEqual(3);
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['two', 'two', 'two', 'two']);
  await client.update('deployments', { ...(await deployment()), spec: web('one').spec });
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['one', 'one', 'one', 'one']);
  const sets = (await client.list('replicasets')).items;
  expect(sets.map((set) => [set.spec.template.spec?.containers[0].image, set.metadata.annotations])).toMatchObject([
    ['one', { 'deployment.kubernetes.io/revision': '3', 'deployment.kubernetes.io/revision-history': '1' }],
    ['two', { 'deployment.kubernetes.io/revision': '2' }],
  ]);
  expect((await deployment()).metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3' });
  expect(warnings).toEqual([]);
});

test('an update to a broken image stops at its limits and misses its deadline', async () => {
  await client.create('deployments', web('one'));
  await settle();
  await client.update('deployments', { ...(await deployment()), spec: web('broken').spec });
  await settle();
  const images = (await pods()).map((pod) => pod.spec.containers[0].image).sort();
  expect(images).toEqual(['broken', 'broken', 'one', 'one', 'one']);
  await clock.advance(605_000);
  const { status } = await deployment();
  expect(status.conditions?.find((condition) => condition.type === 'Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: expect.stringMatching(/^ReplicaSet "web-\w+" has timed out progressing\.$/),
  });
});

test('recreate lets the old pods end first', async () => {
  const strategy = { type: 'Recreate' };
  await client.create('deployments', web('one', { strategy }));
  await settle();
  for (const pod of await pods())
    await client.update('pods', { ...pod, metadata: { ...pod.metadata, finalizers: ['test/hold'] } });
  await client.update('deployments', { ...(await deployment()), spec: web('two', { strategy }).spec });
  await settle();
  expect(await pods()).toHaveLength(0);
  for (const pod of (await client.list('pods')).items)
    await client.update('pods', { ...pod, metadata: { ...pod.metadata, finalizers: [] } });
  await settle();
  expect((await pods()).map((pod) => pod.spec.containers[0].image)).toEqual(['two', 'two', 'two', 'two']);
});

test('scaling in the middle of an update keeps the proportion; paused deployments only scale', async () => {
  // The example of the page on Deployments, under Proportional scaling.
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
  await client.create('deployments', web('one', { replicas: 10, strategy }));
  await settle();
  await client.update('deployments', { ...(await deployment()), spec: web('broken', { replicas: 10, strategy }).spec });
  await settle();
  const sizes = async () =>
    Object.fromEntries(
      (await client.list('replicasets')).items.map((set) => [
        set.spec.template.spec?.containers[0].image,
        set.spec.replicas,
      ]),
    );
  expect(await sizes()).toEqual({ one: 8, broken: 5 });
  await client.update('deployments', { ...(await deployment()), spec: web('broken', { replicas: 15, strategy }).spec });
  await settle();
  expect(await sizes()).toEqual({ one: 11, broken: 7 });
  await client.update('deployments', {
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
  await client.create('deployments', web('v0', { revisionHistoryLimit: 2 }));
  for (let i = 1; i <= 5; i++) {
    await settle();
    await client.update('deployments', {
      ...(await deployment()),
      spec: web(`v${i}`, { revisionHistoryLimit: 2 }).spec,
    });
  }
  await settle();
  const sets = (await client.list('replicasets')).items;
  expect(sets.map((set) => set.spec.template.spec?.containers[0].image)).toEqual(['v3', 'v4', 'v5']);
});

test('a replica set replaces lost pods, adopts orphans, releases non-matching pods, and deletes the least useful', async () => {
  const { template, selector } = web('one').spec;
  await client.create('pods', {
    metadata: { name: 'orphan', namespace: 'default', labels: { app: 'web' } },
    spec: template.spec,
  } as any);
  await clock.settle();
  const spec = { replicas: 3, selector, template };
  const set = await client.create('replicasets', { metadata: { name: 'set', namespace: 'default' }, spec });
  await clock.settle();
  const orphan = await client.get('pods', { namespace: 'default', name: 'orphan' });
  expect(orphan.metadata.ownerReferences).toMatchObject([{ kind: 'ReplicaSet', name: 'set', controller: true }]);
  expect(await pods()).toHaveLength(3);
  await settle();
  await client.delete('pods', { namespace: 'default', name: 'orphan' });
  await clock.settle();
  expect(await pods()).toHaveLength(3);
  const fresh = (await pods()).find((pod) => pod.status?.phase !== 'Running');
  await client.update('replicasets', {
    ...(await client.get('replicasets', { namespace: 'default', name: 'set' })),
    spec: { ...spec, replicas: 2 },
  });
  await clock.settle();
  expect((await pods()).map((pod) => pod.metadata.name)).not.toContain(fresh?.metadata.name);
  expect(await pods()).toHaveLength(2);
  const live = await client.get('replicasets', { namespace: 'default', name: 'set' });
  expect(live.status).toMatchObject({ replicas: 2, readyReplicas: 2, fullyLabeledReplicas: 2 });
  expect(live.metadata.uid).toBe(set.metadata.uid);
});

test('a set that may not make pods reports it, and retries later', async () => {
  const { template, selector } = web('one').spec;
  server.before = ({ method, path }) => {
    if (method === 'POST' && path.endsWith('/pods')) throw new Error('no quota');
  };
  const spec = { replicas: 3, selector, template };
  await client.create('replicasets', { metadata: { name: 'set', namespace: 'default' }, spec });
  await clock.settle();
  const live = await client.get('replicasets', { namespace: 'default', name: 'set' });
  expect(live.status.conditions).toMatchObject([
    { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'no quota' },
  ]);
  server.before = () => {};
  await clock.advance(10_000);
  expect(await pods()).toHaveLength(3);
});

test('endpoint slices follow the pods', async () => {
  const service: any = {
    metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
    spec: {
      clusterIP: '10.96.0.9',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
    },
  };
  await client.create('services', service);
  await clock.settle();
  const slices = async () => (await client.list('endpointslices')).items;
  expect(await slices()).toMatchObject([{ addressType: 'IPv4', endpoints: [], ports: [] }]);
  await client.create('deployments', web('one', { replicas: 120 }));
  await settle();
  const filled = await slices();
  expect(filled.map((slice) => slice.endpoints?.length).sort()).toEqual([100, 20]);
  expect(filled[0]).toMatchObject({
    metadata: {
      labels: {
        team: 'a',
        'kubernetes.io/service-name': 'web',
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
      ownerReferences: [{ kind: 'Service', name: 'web' }],
    },
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  });
  const { subsets } = await client.get('endpoints', { namespace: 'default', name: 'web' });
  expect(subsets?.[0].addresses).toHaveLength(120);
  await client.update('deployments', { ...(await deployment()), spec: web('one', { replicas: 0 }).spec });
  await settle();
  expect((await slices()).map((slice) => slice.endpoints)).toEqual([[]]);
  expect(warnings).toEqual([]);
});

test('namespaces get their service account and CA', async () => {
  await client.create('namespaces', { metadata: { name: 'team' }, status: { phase: 'Active' } });
  await clock.settle();
  await client.get('serviceaccounts', { namespace: 'team', name: 'default' });
  const ca = await client.get('configmaps', { namespace: 'team', name: 'kube-root-ca.crt' });
  expect(ca.data).toEqual({ 'ca.crt': 'PEM' });
  await client.update('configmaps', { ...ca, data: { 'ca.crt': 'tampered', other: 'x' } });
  await client.delete('serviceaccounts', { namespace: 'team', name: 'default' });
  await clock.settle();
  await client.get('serviceaccounts', { namespace: 'team', name: 'default' });
  expect((await client.get('configmaps', { namespace: 'team', name: 'kube-root-ca.crt' })).data).toEqual({
    'ca.crt': 'PEM',
  });
});
