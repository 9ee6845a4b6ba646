import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ignoreNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { completeConfig } from '../config.ts';
import { type Cluster, startParts } from '../start.ts';
import { ensureAddOns } from './ensure.ts';

const namespace = 'kube-system';
const random = seededRandom(1);
let cluster: Cluster;
let client: Client;

beforeEach(async () => {
  const clock = new VirtualClock();
  const starting = startParts(
    completeConfig({
      ...{ name: 'test', dataDirectory: '/nonexistent', port: undefined, store: 'memory', nodeIP: '127.0.0.1' },
      components: ['kube-apiserver'],
    }),
    { clock, random, logger: silentLogger, metrics: new Metrics() },
  );
  await clock.settle();
  cluster = await starting;
  client = cluster.client;
});
afterEach(() => cluster.stop());

const ensure = (
  disable: readonly ('kube-proxy' | 'cluster-dns')[] = [],
  server?: Parameters<typeof ensureAddOns>[0]['server'],
) =>
  ensureAddOns({
    ...{ client, random, logger: silentLogger, ...(server && { server }) },
    config: {
      components: (['kube-proxy', 'cluster-dns'] as const).filter((name) => !disable.includes(name)),
      ...{ disable, nodeIPs: ['127.0.0.1'], nodeNames: ['one'] },
    },
  });
const proxy = () => client.get('daemonsets', { namespace, name: 'kube-proxy' }).catch(ignoreNotFound);
const dns = () => client.get('deployments', { namespace, name: 'cluster-dns' }).catch(ignoreNotFound);
const remove = (resource: 'daemonsets' | 'deployments', name: string) => client.delete(resource, { namespace, name });

test('a machine that does not run them makes none', async () => {
  expect([await proxy(), await dns()]).toEqual([undefined, undefined]);
});

test('both are made as kubeadm makes them', async () => {
  await ensure();
  const { spec } = (await proxy())!;
  expect(spec.template.spec).toMatchObject({
    hostNetwork: true,
    priorityClassName: 'system-node-critical',
    serviceAccountName: 'kube-proxy',
    tolerations: [{ operator: 'Exists' }],
    nodeSelector: { 'kubernetes.io/os': 'linux' },
  });
  const { template, replicas } = (await dns())!.spec;
  expect(replicas).toBe(1);
  const [{ ports = [], args = [] }] = template.spec.containers;
  const [port, tcp, metrics] = ports.map(({ containerPort }) => containerPort);
  expect(args).toEqual([`--port=${port}`, `--metrics-port=${metrics}`]);
  expect([tcp, metrics]).toEqual([port, port + 1]);
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(port).toBeLessThan(30_000);
  expect(template.metadata?.labels).toEqual({ 'k8s-app': 'kube-dns' });
});

test('ports that a server on this machine has are left alone', async () => {
  await ensure();
  const ports = async () => (await dns())!.spec.template.spec.containers[0].ports!.map((p) => p.containerPort);
  const [taken] = await ports();
  const server = createServer().listen(taken, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  await ensure(['cluster-dns']);
  // The same random numbers again.
  await ensureAddOns({
    ...{ client, logger: silentLogger, random: { ...seededRandom(1), int: intsFrom(taken) } },
    config: { components: ['cluster-dns'], disable: [], nodeIPs: ['127.0.0.1'], nodeNames: ['one'] },
  });
  expect(await ports()).not.toContain(taken);
  server.close();
});

/** The first number chooses the port. */
function intsFrom(port: number) {
  const numbers = [(port - 20_000) / 2];
  return (below: number) => numbers.shift() ?? seededRandom(2).int(below);
}

describe('afterwards they are the user’s', () => {
  test('deleted ones stay away', async () => {
    await ensure();
    await remove('daemonsets', 'kube-proxy');
    await remove('deployments', 'cluster-dns');
    await ensure();
    expect([await proxy(), await dns()]).toEqual([undefined, undefined]);
  });

  test('changed ones stay so', async () => {
    await ensure();
    await client.patch('daemonsets', { namespace, name: 'kube-proxy' }, { type: 'merge', body: maxUnavailable('50%') });
    await ensure();
    expect((await proxy())!.spec.updateStrategy?.rollingUpdate?.maxUnavailable).toBe('50%');
  });

  test('--disable removes them, and they come back without it', async () => {
    await ensure();
    await ensure(['kube-proxy']);
    expect(await proxy()).toBeUndefined();
    expect(await dns()).toBeDefined();
    await ensure();
    expect(await proxy()).toBeDefined();
  });

  test('--disable leaves an object of the same name that a user made', async () => {
    await ensure(['kube-proxy']);
    await client.create('daemonsets', {
      metadata: { namespace, name: 'kube-proxy' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'other' }] } },
      },
    } as never);
    await ensure(['kube-proxy']);
    expect((await proxy())!.spec.template.spec.containers[0].image).toBe('other');
  });
});

