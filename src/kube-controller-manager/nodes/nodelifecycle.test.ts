import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';
import { at, startTestCluster, type TestCluster } from '../shared/test-cluster.ts';
import { reconcileOnce } from '../test-turns.ts';
import { nodelifecycle } from './nodelifecycle.ts';
import { startNodes } from './test-nodes.ts';

let cluster: TestCluster;
let client: TestCluster['client'];
let clock: TestCluster['clock'];
beforeEach(async () => {
  cluster = await startTestCluster();
  ({ client, clock } = cluster);
});
afterEach(() => cluster.stop());

const node = (name: string) => client.get('nodes', { name });
const taintsOf = async (name: string) =>
  (await node(name)).spec.taints?.map((taint) => `${taint.key}:${taint.effect}`) ?? [];

test('a node without heartbeats becomes Unknown after 40 s, and its pods are evicted after 5 min more', async () => {
  const nodes = await startNodes(cluster, 3);
  await nodes.pass(60);
  expect(await taintsOf('n0')).toEqual([]);
  nodes.silent.add('n0');
  await nodes.pass(30);
  expect((await node('n0')).status.conditions?.[0].status).toBe('True');
  await nodes.pass(30);
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
  await nodes.pass(260);
  expect((await client.get('pods', at('p0'))).metadata.deletionTimestamp).toBeUndefined();
  await nodes.pass(60);
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

test('a recovered node keeps its pods', async () => {
  const nodes = await startNodes(cluster, 3);
  await nodes.pass(20);
  nodes.silent.add('n0');
  await nodes.pass(120);
  expect(await taintsOf('n0')).toHaveLength(2);
  nodes.silent.delete('n0');
  const now = timestamp(clock.now());
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now };
  await client.patch(
    'nodes',
    { name: 'n0' },
    { type: 'strategic', body: { status: { conditions: [ready] } } },
    { subresource: 'status' },
  );
  await nodes.pass(400);
  expect(await taintsOf('n0')).toEqual([]);
  expect(await cluster.names('pods', 'default')).toEqual(['p0', 'p1', 'p2']);
});

test('without heartbeats of any node, no pod is evicted', async () => {
  const nodes = await startNodes(cluster, 2);
  await nodes.pass(20);
  nodes.silent.add('n0').add('n1');
  await nodes.pass(600);
  expect((await node('n0')).status.conditions?.[0].status).toBe('Unknown');
  expect((await client.list('pods')).items.every((pod) => pod.metadata.deletionTimestamp === undefined)).toBe(true);
});

test('a refused status of a pod, or refused taints of a node, do not delay others', async () => {
  const conditions = [{ type: 'Ready', status: 'False' }];
  const nodes = ['n0', 'n1', 'n2'].map((name) => ({ metadata: { name }, spec: {}, status: { conditions } }));
  const pods = ['p0', 'p1', 'p2'].map((name, i) => ({
    metadata: { namespace: 'x', name },
    spec: { nodeName: `n${i}` },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }));
  const ready = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6'].map((name) => ({
    metadata: { name },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }));
  const tried: string[] = [];
  const refuses = ({ name }: { name: string }) => tried.push(name) > 0 && (name === 'p0' || name === 'n0');
  await reconcileOnce(nodelifecycle(), ' monitor', { nodes: [...nodes, ...ready], pods, leases: [] }, refuses);
  expect(tried).toEqual(['p0', 'p1', 'p2', 'n0']);
});
