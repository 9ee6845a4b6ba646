import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Logger } from '../machinery/logger.ts';
import { silentLogger } from '../machinery/logger.ts';
import { startCluster, type TestCluster } from './testing.ts';

let cluster: TestCluster;
let directory: string;
const errors: string[] = [];

const logger: Logger = {
  ...silentLogger,
  error: (message, fields = {}) => void errors.push(`${message}: ${fields['error']}`),
  child: () => logger,
};

beforeEach(async () => {
  errors.length = 0;
  directory = await mkdtemp(path.join(os.tmpdir(), 'coracle-static-'));
  await mkdir(path.join(directory, 'manifests'));
  const kubeletConfig = path.join(directory, 'kubelet.yaml');
  const content = { staticPodPath: 'manifests', fileCheckFrequency: '1s' };
  const type = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' };
  await writeFile(kubeletConfig, JSON.stringify({ ...type, ...content }));
  await write('web.yaml', manifest('web'));
  cluster = await startCluster({ time: 'real', kubeletConfig, logger });
  await cluster.until(async () => (await pod())?.status?.phase === 'Running');
});
afterEach(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true });
});

const manifest = (name: string, image = 'example.com/app:1', spec: object = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations: { 'simulated.coracle.local/termination-ms': '800' } },
    spec: { terminationGracePeriodSeconds: 2, containers: [{ name: 'main', image }], ...spec },
  });

/** As an editor does it. */
async function write(name: string, text: string): Promise<void> {
  await writeFile(path.join(directory, `.${name}`), text);
  await rename(path.join(directory, `.${name}`), path.join(directory, 'manifests', name));
}
const remove = (name: string) => rm(path.join(directory, 'manifests', name));

const pod = (name = 'web-node-1') => cluster.client.get('pods', { namespace: 'default', name }).catch(() => undefined);
const annotation = 'kubernetes.io/config.';

test('a static pod has a mirror pod with its status', async () => {
  const { metadata, spec, status } = (await pod()) ?? {};
  const node = await cluster.client.get('nodes', { name: 'node-1' });
  const { annotations = {} } = metadata ?? {};
  expect(annotations[`${annotation}mirror`]).toBe(annotations[`${annotation}hash`]);
  expect(annotations[`${annotation}source`]).toBe('file');
  expect(Date.parse(annotations[`${annotation}seen`])).toBeGreaterThan(0);
  expect(metadata?.uid).not.toBe(annotations[`${annotation}hash`]);
  expect(metadata?.ownerReferences).toEqual([
    { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: node.metadata.uid, controller: true },
  ]);
  expect(spec?.nodeName).toBe('node-1');
  expect(spec?.tolerations).toEqual([{ operator: 'Exists', effect: 'NoExecute' }]);
  expect(status?.containerStatuses?.[0]?.ready).toBe(true);
  await cluster.until(async () => (await pod())?.status?.conditions?.some((c) => c.type === 'Ready') === true);
});

test.each([{ gracePeriodSeconds: 0 }, { gracePeriodSeconds: 30 }])(
  'a mirror pod that is deleted with %o is made again, and the container goes on',
  async (options) => {
    const first = await pod();
    await cluster.client.delete('pods', { namespace: 'default', name: 'web-node-1' }, options);
    await cluster.until(async () => {
      const found = await pod();
      return found !== undefined && found.metadata.uid !== first?.metadata.uid && found.status?.phase === 'Running';
    });
    const id = (found: typeof first) => found?.status?.containerStatuses?.[0]?.containerID;
    expect(id(await pod())).toBe(id(first));
  },
);

test('a changed manifest replaces the pod and its mirror pod', async () => {
  const first = await pod();
  await write('web.yaml', manifest('web', 'example.com/app:2'));
  await cluster.until(async () => {
    const found = await pod();
    return found?.spec.containers[0].image === 'example.com/app:2' && found.status?.phase === 'Running';
  });
  expect((await pod())?.metadata.uid).not.toBe(first?.metadata.uid);
});

test('the newest of several changes during the grace of the pod wins', async () => {
  for (const tag of ['2', '3', '4']) {
    await write('web.yaml', manifest('web', `example.com/app:${tag}`));
    await cluster.advance(200);
  }
  await cluster.until(async () => {
    const found = await pod();
    return found?.spec.containers[0].image === 'example.com/app:4' && found.status?.phase === 'Running';
  });
});