const maxUnavailable = (value: string) => ({ spec: { updateStrategy: { rollingUpdate: { maxUnavailable: value } } } });

describe('the Service of a former version, whose servers were no pods', () => {
  const at = { namespace, name: 'kube-dns' };
  const slice = (name: string, manager: string) =>
    client.create('endpointslices', {
      metadata: {
        ...{ namespace, name },
        labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': manager },
      },
      ...{ addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }], ports: [] },
    } as never);
  beforeEach(async () => {
    await client.delete('services', at);
    const ports = [{ name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 }];
    await client.create('services', { metadata: at, spec: { clusterIP: '10.96.0.10', ports } } as never);
    await client.create('roles', { metadata: { namespace, name: 'system:coredns' }, rules: [] });
    await slice('kube-dns-one', 'cluster-dns.coracle.local');
    await slice('kube-dns-of-a-user', 'someone');
  });

  test.each([{ disable: [] }, { disable: ['cluster-dns'] as const }])('gets a selector: %j', async ({ disable }) => {
    await ensure(disable);
    const { spec } = await client.get('services', at);
    expect(spec).toMatchObject({ clusterIP: '10.96.0.10', selector: { 'k8s-app': 'kube-dns' } });
    expect(spec.ports?.map(({ targetPort }) => targetPort)).toEqual(['dns', 'dns-tcp', 'metrics']);
    const { items } = await client.list('endpointslices', { namespace });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['kube-dns-of-a-user']);
    const roles = await client.list('roles', { namespace });
    expect(roles.items.map(({ metadata }) => metadata.name)).not.toContain('system:coredns');
  });

  test('keeps the selector that it has', async () => {
    const selector = { my: 'dns' };
    await client.patch('services', at, { type: 'merge', body: { spec: { selector } } });
    await ensure();
    expect((await client.get('services', at)).spec.selector).toEqual(selector);
  });
});

test('servers leave an add-on away that one of them disabled, until its annotation is removed', async () => {
  const server = { isConfirmed: true } as never;
  const annotation = 'coracle.local/disabled-add-ons';
  const kept = async () => (await client.get('namespaces', { name: namespace })).metadata.annotations?.[annotation];
  await ensure();
  await ensure(['kube-proxy'], server);
  await ensure([], server);
  expect([await proxy(), await kept()]).toEqual([undefined, 'kube-proxy']);
  const body = { metadata: { annotations: { [annotation]: null } } };
  await client.patch('namespaces', { name: namespace }, { type: 'merge', body });
  await ensure([], server);
  expect(await proxy()).toBeDefined();
});

describe('cluster DNS of several servers', () => {
  const server = { isConfirmed: true } as never;
  const join = (name: string) => client.create('nodes', { metadata: { name } } as never);

  test('runs twice once there is another node', async () => {
    await join('one');
    await ensure([], server);
    expect((await dns())!.spec.replicas).toBe(1);
    await join('two');
    await ensure([], server);
    expect((await dns())!.spec.replicas).toBe(2);
  });

  test('runs as often as a user chose', async () => {
    await ensure();
    await client.patch(
      'deployments',
      { namespace, name: 'cluster-dns' },
      { type: 'merge', body: { spec: { replicas: 3 } } },
    );
    await client.patch(
      'deployments',
      { namespace, name: 'cluster-dns' },
      { type: 'merge', body: { spec: { replicas: 1 } } },
    );
    await join('two');
    await ensure([], server);
    expect((await dns())!.spec.replicas).toBe(1);
  });
});
