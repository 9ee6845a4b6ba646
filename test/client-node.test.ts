// The JavaScript client of the Kubernetes project against a cluster over HTTPS: list, watch through an informer, patch.

import { type ApiException, CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startCluster, type TestCluster } from '../src/testing/testing.ts';

let cluster: TestCluster;
let config: KubeConfig;
let core: CoreV1Api;

beforeAll(async () => {
  cluster = await startCluster({ https: true, time: 'real', components: ['kube-apiserver'] });
  config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig!);
  core = config.makeApiClient(CoreV1Api);
  await core.createNamespace({ body: { metadata: { name: 'shop' } } });
});
afterAll(() => cluster.stop());

test('an informer gets creations, changes and deletions', async () => {
  const namespace = 'shop';
  const heard: string[] = [];
  const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, () =>
    core.listNamespacedConfigMap({ namespace }),
  );
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, ({ metadata, data }: V1ConfigMap) => {
      heard.push(`${verb} ${metadata?.name} ${data?.size}`);
    });
  await informer.start();
  try {
    const made = await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'cart' }, data: { size: 'small' } },
    });
    await core.replaceNamespacedConfigMap({ namespace, name: 'cart', body: { ...made, data: { size: 'large' } } });
    await core.deleteNamespacedConfigMap({ namespace, name: 'cart' });
    await vi.waitFor(() => expect(heard).toEqual(['add cart small', 'update cart large', 'delete cart large']));
  } finally {
    await informer.stop();
  }
});

test('a refusal arrives as a Status that the client can read', async () => {
  const refused = core.readNamespacedConfigMap({ namespace: 'shop', name: 'none' });
  const error = (await refused.catch((reason) => reason)) as ApiException<string>;
  expect(error.code).toBe(404);
  expect(JSON.parse(error.body)).toMatchObject({
    kind: 'Status',
    reason: 'NotFound',
    message: 'configmaps "none" not found',
  });
});
