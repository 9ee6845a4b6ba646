import { afterEach, describe, expect, test } from 'vitest';
import type { Node, Service } from '../../api/api.ts';
import { type Client, createClient } from '../../client/client.ts';
import { createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { startCloudControllerManager } from '../cloud-controller-manager.ts';
import { changesNodes, needsUpdate, usesNode } from './services.ts';

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const range = ['192.0.2.200-192.0.2.201'];
const finalizer = 'service.kubernetes.io/load-balancer-cleanup';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(
  ranges: readonly string[],
  nodes: readonly string[] = ['192.0.2.10', '192.0.2.11'],
  serviceCidr = '10.96.0.0/12',
) {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const store = createMemoryStore({ clock });
  const api = await createApiServer({ store, clock, random, logger: silentLogger, config: { serviceCidr } });
  const client = createClient(api.transport(admin));
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random, logger: silentLogger, metrics: new Metrics(), fatal };
  const run = async () => {
    const manager = await startCloudControllerManager(context, {
      ...{ provider: 'local', clusterName: 'test', clusterCidrs: ['10.244.0.0/16'] },
      local: { ranges, reservedPorts: new Map([[6443, 'the API server']]) },
    });
    return manager.stop.bind(manager);
  };
  await client.create('namespaces', { metadata: { name: 'default' } });
  const stop = await run();
  ends.push(() => api.stop(), stop);
  for (const [index, address] of nodes.entries()) await node(client, `node-${index + 1}`, address);
  await clock.settle();
  return new Cloud(client, clock, async () => {
    await ends.pop()?.();
    ends.push(await run());
    await clock.settle();
  });
}

