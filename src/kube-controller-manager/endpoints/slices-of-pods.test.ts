import { expect, test } from 'vitest';
import { web, workloads } from '../shared/test-workloads.ts';

const cluster = workloads();
const { deployment, settle } = cluster;

test('endpoint slices follow the pods', async () => {
  const service: any = {
    metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
    spec: {
      clusterIP: '10.96.0.9',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }],
    },
  };
  await cluster.client.create('services', service);
  await cluster.clock.settle();
  const slices = async () => (await cluster.client.list('endpointslices')).items;
  expect(await slices()).toMatchObject([{ addressType: 'IPv4', endpoints: [], ports: [] }]);
  await cluster.client.create('deployments', web('one', { replicas: 120 }));
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
  const { subsets } = await cluster.client.get('endpoints', { namespace: 'default', name: 'web' });
  expect(subsets?.[0].addresses).toHaveLength(120);
  await cluster.client.update('deployments', { ...(await deployment()), spec: web('one', { replicas: 0 }).spec });
  await settle();
  expect((await slices()).map((slice) => slice.endpoints)).toEqual([[]]);
  expect(cluster.warnings).toEqual([]);
});
