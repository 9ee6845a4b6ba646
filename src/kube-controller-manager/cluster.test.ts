// Controllers with the real API server in process, in virtual time: what needs its finalizers, grace and discovery.
// One long file, because its last test judges what the controllers asked for in all the others.

import { afterEach, beforeEach, expect, test } from 'vitest';
import bootstrap from '../../facts/bootstrap.json' with { type: 'json' };
import type { Pod } from '../api/api.ts';
import {
  type Client,
  createClient,
  microTimestamp,
  type RunningComponent,
  type Transport,
  timestamp,
} from '../client/client.ts';
import { type ApiServer, createApiServer } from '../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { createMemoryStore } from '../store/store.ts';
import { startKubeControllerManager } from './kube-controller-manager.ts';

let clock: VirtualClock;
let api: ApiServer;
let client: Client;
let manager: RunningComponent;

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** What controllers asked for beyond the roles that Kubernetes 1.36 gives their service accounts. */
const overreach = new Set<string>();
const roles: any[] = (bootstrap as any).objects['/apis/rbac.authorization.k8s.io/v1/clusterroles'];

function asked(method: string, path: string) {
  const parts = path.split('/').slice(1);
  const group = parts[0] === 'apis' ? parts[1] : '';
  let rest = parts.slice(parts[0] === 'apis' ? 3 : 2);
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'finalize' && rest[2] !== 'status')
    rest = rest.slice(2);
  const [resource = '', name, subresource] = rest;
  const verbs: Record<string, string> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: name ? 'delete' : 'deletecollection',
  };
  return { verb: verbs[method] ?? (name ? 'get' : 'list'), group, resource, subresource };
}

function within(account: string, transport: Transport): Transport {
  const rules = roles
    .filter(({ metadata: { name } }) => [`system:controller:${account}`, 'system:discovery'].includes(name))
    .flatMap((role) => role.rules);
  const has = (list: string[] | undefined, value: string) => list?.includes('*') || list?.includes(value);
  return {
    send(request) {
      const { verb, group, resource, subresource } = asked(request.method, request.path);
      const what = subresource ? `${resource}/${subresource}` : resource;
      const allowed = rules.some((rule) =>
        resource
          ? has(rule.verbs, verb) && has(rule.apiGroups, group) && has(rule.resources, what)
          : rule.nonResourceURLs?.some(
              (url: string) => url === request.path || (url.endsWith('*') && request.path.startsWith(url.slice(0, -1))),
            ),
      );
      if (!allowed) overreach.add(`${account}: ${verb} ${what || request.path} ${group}`);
      return transport.send(request);
    },
  };
}

beforeEach(async () => {
  clock = new VirtualClock();
  const random = seededRandom(7);
  const logger = silentLogger;
  api = await createApiServer({ store: createMemoryStore({ clock }), clock, random, logger });
  client = createClient(api.transport(admin));
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random, logger, metrics: new Metrics(), fatal };
  manager = await startKubeControllerManager(context, {
    rootCa: 'PEM',
    clusterCidrs: ['10.244.0.0/22'],
    clientFor: (account) => createClient(within(account, api.transport(admin))),
  });
  await clock.settle();
  for (const name of ['default', 'kube-node-lease']) await client.create('namespaces', { metadata: { name } });
  await clock.settle();
});
afterEach(async () => {
  await manager.stop();
  await api.stop();
});

const names = async (resource: 'configmaps' | 'pods' | 'secrets' | 'namespaces', namespace?: string) =>
  (await client.list(resource, { namespace })).items
    .filter((object) => object.metadata.name !== 'kube-root-ca.crt')
    .map((object) => object.metadata.name);

async function ownedSecret(name: string, owners: { metadata: { name: string; uid: string } }[], blocks = false) {
  return client.create('secrets', {
    metadata: {
      name,
      namespace: 'default',
      ownerReferences: owners.map(({ metadata: { name, uid } }) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name,
        uid,
        blockOwnerDeletion: blocks,
      })),
    },
  });
}
const configMap = (name: string) => client.create('configmaps', { metadata: { name, namespace: 'default' } });
const at = (name: string) => ({ namespace: 'default', name });