test('a manifest that goes and comes back within the grace of its pod starts it again', async () => {
  const first = await pod();
  await remove('web.yaml');
  await cluster.advance(200);
  const stopping = await pod();
  expect(stopping?.metadata.uid).toBe(first?.metadata.uid);
  expect(stopping?.status?.phase).toBe('Running');
  await write('web.yaml', manifest('web'));
  await cluster.until(async () => {
    const found = await pod();
    return found?.metadata.uid !== first?.metadata.uid && found?.status?.phase === 'Running';
  });
});

test('a pod with a uid of its own is updated in place', async () => {
  const fixed = (image: string) =>
    JSON.stringify({ ...JSON.parse(manifest('fixed', image)), metadata: { name: 'fixed', uid: 'own' } });
  await write('fixed.yaml', fixed('example.com/app:1'));
  await cluster.until(async () => (await pod('fixed-node-1'))?.status?.phase === 'Running');
  const first = await pod('fixed-node-1');
  await write('fixed.yaml', fixed('example.com/app:2'));
  await cluster.until(
    async () => (await pod('fixed-node-1'))?.status?.containerStatuses?.[0].image.endsWith('app:2') === true,
  );
  expect((await pod('fixed-node-1'))?.metadata.uid).toBe(first?.metadata.uid);
});

test('a mirror pod goes with the manifest', async () => {
  await remove('web.yaml');
  await cluster.until(async () => (await pod()) === undefined);
});

test('an invalid manifest stops no other', async () => {
  await write('a.yaml', 'kind: [');
  await write('b.yaml', manifest('b', 'example.com/app:1', { serviceAccountName: 'default' }));
  await write('c.yaml', manifest('c'));
  await cluster.until(async () => (await pod('c-node-1'))?.status?.phase === 'Running');
  expect(errors.toSorted()).toEqual([
    'static pod not read: static pods may not reference serviceaccounts',
    'static pod not read: yaml: line 1: did not find expected node content',
  ]);
});

test('a half written manifest does not end its pod', async () => {
  const first = await pod();
  await writeFile(path.join(directory, 'manifests', 'web.yaml'), '{"apiVersion": "v1",');
  await cluster.advance(200);
  await writeFile(path.join(directory, 'manifests', 'web.yaml'), manifest('web'));
  await cluster.advance(500);
  expect((await pod())?.metadata.uid).toBe(first?.metadata.uid);
});

test('a mirror pod without a static pod is deleted', async () => {
  const node = await cluster.client.get('nodes', { name: 'node-1' });
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: node.metadata.uid, controller: true };
  await cluster.client.create('pods', {
    metadata: {
      ...{ name: 'orphan', namespace: 'default', ownerReferences: [owner] },
      annotations: { [`${annotation}mirror`]: 'x', [`${annotation}source`]: 'file' },
    },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'example.com/app:1' }] },
  } as any);
  await cluster.until(async () => (await pod('orphan')) === undefined);
});

test('a pod of the API that claims to be a static pod is none', async () => {
  await cluster.client.create('pods', {
    metadata: { name: 'false', namespace: 'default', annotations: { [`${annotation}source`]: 'file' } },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'example.com/app:1' }] },
  } as any);
  await cluster.until(async () => (await pod('false'))?.status?.phase === 'Running');
  await cluster.client.delete('pods', { namespace: 'default', name: 'false' });
  await cluster.until(async () => (await pod('false')) === undefined);
});

test('the next kubelet takes its static pods over', async () => {
  const first = await pod();
  const node = cluster.node('node-1');
  await node.stop();
  await node.start();
  await cluster.advance(1500);
  expect((await pod())?.metadata.uid).toBe(first?.metadata.uid);
  await remove('web.yaml');
  await cluster.until(async () => (await pod()) === undefined);
});

test('a static pod that finds no room preempts other pods', async () => {
  const requests = { cpu: '20' };
  await cluster.client.create('pods', {
    metadata: { name: 'victim', namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'example.com/app:1', resources: { requests } }],
    },
  } as any);
  await cluster.until(async () => (await pod('victim'))?.status?.phase === 'Running');
  const containers = [{ name: 'main', image: 'example.com/app:1', resources: { requests } }];
  await write('large.yaml', manifest('large', '', { containers }));
  await cluster.until(async () => (await pod('large-node-1'))?.status?.phase === 'Running');
  expect((await pod('victim'))?.status).toMatchObject({
    ...{ phase: 'Failed', reason: 'Preempting', message: 'Preempted in order to admit critical pod' },
    conditions: expect.arrayContaining([
      expect.objectContaining({
        ...{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' },
        message: 'Pod was preempted by Kubelet to accommodate a critical pod.',
      }),
    ]),
  });
});
