import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatTime } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { createClient } from '../../client/client.ts';
import { createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { dnsDeployment, proxyDaemonSet } from './objects.ts';
import { addOnsReady } from './ready.ts';

const namespace = 'kube-system';
let clock: VirtualClock;
let client: Client;
let stop: () => Promise<void>;
let isOver: boolean | undefined;

beforeEach(async () => {
  clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const api = await createApiServer({ store, clock, random: seededRandom(1), logger: silentLogger });
  client = createClient(api.transport({ name: 'admin', groups: ['system:masters'] }));
  stop = () => api.stop();
  isOver = undefined;
  await client.create('namespaces', { metadata: { name: namespace } } as never).catch(() => {});
});
afterEach(() => stop());

const wait = async () => {
  void addOnsReady({ client, clock, nodeNames: ['a', 'b'], sinceMs: clock.now() }).then((waited) => (isOver = waited));
  await clock.settle();
};
const container = { name: 'main', image: 'image', imageID: '', ready: true, restartCount: 0 };
let count = 0;
const makeAddOns = async () => {
  await client.raw('POST', `/apis/apps/v1/namespaces/${namespace}/daemonsets`, proxyDaemonSet());
  await client.raw(
    'POST',
    `/apis/apps/v1/namespaces/${namespace}/deployments`,
    dnsDeployment({ dns: 20_000, metrics: 20_001 }),
  );
};
async function ready(app: string, nodeName: string, startedAt = formatTime(clock.now())): Promise<void> {
  const metadata = { namespace, name: `${app}-${nodeName}-${count++}`, labels: { 'k8s-app': app } };
  const spec = { nodeName, containers: [{ name: 'main', image: 'image' }], automountServiceAccountToken: false };
  const pod = await client.create('pods', { metadata, spec } as never);
  await clock.settle();
  expect(isOver).toBeUndefined();
  const containerStatuses = [{ ...container, state: { running: { startedAt } } }];
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses };
  await client.update('pods', { ...pod, status } as never, { subresource: 'status' });
  await clock.settle();
}

describe('a start waits', () => {
  beforeEach(makeAddOns);

  test('for the proxy on each of its nodes, and for DNS on any node', async () => {
    await wait();
    await ready('kube-proxy', 'a');
    await ready('kube-dns', 'c');
    await ready('kube-proxy', 'c');
    await ready('kube-proxy', 'b');
    expect(isOver).toBe(true);
  });

  test('for the containers of this run', async () => {
    const former = formatTime(clock.now() - 60_000);
    await wait();
    await ready('kube-proxy', 'a', former);
    await ready('kube-proxy', 'b');
    await ready('kube-dns', 'c', former);
    await ready('kube-proxy', 'a');
    expect(isOver).toBe(true);
  });

  test('for five seconds', async () => {
    await wait();
    await ready('kube-proxy', 'a');
    await clock.advance(4_999);
    expect(isOver).toBeUndefined();
    await clock.advance(1);
    expect(isOver).toBe(true);
  });

  test('not for an add-on that a user has changed', async () => {
    const body = { spec: { replicas: 0 } };
    await client.patch('deployments', { namespace, name: 'cluster-dns' }, { type: 'merge', body });
    await wait();
    await ready('kube-proxy', 'a');
    await ready('kube-proxy', 'b');
    expect(isOver).toBe(true);
  });
});

test('a start without add-ons does not wait', async () => {
  await wait();
  expect(isOver).toBe(false);
});