test('background: dependents go after their owner, and only those that have lost every owner', async () => {
  const [a, b] = [await configMap('a'), await configMap('b')];
  await ownedSecret('of-a', [a]);
  await ownedSecret('of-both', [a, b]);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Background' });
  await clock.advance(100);
  expect(await names('secrets', 'default')).toEqual(['of-both']);
  const { ownerReferences } = (await client.get('secrets', at('of-both'))).metadata;
  expect(ownerReferences?.map((owner) => owner.name)).toEqual(['b']);
});

test('foreground: the owner stays until what blocks it is gone', async () => {
  const a = await configMap('a');
  const held = await ownedSecret('held', [a], true);
  await client.update('secrets', { ...held, metadata: { ...held.metadata, finalizers: ['test.io/hold'] } });
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Foreground' });
  await clock.advance(100);
  expect((await client.get('configmaps', at('a'))).metadata.finalizers).toEqual(['foregroundDeletion']);
  expect((await client.get('secrets', at('held'))).metadata.deletionTimestamp).toBeDefined();
  await client.patch('secrets', at('held'), { type: 'merge', body: { metadata: { finalizers: null } } });
  await clock.advance(100);
  expect(await names('configmaps', 'default')).toEqual([]);
});

test('orphan: dependents stay, without the owner', async () => {
  const a = await configMap('a');
  await ownedSecret('orphan', [a]);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Orphan' });
  await clock.advance(100);
  expect(await names('configmaps', 'default')).toEqual([]);
  expect((await client.get('secrets', at('orphan'))).metadata.ownerReferences ?? []).toEqual([]);
});

test('a ring of owners does not hold itself up', async () => {
  const maps = [await configMap('r0'), await configMap('r1'), await configMap('r2')];
  for (const [i, map] of maps.entries()) {
    const { name, uid } = maps[(i + 2) % 3].metadata;
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name, uid, controller: true, blockOwnerDeletion: true },
    ];
    await client.update('configmaps', { ...map, metadata: { ...map.metadata, ownerReferences } });
  }
  await clock.settle();
  await client.delete('configmaps', at('r0'), { propagationPolicy: 'Foreground' });
  await clock.advance(10_000);
  expect(await names('configmaps', 'default')).toEqual([]);
});

test('a dependent with an owner that stays, stays, though another owner waits for it', async () => {
  const [a, b] = [await configMap('a'), await configMap('b')];
  await ownedSecret('of-both', [a, b], true);
  await clock.settle();
  await client.delete('configmaps', at('a'), { propagationPolicy: 'Foreground' });
  await clock.advance(1000);
  expect(await names('configmaps', 'default')).toEqual(['b']);
  const { ownerReferences } = (await client.get('secrets', at('of-both'))).metadata;
  expect(ownerReferences?.map((owner) => owner.name)).toEqual(['b']);
});

test('what is made for an owner that is gone already, goes', async () => {
  await ownedSecret('late', [{ metadata: { name: 'never', uid: '11111111-1111-4111-8111-111111111111' } }]);
  await clock.advance(100);
  expect(await names('secrets', 'default')).toEqual([]);
});

test('a namespace is emptied, says what holds it up, and goes', async () => {
  await client.create('namespaces', { metadata: { name: 'team' } });
  await clock.settle();
  await client.create('configmaps', { metadata: { name: 'x', namespace: 'team', finalizers: ['test.io/hold'] } });
  await client.create('secrets', { metadata: { name: 's', namespace: 'team' } });
  await client.delete('namespaces', { name: 'team' });
  await clock.advance(1000);
  expect(await names('secrets', 'team')).toEqual([]);
  const { conditions, phase } = (await client.get('namespaces', { name: 'team' })).status;
  expect(phase).toBe('Terminating');
  expect(conditions?.filter((condition) => condition.status === 'True').map((condition) => condition.message)).toEqual([
    'Some resources are remaining: configmaps. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: test.io/hold in 1 resource instances',
  ]);
  const patch = { type: 'merge', body: { metadata: { finalizers: null } } } as const;
  await client.patch('configmaps', { namespace: 'team', name: 'x' }, patch);
  await clock.advance(6000);
  expect(await names('namespaces')).toEqual(['default', 'kube-node-lease']);
});

const silent = new Set<string>();

