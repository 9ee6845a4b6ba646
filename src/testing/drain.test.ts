import { afterEach, beforeEach, expect, test } from 'vitest';
import { isConditionTrue } from '../api/api.ts';
import { drainNode, removeNode } from '../cluster/cluster.ts';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster({ nodes: 2 });
});
afterEach(() => cluster.stop());

const template = (more: object = {}) => ({
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: 'example.com/app:1' }], terminationGracePeriodSeconds: 1, ...more },
});
const selector = { matchLabels: { app: 'x' } };
const running = async () =>
  (await cluster.client.list('pods')).items.filter(({ status }) => status?.phase === 'Running');
const on = async (node: string) => (await running()).filter(({ spec }) => spec.nodeName === node).length;

/** Resolves with the error's message, or undefined. */
async function drain(
  node: string,
  options: { force?: boolean; deleteEmptyDirData?: boolean; timeoutMs?: number } = {},
) {
  const { force = false, deleteEmptyDirData = false, timeoutMs = 60_000 } = options;
  let done = false;
  let message: string | undefined;
  void drainNode(cluster.client, node, { force, deleteEmptyDirData, timeoutMs, clock: cluster.clock })
    .catch((error) => {
      message = error.message;
    })
    .finally(() => {
      done = true;
    });
  await cluster.until(() => done);
  return message;
}

async function deploy(replicas: number, more: object = {}) {
  const metadata = { namespace: 'default', name: 'x' };
  await cluster.client.create('deployments', {
    metadata,
    spec: { replicas, selector, template: template(more) },
  } as never);
  await cluster.until(async () => (await running()).length === replicas);
}

test('pods move to another node, and those of a DaemonSet stay', async () => {
  await deploy(4);
  const labels = { app: 'd' };
  const daemon = { ...template(), metadata: { labels } };
  await cluster.client.create('daemonsets', {
    metadata: { namespace: 'default', name: 'd' },
    spec: { selector: { matchLabels: labels }, template: daemon },
  } as never);
  await cluster.until(async () => (await running()).length === 6);
  expect(await drain('node-1')).toBeUndefined();
  await cluster.until(async () => (await running()).length === 6);
  expect(await on('node-1')).toBe(1);
  expect((await cluster.client.get('nodes', { name: 'node-1' })).spec?.unschedulable).toBe(true);
});

test('a node that is gone is removed at once, and its pods are created elsewhere', async () => {
  await deploy(4);
  await cluster.node('node-1').stop();
  const isReady = async () => isConditionTrue(await cluster.client.get('nodes', { name: 'node-1' }), 'Ready');
  await cluster.until(async () => !(await isReady()));
  const options = { force: false, deleteEmptyDirData: false, timeoutMs: 0, clock: cluster.clock };
  await removeNode(cluster.client, 'node-1', options);
  await cluster.until(async () => (await on('node-2')) === 4);
});

test('a budget holds up the drain until its timeout', async () => {
  await deploy(2);
  await cluster.client.create('poddisruptionbudgets', {
    metadata: { namespace: 'default', name: 'x' },
    spec: { minAvailable: 2, selector },
  } as never);
  await cluster.advance(1_000);
  expect(await drain('node-1', { timeoutMs: 20_000 })).toMatch(/still there after the timeout: .*disruption budget/);
});

test.each([
  ['a pod that nothing creates again', {}, /nothing creates again: default\/alone: add --force/],
  ['a pod with local data', { volumes: [{ name: 'v', emptyDir: {} }] }, /add --delete-emptydir-data/],
])('%s needs an option', async (_, more, message) => {
  const isAlone = !('volumes' in more);
  if (isAlone) {
    const metadata = { namespace: 'default', name: 'alone' };
    await cluster.client.create('pods', { metadata, spec: { ...template(more).spec, nodeName: 'node-1' } } as never);
    await cluster.until(async () => (await on('node-1')) === 1);
  } else await deploy(4, more);
  const node = (await on('node-1')) ? 'node-1' : 'node-2';
  expect(await drain(node)).toMatch(message);
  expect(await drain(node, { force: true, deleteEmptyDirData: true })).toBeUndefined();
  expect(await on(node)).toBe(0);
});