/** `text` may have several addresses. */
async function node(client: Client, name: string, text: string): Promise<void> {
  await client.create('nodes', { metadata: { name } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  const addresses = text.split(' ').map((address) => ({ type: 'InternalIP', address }));
  const body = { status: { addresses, conditions } };
  await client.patch('nodes', { name }, { type: 'merge', body }, { subresource: 'status' });
}

class Cloud {
  readonly client: Client;
  readonly clock: VirtualClock;
  readonly restart: () => Promise<void>;

  constructor(client: Client, clock: VirtualClock, restart: () => Promise<void>) {
    this.client = client;
    this.clock = clock;
    this.restart = restart;
  }

  async pass(ms = 100): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.settle();
  }

  async service(name: string, spec: object = {}, annotations: object = {}): Promise<void> {
    await this.client.create('services', {
      metadata: { namespace: 'default', name, annotations },
      spec: { type: 'LoadBalancer', selector: { app: 'x' }, ports: [{ port: 80 }], ...spec },
    } as never);
    await this.pass();
  }

  get = (name: string): Promise<Service> => this.client.get('services', { namespace: 'default', name });

  async change(name: string, body: object): Promise<void> {
    await this.client.patch('services', { namespace: 'default', name }, { type: 'merge', body });
    await this.pass();
  }

  async delete(name: string): Promise<void> {
    await this.client.delete('services', { namespace: 'default', name });
    await this.pass();
  }

  async addresses(name: string): Promise<string[]> {
    return ((await this.get(name)).status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '');
  }

  /** Reasons and messages of the events of a service, each once. */
  async events(name: string): Promise<string[]> {
    await this.pass();
    const { items } = await this.client.list('events', { namespace: 'default' });
    return items
      .filter(({ involvedObject }) => involvedObject?.name === name)
      .map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  }

  async slice(service: string, nodes: readonly string[]): Promise<void> {
    await this.client.create('endpointslices', {
      metadata: { namespace: 'default', name: service, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      ports: [],
      endpoints: nodes.map((nodeName, i) => ({
        addresses: [`10.244.0.${i + 2}`],
        nodeName,
        conditions: { ready: true },
      })),
    } as never);
    await this.pass();
  }
}

describe('a service gets an address', () => {
  test('of the range, a finalizer, and the events of Kubernetes', async () => {
    const cloud = await start(range);
    await cloud.service('web');
    const { metadata, status } = await cloud.get('web');
    expect(status?.loadBalancer).toEqual({ ingress: [{ ip: '192.0.2.200', ipMode: 'VIP' }] });
    expect(metadata.finalizers).toEqual([finalizer]);
    expect(metadata.annotations).toEqual({ 'coracle.local/announce-load-balancer': 'true' });
    expect(await cloud.events('web')).toEqual([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
  });

  test('no other service has, until none of the range is free; another service gets that of a deleted one', async () => {
    const cloud = await start(range);
    for (const name of ['a', 'b', 'c']) await cloud.service(name);
    expect([await cloud.addresses('a'), await cloud.addresses('b'), await cloud.addresses('c')]).toEqual([
      ['192.0.2.200'],
      ['192.0.2.201'],
      [],
    ]);
    expect(await cloud.events('c')).toContain(
      'Warning SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: all addresses of 192.0.2.200-192.0.2.201 are in use: give a larger --load-balancer-range, or delete a service',
    );
    await cloud.delete('a');
    expect(await cloud.addresses('c')).toEqual(['192.0.2.200']);
  });

  test('that survives a restart', async () => {
    const cloud = await start(range);
    for (const name of ['b', 'a']) await cloud.service(name);
    await cloud.restart();
    expect([await cloud.addresses('b'), await cloud.addresses('a')]).toEqual([['192.0.2.200'], ['192.0.2.201']]);
  });

  test.each<[string, object, object, string[], RegExp | undefined]>([
    ['that spec.loadBalancerIP names', { loadBalancerIP: '192.0.2.201' }, {}, ['192.0.2.201'], undefined],
    ['that the annotation names', {}, { 'coracle.local/load-balancer-ip': '192.0.2.201' }, ['192.0.2.201'], undefined],
    [
      'but none outside of the range',
      { loadBalancerIP: '192.0.2.7' },
      {},
      [],
      /192\.0\.2\.7 of spec\.loadBalancerIP is not in the range/,
    ],
    ['but no other text', {}, { 'coracle.local/load-balancer-ip': 'x' }, [], /"x" is no IP address/],
    [
      'but not two at once',
      { loadBalancerIP: '192.0.2.201' },
      { 'coracle.local/load-balancer-ip': '192.0.2.200' },
      [],
      /differ/,
    ],
    [
      'but not with source ranges that would be ignored',
      {},
      { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8' },
      [],
      /is not supported: use spec\.loadBalancerSourceRanges/,
    ],
    ['but not of another class', { loadBalancerClass: 'example.com/other' }, {}, [], undefined],
    ['but not as ClusterIP', { type: 'ClusterIP' }, {}, [], undefined],
  ])('%s', async (_, spec, annotations, wanted, refusal) => {
    const cloud = await start(range);
    await cloud.service('web', spec, annotations);
    expect(await cloud.addresses('web')).toEqual(wanted);
    const failures = (await cloud.events('web')).filter((event) => event.startsWith('Warning SyncLoadBalancerFailed'));
    if (refusal) expect(failures.join()).toMatch(refusal);
    else expect(failures).toEqual([]);
  });

  test('that another service has only when that gives it up', async () => {
    const cloud = await start(range);
    await cloud.service('first');
    await cloud.service('second', { loadBalancerIP: '192.0.2.200' });
    expect(await cloud.addresses('second')).toEqual([]);
    expect((await cloud.events('second')).join()).toContain('is the address of service default/first');
    await cloud.change('first', { spec: { loadBalancerIP: '192.0.2.201' } });
    expect(await cloud.addresses('first')).toEqual(['192.0.2.201']);
    await cloud.pass(5_000);
    expect(await cloud.addresses('second')).toEqual(['192.0.2.200']);
  });
});

describe('in a cluster of both families a service gets', () => {
  const dual = '10.96.0.0/12,fd00:96::/112';
  const both = [...range, 'fd00:1::/125'];
  const nodes = ['192.0.2.10 fd00::10', '192.0.2.11', '192.0.2.12 fd00::12'];
  const prefer = { ipFamilyPolicy: 'PreferDualStack' };
  const named = (text: string) => ({ 'coracle.local/load-balancer-ip': text });
  test.each<[string, string[], object, object, string[], RegExp?]>([
    ['an address of its first family', both, {}, {}, ['192.0.2.200']],
    ['one of IPv6, and not the first of the range', both, { ipFamilies: ['IPv6'] }, {}, ['fd00:1::1']],
    ['one of each family', both, prefer, {}, ['192.0.2.200', 'fd00:1::1']],
    ['in its order', both, { ...prefer, ipFamilies: ['IPv6'] }, {}, ['fd00:1::1', '192.0.2.200']],
    ['those that it names', both, prefer, named('fd00:1::7, 192.0.2.201'), ['192.0.2.201', 'fd00:1::7']],
    ['one, where a range is missing', range, prefer, {}, ['192.0.2.200']],
    ['none, where it requires both', range, { ipFamilyPolicy: 'RequireDualStack' }, {}, [], /needs an IPv6 address/],
    ['none, where its only family has no range', range, { ipFamilies: ['IPv6'] }, {}, [], /needs an IPv6 address/],
    ['none of a family that it lacks', both, {}, named('fd00:1::7'), [], /has no IPv6 address, so it cannot have/],
    ['not two of a family', both, prefer, named('fd00:1::7,fd00:1::6'), [], /has two IPv6 addresses/],
    ['the addresses of the nodes', [], prefer, {}, ['192.0.2.10', '192.0.2.11', '192.0.2.12', 'fd00::10', 'fd00::12']],
    ['those of one family', [], { ipFamilies: ['IPv6'] }, {}, ['fd00::10', 'fd00::12']],
  ])('%s', async (_, ranges, spec, annotations, wanted, refusal) => {
    const cloud = await start(ranges, nodes, dual);
    await cloud.service('web', spec, annotations);
    expect(await cloud.addresses('web')).toEqual(wanted);
    expect((await cloud.events('web')).filter((event) => event.startsWith('Warning')).join()).toMatch(refusal ?? /^$/);
  });
});

describe('a load balancer goes', () => {
  test('with its service, which waits for that', async () => {
    const cloud = await start(range);
    await cloud.service('web');
    await cloud.delete('web');
    await expect(cloud.get('web')).rejects.toThrow('not found');
    expect((await cloud.events('web')).slice(2)).toEqual([
      'Normal DeletingLoadBalancer: Deleting load balancer',
      'Normal DeletedLoadBalancer: Deleted load balancer',
    ]);
  });

  test('when the type changes, and comes back with it', async () => {
    const cloud = await start(range);
    await cloud.service('web');
    await cloud.change('web', { spec: { type: 'NodePort' } });
    const { metadata, status } = await cloud.get('web');
    expect([metadata.finalizers, metadata.annotations ?? {}, status?.loadBalancer]).toEqual([undefined, {}, {}]);
    await cloud.change('web', { spec: { type: 'LoadBalancer' } });
    expect(await cloud.addresses('web')).toEqual(['192.0.2.200']);
  });
});

describe('without a range a service has the addresses of the nodes', () => {
  test('that are ready and not excluded, as they change', async () => {
    const cloud = await start([]);
    await cloud.service('web');
    expect(await cloud.addresses('web')).toEqual(['192.0.2.10', '192.0.2.11']);
    await node(cloud.client, 'node-3', '192.0.2.12');
    await cloud.pass();
    expect(await cloud.addresses('web')).toEqual(['192.0.2.10', '192.0.2.11', '192.0.2.12']);
    expect(await cloud.events('web')).toContain('Normal UpdatedLoadBalancer: Updated load balancer with new hosts');
    const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': 'true' };
    await cloud.client.patch('nodes', { name: 'node-1' }, { type: 'merge', body: { metadata: { labels } } });
    const status = { conditions: [{ type: 'Ready', status: 'Unknown' }] };
    await cloud.client.patch(
      'nodes',
      { name: 'node-2' },
      { type: 'merge', body: { status } },
      { subresource: 'status' },
    );
    await cloud.pass();
    expect(await cloud.addresses('web')).toEqual(['192.0.2.12']);
  });

  test('with externalTrafficPolicy Local, those with endpoints', async () => {
    const cloud = await start([]);
    await cloud.service('web', { externalTrafficPolicy: 'Local' });
    expect(await cloud.addresses('web')).toEqual([]);
    await cloud.slice('web', ['node-2']);
    expect(await cloud.addresses('web')).toEqual(['192.0.2.11']);
    await cloud.client.delete('endpointslices', { namespace: 'default', name: 'web' });
    await cloud.pass();
    expect(await cloud.addresses('web')).toEqual([]);
    await cloud.change('web', { spec: { externalTrafficPolicy: 'Cluster' } });
    expect(await cloud.addresses('web')).toEqual(['192.0.2.10', '192.0.2.11']);
  });

  test.each<[string, object, RegExp | undefined]>([
    ['another port', { ports: [{ port: 81 }] }, undefined],
    ['the same port over UDP', { ports: [{ port: 80, protocol: 'UDP' }] }, undefined],
    ['the port of another service', {}, /in use: 80\/TCP \(service default\/first\)/],
    ['the host port of a pod', { ports: [{ port: 8080 }] }, /in use: 8080\/TCP \(pod default\/host\)/],
    ['the port of the API server', { ports: [{ port: 6443 }] }, /in use: 6443\/TCP \(the API server\)/],
    ['a node port of another service', { ports: [{ port: 30123 }] }, /\(node port of service default\/first\)/],
    [
      'several, one of them taken',
      {
        ports: [
          { name: 'a', port: 81 },
          { name: 'b', port: 80 },
        ],
      },
      /in use: 80\/TCP/,
    ],
  ])('%s', async (_, spec, refusal) => {
    const cloud = await start([]);
    const containers = [{ name: 'c', image: 'i', ports: [{ containerPort: 1, hostPort: 8080 }] }];
    await cloud.client.create('pods', {
      metadata: { namespace: 'default', name: 'host' },
      spec: { containers, automountServiceAccountToken: false },
    } as never);
    await cloud.service('first', { ports: [{ port: 80, nodePort: 30123 }] });
    await cloud.service('second', spec);
    expect(await cloud.addresses('second')).toHaveLength(refusal ? 0 : 2);
    if (refusal) expect((await cloud.events('second')).join()).toMatch(refusal);
  });
});

const service = (spec: object = {}, metadata: object = {}): Service =>
  ({
    metadata: { name: 'web', namespace: 'ns', uid: 'u', ...metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', nodePort: 30000 }], ...spec },
  }) as unknown as Service;

// The cases of Kubernetes' own table (TestNeedsUpdate).
test.each<[string, Service, Service, boolean]>([
  ['nothing', service(), service(), false],
  ['the type, from a load balancer', service(), service({ type: 'ClusterIP' }), true],
  ['the type, to a load balancer', service({ type: 'NodePort' }), service(), true],
  ['the type, between others', service({ type: 'NodePort' }), service({ type: 'ClusterIP' }), false],
  ['a class', service(), service({ loadBalancerClass: 'x/y' }), true],
  [
    'the name of a port',
    service(),
    service({ ports: [{ name: 'a', port: 80, protocol: 'TCP', nodePort: 30000 }] }),
    true,
  ],
  ['a node port', service(), service({ ports: [{ port: 80, protocol: 'TCP', nodePort: 30001 }] }), true],
  [
    'a target port',
    service(),
    service({ ports: [{ port: 80, protocol: 'TCP', nodePort: 30000, targetPort: 8 }] }),
    true,
  ],
  ['the number of ports', service(), service({ ports: [] }), true],
  ['the affinity', service(), service({ sessionAffinity: 'ClientIP' }), true],
  ['the source ranges', service(), service({ loadBalancerSourceRanges: ['10.0.0.0/8'] }), true],
  ['the wanted address', service(), service({ loadBalancerIP: '192.0.2.1' }), true],
  ['external addresses', service(), service({ externalIPs: ['192.0.2.1'] }), true],
  ['an annotation', service(), service({}, { annotations: { a: 'b' } }), true],
  ['an annotation of the provider', service(), service({}, { annotations: { own: 'b' } }), false],
  ['the uid', service(), service({}, { uid: 'v' }), true],
  ['the external policy', service(), service({ externalTrafficPolicy: 'Local' }), true],
  ['the health check port', service(), service({ healthCheckNodePort: 30002 }), true],
  ['the number of families', service({ ipFamilies: ['IPv4'] }), service({ ipFamilies: ['IPv4', 'IPv6'] }), true],
  [
    'the order of families',
    service({ ipFamilies: ['IPv6', 'IPv4'] }),
    service({ ipFamilies: ['IPv4', 'IPv6'] }),
    false,
  ],
  ['a label', service(), service({}, { labels: { a: 'b' } }), false],
])('a change of %s: %#', (_, old, next, wanted) => expect(needsUpdate(next, old, ['own'])).toBe(wanted));

const excluded = (value: string) => ({ 'node.kubernetes.io/exclude-from-external-load-balancers': value });
const machine = (labels: object = {}, spec: object = {}, metadata: object = {}) =>
  ({ metadata: { name: 'n', labels, ...metadata }, spec }) as unknown as Node;
test.each<[string, Node, boolean]>([
  ['a plain node', machine(), true],
  ['the label false', machine(excluded('false')), true],
  ['the label true', machine(excluded('true')), false],
  ['the label without a value', machine(excluded('')), false],
  ['a node that the autoscaler removes', machine({}, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] }), false],
  ['a deleted node', machine({}, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), false],
  ['an unschedulable node', machine({}, { unschedulable: true }), true],
])('load balancers use nodes: %s', (_, subject, wanted) => expect(usesNode(subject)).toBe(wanted));

test.each<[string, Node, Node, boolean]>([
  ['a label', machine({ a: 'b' }), machine(), false],
  ['the exclusion', machine(excluded('true')), machine(), true],
  ['the provider id', machine({}, { providerID: 'x://1' }), machine(), true],
  ['a taint', machine({}, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] }), machine(), false],
])('a change of a node is one of the set: %s', (_, next, old, wanted) => expect(changesNodes(next, old)).toBe(wanted));