/** Nodes that renew their leases every 10 s unless silenced, with a pod each. */
async function nodes(count: number): Promise<void> {
  silent.clear();
  for (let i = 0; i < count; i++) {
    const name = `n${i}`;
    await client.create('nodes', { metadata: { name } });
    await client.create('leases', { metadata: { name, namespace: 'kube-node-lease' }, spec: { holderIdentity: name } });
    const now = timestamp(clock.now());
    const ready = {
      type: 'Ready',
      status: 'True',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
      reason: 'KubeletReady',
    };
    await client.patch(
      'nodes',
      { name },
      { type: 'merge', body: { status: { conditions: [ready] } } },
      { subresource: 'status' },
    );
    await client.create('pods', {
      metadata: { name: `p${i}`, namespace: 'default' },
      spec: {
        nodeName: name,
        containers: [{ name: 'c', image: 'i' }],
        tolerations: ['not-ready', 'unreachable'].map((what) => ({
          key: `node.kubernetes.io/${what}`,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        })),
      },
    } as Partial<Pod> as Pod);
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: now }];
    const body = { status: { phase: 'Running', startTime: now, conditions } };
    await client.patch('pods', at(`p${i}`), { type: 'merge', body }, { subresource: 'status' });
  }
}

async function pass(seconds: number): Promise<void> {
  const { items } = await client.list('nodes');
  for (let passed = 0; passed < seconds; passed += 10) {
    for (const {
      metadata: { name },
    } of items)
      if (!silent.has(name)) {
        const body = { spec: { renewTime: microTimestamp(clock.now()) } };
        await client.patch('leases', { namespace: 'kube-node-lease', name }, { type: 'merge', body });
      }
    await clock.advance(Math.min(10, seconds - passed) * 1000);
  }
}

const node = (name: string) => client.get('nodes', { name });
const taintsOf = async (name: string) =>
  (await node(name)).spec.taints?.map((taint) => `${taint.key}:${taint.effect}`) ?? [];

test('a silent node becomes Unknown after 40 s, and its pods go after 5 min more', async () => {
  await nodes(3);
  await pass(60);
  expect(await taintsOf('n0')).toEqual([]);
  silent.add('n0');
  await pass(30);
  expect((await node('n0')).status.conditions?.[0].status).toBe('True');
  await pass(30);
  expect((await node('n0')).status.conditions).toContainEqual(
    expect.objectContaining({
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    }),
  );
  expect((await taintsOf('n0')).sort()).toEqual([
    'node.kubernetes.io/unreachable:NoExecute',
    'node.kubernetes.io/unreachable:NoSchedule',
  ]);
  const ready = (pod: Pod) => pod.status.conditions?.find((condition) => condition.type === 'Ready')?.status;
  expect(ready(await client.get('pods', at('p0')))).toBe('False');
  expect(ready(await client.get('pods', at('p1')))).toBe('True');
  await pass(260);
  expect((await client.get('pods', at('p0'))).metadata.deletionTimestamp).toBeUndefined();
  await pass(60);
  const doomed = await client.get('pods', at('p0'));
  expect(doomed.metadata.deletionTimestamp).toBeDefined();
  expect(doomed.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'DisruptionTarget', reason: 'DeletionByTaintManager' }),
  );
  expect((await client.get('pods', at('p1'))).metadata.deletionTimestamp).toBeUndefined();
  const events = (await client.list('events')).items.map((event) => `${event.reason}: ${event.message}`);
  expect(events).toEqual(
    expect.arrayContaining([
      'RegisteredNode: Node n0 event: Registered Node n0 in Controller',
      'NodeNotReady: Node n0 status is now: NodeNotReady',
      'NodeNotReady: Node is not ready',
      'TaintManagerEviction: Marking for deletion Pod default/p0',
    ]),
  );
});

test('a node that comes back keeps its pods', async () => {
  await nodes(3);
  await pass(20);
  silent.add('n0');
  await pass(120);
  expect(await taintsOf('n0')).toHaveLength(2);
  silent.delete('n0');
  const now = timestamp(clock.now());
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now };
  await client.patch(
    'nodes',
    { name: 'n0' },
    { type: 'strategic', body: { status: { conditions: [ready] } } },
    { subresource: 'status' },
  );
  await pass(400);
  expect(await taintsOf('n0')).toEqual([]);
  expect(await names('pods', 'default')).toEqual(['p0', 'p1', 'p2']);
});

