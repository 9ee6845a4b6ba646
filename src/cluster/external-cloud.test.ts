// A whole cluster with a cloud of the user's own: simulated nodes, and a webhook in this test.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { completeConfig } from './config.ts';
import { type Cluster, startParts } from './start.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'coracle-external-'));
const calls: string[] = [];
let hangs = false;
let cloud: Server;
let cluster: Cluster;

/** The answers of the cloud, by the names of the calls. */
const answers: Record<string, object> = {
  'find-instance': {
    exists: true,
    instance: {
      ...{ providerID: 'test://7', type: 'small', zone: 'z1', region: 'r1' },
      addresses: [{ type: 'ExternalIP', address: '198.51.100.7' }],
    },
  },
  'get-load-balancer': { exists: true },
  'ensure-load-balancer': { ingress: [{ hostname: 'lb.example.org' }] },
  'list-routes': { routes: [] },
};

beforeAll(async () => {
  cloud = createServer((request, response) => {
    if (hangs) return;
    let text = '';
    request.on('data', (piece) => {
      text += piece;
    });
    request.on('end', () => {
      const name = path.basename(request.url ?? '');
      calls.push(name);
      response.end(JSON.stringify({ requestID: JSON.parse(text).requestID, ...answers[name] }));
    });
  });
  await new Promise<void>((resolve) => cloud.listen(0, '127.0.0.1', resolve));
  const cloudConfig = path.join(directory, 'cloud.yaml');
  const fields = {
    ...{ apiVersion: 'cloud.coracle.local/v1', kind: 'ExternalCloud' },
    url: `http://127.0.0.1:${(cloud.address() as AddressInfo).port}`,
    ...{ offers: ['instances', 'loadBalancers', 'routes'], timeout: '1s', retries: 0 },
  };
  writeFileSync(cloudConfig, JSON.stringify(fields));
  const config = completeConfig({
    ...{ name: 'test', dataDirectory: '/nonexistent', runtime: 'simulated', store: 'memory', nodeNames: ['n'] },
    ...{ cloudProvider: 'external', cloudConfig, port: undefined },
    components: ['kube-apiserver', 'kube-controller-manager', 'cloud-controller-manager', 'kubelet'],
  });
  const environment = { clock: systemClock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics() };
  cluster = await startParts(config, environment);
}, 30_000);

afterAll(async () => {
  await cluster?.stop();
  cloud?.closeAllConnections();
  cloud?.close();
  rmSync(directory, { recursive: true, force: true });
});

const node = () => cluster.client.get('nodes', { name: 'n' });
const service = () => cluster.client.get('services', { namespace: 'default', name: 'web' });
const soon = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 15_000, interval: 100 });

test('its nodes are described, its routes and load balancers made; while it hangs, all stays', async () => {
  await soon(async () => {
    const { metadata, spec, status } = await node();
    expect(spec?.providerID).toBe('test://7');
    expect((spec?.taints ?? []).map(({ key }) => key)).toEqual([]);
    expect(metadata.labels).toMatchObject({ 'topology.kubernetes.io/zone': 'z1' });
    expect(status?.addresses).toEqual([
      { type: 'ExternalIP', address: '198.51.100.7' },
      { type: 'Hostname', address: 'n' },
    ]);
  });
  await cluster.client.create('services', {
    metadata: { namespace: 'default', name: 'web' },
    spec: { type: 'LoadBalancer', selector: { app: 'x' }, ports: [{ port: 80 }] },
  } as never);
  await soon(async () =>
    expect((await service()).status?.loadBalancer).toEqual({ ingress: [{ hostname: 'lb.example.org' }] }),
  );
  await soon(async () => {
    const conditions = (await node()).status?.conditions ?? [];
    expect(conditions.find(({ type }) => type === 'NetworkUnavailable')?.reason).toBe('RouteCreated');
  });

  hangs = true;
  await cluster.nodes.get('n')?.stop();
  const conditions = [{ type: 'Ready', status: 'Unknown' }];
  await cluster.client.patch(
    'nodes',
    { name: 'n' },
    { type: 'strategic', body: { status: { conditions } } },
    { subresource: 'status' },
  );
  await cluster.client.delete('services', { namespace: 'default', name: 'web' });
  await soon(async () => {
    const part = (await cluster.status()).parts.find(({ name }) => name === 'cloud-controller-manager');
    expect(part?.problem).toMatch(/does not answer: no answer within 1 s$/);
  });
  expect((await node()).metadata.deletionTimestamp).toBeUndefined();
  expect((await service()).status?.loadBalancer?.ingress).toHaveLength(1);

  hangs = false;
  answers['find-instance'] = { exists: false };
  await soon(async () => {
    await expect(node()).rejects.toThrow('not found');
    await expect(service()).rejects.toThrow('not found');
  });
  expect(calls).toContain('delete-load-balancer');
}, 20_000);
