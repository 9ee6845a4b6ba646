import { expect, test } from 'vitest';
import { createClient } from '../client/client.ts';
import { FakeServer } from '../client/fake-server.ts';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { startKubeProxy } from './kube-proxy.ts';

test('the start is an event of the node, found by its name as uid', async () => {
  const server = new FakeServer();
  const clock = new VirtualClock();
  const context = {
    ...{ client: createClient(server), clock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics() },
    fatal(error: Error) {
      throw error;
    },
  };
  const proxy = await startKubeProxy(context, {
    ...{ nodeName: 'n1', nodeIPs: ['192.0.2.1'], mode: 'userspace', clusterName: 'event-of-start' },
    ...{ clusterCidrs: ['10.244.0.0/16'], serviceCidrs: ['10.96.0.0/12'] },
  });
  await proxy.stop();
  const { body } = await server.send({ method: 'GET', path: '/apis/events.k8s.io/v1/namespaces/default/events' });
  expect((body as { items: object[] }).items).toMatchObject([
    {
      ...{ type: 'Normal', reason: 'Starting', action: 'StartKubeProxy', note: '' },
      ...{ reportingController: 'kube-proxy', reportingInstance: 'kube-proxy-n1' },
      regarding: { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n1' },
    },
  ]);
});