test('when every node falls silent, nothing is evicted', async () => {
  await nodes(2);
  await pass(20);
  silent.add('n0').add('n1');
  await pass(600);
  expect((await node('n0')).status.conditions?.[0].status).toBe('Unknown');
  expect((await client.list('pods')).items.every((pod) => pod.metadata.deletionTimestamp === undefined)).toBe(true);
});

test('nodes get ranges of addresses, and those of deleted nodes are given out again', async () => {
  await nodes(4);
  await clock.settle();
  const ranges = async () => (await client.list('nodes')).items.map((node) => node.spec.podCIDR);
  expect(await ranges()).toEqual(['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']);
  await client.delete('nodes', { name: 'n1' });
  await clock.settle();
  await client.create('nodes', { metadata: { name: 'new' } });
  await clock.settle();
  expect((await node('new')).spec.podCIDRs).toEqual(['10.244.1.0/24']);
});

test('pods of a node that is gone are removed', async () => {
  await nodes(2);
  await pass(20);
  await client.delete('nodes', { name: 'n0' });
  await clock.advance(100_000);
  expect(await names('pods', 'default')).toEqual(['p1']);
});

test('an aggregated role is the sum of the roles it selects', async () => {
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const selector = { clusterRoleSelectors: [{ matchLabels: { sum: 'yes' } }] };
  await client.create('clusterroles', { metadata: { name: 'sum' }, aggregationRule: selector, rules: [] });
  await client.create('clusterroles', { metadata: { name: 'part1', labels: { sum: 'yes' } }, rules: [rule('pods')] });
  await client.create('clusterroles', { metadata: { name: 'part2', labels: { sum: 'yes' } }, rules: [rule('nodes')] });
  await clock.advance(100);
  expect((await client.get('clusterroles', { name: 'sum' })).rules).toEqual([rule('pods'), rule('nodes')]);
});

/** Ends the pods of a Job as told, in the order of their names. */
async function endPods(phase: 'Succeeded' | 'Failed', count = 100): Promise<number> {
  const open = (await client.list('pods')).items.filter(
    (pod) => !['Succeeded', 'Failed'].includes(pod.status?.phase ?? '') && !pod.metadata.deletionTimestamp,
  );
  for (const { metadata } of open.slice(0, count)) {
    const finishedAt = timestamp(clock.now());
    const state = { terminated: { exitCode: phase === 'Failed' ? 1 : 0, finishedAt } };
    const containerStatuses = [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }];
    const body = { status: { phase, containerStatuses } };
    await client.patch('pods', at(metadata.name), { type: 'merge', body }, { subresource: 'status' });
  }
  await clock.settle();
  return open.length;
}
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
  expect(await endPods('Succeeded', 1)).toBe(2);
  expect((await job()).status).toMatchObject({ active: 2, succeeded: 1 });
  await endPods('Succeeded');
  await endPods('Succeeded');
  expect((await job()).status).toMatchObject({ succeeded: 5, completionTime: expect.any(String) });
  expect(await conditionsOf()).toEqual(['SuccessCriteriaMet: CompletionsReached', 'Complete: CompletionsReached']);
  expect((await client.list('pods')).items.flatMap((pod) => pod.metadata.finalizers ?? [])).toEqual([]);
  await clock.advance(70_000);
  expect((await client.list('jobs')).items).toHaveLength(0);
  expect(await names('pods', 'default')).toEqual([]);
});

test('a job waits longer after each failure, and gives up at its limit', async () => {
  await createJob({ backoffLimit: 2 });
  await clock.settle();
  await endPods('Failed');
  expect(await endPods('Failed')).toBe(0);
  await clock.advance(10_000);
  expect(await endPods('Failed')).toBe(1);
  await clock.advance(10_000);
  expect(await endPods('Failed')).toBe(0);
  await clock.advance(10_000);
  expect(await endPods('Failed')).toBe(1);
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
  await endPods('Succeeded', 2);
  expect((await job()).status).toMatchObject({ succeeded: 2, active: 1 });
  await endPods('Succeeded');
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

test('with a limit for each index, one that fails for good does not stop the others', async () => {
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
  await runPods();
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

/** What a kubelet would: pods that are being deleted go, others on a node (or of a StatefulSet) become ready. */
async function runPods(broken: string = ''): Promise<void> {
  for (let round = 0; round < 25; round++) {
    await clock.advance(50);
    for (const pod of (await client.list('pods')).items) {
      const { name, deletionTimestamp } = pod.metadata;
      if (deletionTimestamp) await client.delete('pods', at(name), { gracePeriodSeconds: 0 });
      else if (pod.status?.phase !== 'Running' && pod.spec.containers[0].image !== broken) {
        const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: timestamp(clock.now()) }];
        const body = { status: { phase: 'Running', startTime: timestamp(clock.now()), conditions } };
        await client.patch('pods', at(name), { type: 'merge', body }, { subresource: 'status' });
      }
    }
  }
}
const template = (image: string) => ({
  metadata: { labels: { app: 'x' } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image }] },
});
const selector = { matchLabels: { app: 'x' } };
const images = async () =>
  (await client.list('pods')).items.map(
    (pod) => `${pod.metadata.name.replace(/^d-.*/, 'd')} ${pod.spec.containers[0].image}`,
  );

test('a daemon set has a pod on each node that it asks for, also on broken ones, and rolls one by one', async () => {
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
  await runPods();
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
  await runPods('broken');
  expect((await images()).sort()).toEqual(['d broken', 'd one']);
  await client.patch('daemonsets', at('d'), { type: 'merge', body: { spec: { template: template('two') } } });
  await runPods();
  expect(await images()).toEqual(['d two', 'd two']);
  expect((await client.list('controllerrevisions')).items.map(({ revision }) => revision).sort()).toEqual([1, 2, 3]);
  await client.patch('nodes', { name: 'c' }, { type: 'merge', body: { metadata: { labels: { disk: 'yes' } } } });
  await runPods();
  expect(await images()).toHaveLength(3);
  expect(set.metadata.generation).toBe(1);
});

test('a stateful set makes its pods in order, with storage, rolls from the top, and shrinks from the top', async () => {
  const claim = {
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const spec = { replicas: 3, serviceName: 's', selector, template: template('one'), volumeClaimTemplates: [claim] };
  await client.create('statefulsets', { metadata: { name: 's', namespace: 'default' }, spec } as any);
  await clock.settle();
  expect(await images()).toEqual(['s-0 one']);
  await runPods();
  expect(await images()).toEqual(['s-0 one', 's-1 one', 's-2 one']);
  const pod = await client.get('pods', at('s-1'));
  expect(pod.spec).toMatchObject({ hostname: 's-1', subdomain: 's' });
  expect(pod.metadata.labels).toMatchObject({
    'apps.kubernetes.io/pod-index': '1',
    'statefulset.kubernetes.io/pod-name': 's-1',
  });
  expect(pod.spec.volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'data-s-1' } });
  expect((await client.list('persistentvolumeclaims')).items.map(({ metadata }) => metadata.name)).toEqual([
    'data-s-0',
    'data-s-1',
    'data-s-2',
  ]);
  await client.patch('statefulsets', at('s'), {
    type: 'merge',
    body: { spec: { template: template('two'), updateStrategy: { rollingUpdate: { partition: 1 } } } },
  });
  await runPods();
  expect(await images()).toEqual(['s-0 one', 's-1 two', 's-2 two']);
  await client.patch('statefulsets', at('s'), {
    type: 'merge',
    body: { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } },
  });
  await runPods();
  expect(await images()).toEqual(['s-0 two', 's-1 two', 's-2 two']);
  const { status } = await client.get('statefulsets', at('s'));
  expect(status).toMatchObject({ replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentReplicas: 3 });
  expect(status.currentRevision).toBe(status.updateRevision);
  await client.patch('statefulsets', at('s'), { type: 'merge', body: { spec: { replicas: 1 } } });
  await runPods();
  expect(await images()).toEqual(['s-0 two']);
});

test('a cron job makes jobs by the clock, not two at a time if it must not, and keeps a few', async () => {
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
    await endPods('Succeeded');
    await clock.advance(600_000);
  }
  await endPods('Succeeded');
  await clock.advance(1000);
  const finished = (await client.list('jobs')).items.filter((job) => job.status.completionTime);
  expect(finished).toHaveLength(3);
  const reasons = (await client.list('events')).items.map(({ reason }) => reason);
  expect(reasons).toEqual(
    expect.arrayContaining(['SuccessfulCreate', 'JobAlreadyActive', 'SawCompletedJob', 'SuccessfulDelete']),
  );
});

test('a cron job leaves a job alone that somebody else made of it', async () => {
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
  await endPods('Succeeded');
  await clock.advance(1_000);
  const { status } = await client.get('cronjobs', at('tick'));
  expect(status).toMatchObject({ lastSuccessfulTime: '2026-01-01T00:20:01Z' });
  expect(status.active ?? []).toEqual([]);
});

test('a cron job knows its job again when its status did not tell of it', async () => {
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

test('a schedule that never comes, one of a second and a long pause make events and hang nothing', async () => {
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

test('a disruption budget follows its pods', async () => {
  const spec = { replicas: 4, selector, template: template('one') };
  await client.create('replicasets', { metadata: { name: 'r', namespace: 'default' }, spec } as any);
  const budget = { maxUnavailable: '50%', selector };
  await client.create('poddisruptionbudgets', { metadata: { name: 'b', namespace: 'default' }, spec: budget } as any);
  await clock.settle();
  const read = async () => (await client.get('poddisruptionbudgets', at('b'))).status;
  expect(await read()).toMatchObject({ expectedPods: 4, desiredHealthy: 2, currentHealthy: 0, disruptionsAllowed: 0 });
  await runPods();
  expect(await read()).toMatchObject({
    expectedPods: 4,
    currentHealthy: 4,
    disruptionsAllowed: 2,
    conditions: [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods' }],
  });
});

test('a quota says what its namespace uses', async () => {
  const hard = {
    pods: '10',
    'requests.cpu': '2',
    'limits.memory': '1Gi',
    configmaps: '5',
    'count/replicasets.apps': '3',
    'services.nodeports': '2',
  };
  await client.create('resourcequotas', { metadata: { name: 'q', namespace: 'default' }, spec: { hard } } as any);
  const { metadata, spec } = template('one');
  const resources = { requests: { cpu: '250m' }, limits: { memory: '100Mi', cpu: '1' } };
  const sized = { metadata, spec: { ...spec, containers: [{ ...spec.containers[0], resources }] } };
  const set = { replicas: 2, selector, template: sized };
  await client.create('replicasets', { metadata: { name: 'r', namespace: 'default' }, spec: set } as any);
  await client.create('services', {
    metadata: { name: 's', namespace: 'default' },
    spec: { type: 'NodePort', ports: [{ port: 80 }] },
  } as any);
  await clock.advance(1000);
  expect((await client.get('resourcequotas', at('q'))).status).toEqual({
    hard,
    used: {
      pods: '2',
      'requests.cpu': '500m',
      'limits.memory': '200Mi',
      configmaps: '1',
      'count/replicasets.apps': '1',
      'services.nodeports': '1',
    },
  });
});

test('of two managers one works, and the other takes over at once when that one stops', async () => {
  await manager.stop();
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random: seededRandom(3), logger: silentLogger, metrics: new Metrics(), fatal };
  await client.create('namespaces', { metadata: { name: 'kube-system' } });
  const one = await startKubeControllerManager(context, { leaderElection: { identity: 'one' } });
  await clock.advance(100);
  manager = await startKubeControllerManager(context, { leaderElection: { identity: 'two' } });
  await clock.advance(30_000);
  const lease = async () =>
    (await client.get('leases', { namespace: 'kube-system', name: 'kube-controller-manager' })).spec;
  expect((await lease()).holderIdentity).toBe('one');
  await one.stop();
  expect((await lease()).holderIdentity).toBe('');
  await clock.advance(5_000);
  expect(await lease()).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  await client.create('namespaces', { metadata: { name: 'fresh' } });
  await clock.advance(100);
  await client.get('serviceaccounts', { namespace: 'fresh', name: 'default' });
});

test('no controller in any test above asked for more than its role allows', () => {
  expect([...overreach].sort()).toEqual([]);
});
