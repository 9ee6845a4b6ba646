// The repairs that each API server does, over hours of virtual time.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, type Store, valueOfText } from '../../store/store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { readStoredPorts } from './kubernetes-ports.ts';
import { type Repairs, startRepairs } from './repairs.ts';

const services = '/api/v1/namespaces/default/services';
const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
const user = { name: 'system:apiserver', groups: ['system:masters'] };
const minute = 60_000;

let clock: VirtualClock;
let store: Store;
let metrics: Metrics;
let server: TestServer;
let repairs: Repairs[];

beforeEach(async () => {
  clock = new VirtualClock();
  store = createMemoryStore({ clock });
  metrics = new Metrics();
  server = await startTestServer({ store, clock, metrics, config: { serviceCidr: '10.0.0.0/24' } });
  await server.call('POST', '/apis/networking.k8s.io/v1/servicecidrs', {
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.0.0.0/24'] },
  });
  repairs = [];
});
afterEach(async () => {
  for (const repair of repairs) await repair.stop();
  await server.stop();
});

async function start(): Promise<void> {
  const client = createClient(server.transport(user));
  const started = startRepairs(server.server, {
    client,
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    metrics,
  });
  repairs.push(started);
  await clock.settle();
  await started.first;
  await clock.settle();
}

const service = async (name: string, spec: object = {}) =>
  (await server.call('POST', services, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })).body;
const nodePort = (name: string, port: number) =>
  service(name, { type: 'NodePort', ports: [{ port: 80, nodePort: port }] });
const names = async () => (await server.call('GET', addresses)).body.items.map((item: any) => item.metadata.name);
const parentOf = async (name: string) => (await server.call('GET', `${addresses}/${name}`)).body.spec?.parentRef?.name;
const labels = {
  'ipaddress.kubernetes.io/ip-family': 'IPv4',
  'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
};
const address = (name: string, parentRef: object, given: object = labels) =>
  server.call('POST', addresses, { metadata: { name, labels: given }, spec: { parentRef } });
const parent = (name: string) => ({ resource: 'services', namespace: 'default', name });

/** Such as "web ClusterIPNotAllocated ClusterIPAllocation: text", and the count of a series. */
async function events(): Promise<string[]> {
  await clock.settle();
  const { body } = await server.call('GET', '/apis/events.k8s.io/v1/events');
  return body.items
    .map(
      ({ regarding, reason, action, note, series }: any) =>
        `${regarding.name} ${reason} ${action}: ${note}${series ? ` (${series.count})` : ''}`,
    )
    .sort();
}

/** As if another program wrote it: changes a stored object without the server. */
async function rewrite(key: string, change: (object: any) => void): Promise<void> {
  const entry = await store.get(key);
  const object = JSON.parse(Buffer.from(entry?.value as never).toString());
  change(object);
  await store.commit([{ key, value: valueOfText(JSON.stringify(object)) }]);
  await clock.settle();
}

const repairing = (ip: string, name = 'web') =>
  `${name} ClusterIPNotAllocated ClusterIPAllocation: Cluster IP [IPv4]: ${ip} is not allocated; repairing`;
const wrong = (ip: string, name = 'web') =>
  `${name} ClusterIPNotAllocated ClusterIPAllocation: the ClusterIP [IPv4]: ${ip} for Service default/${name} has a wrong reference; repairing`;

describe('addresses', () => {
  test('a service whose object is gone gets it again, and an event in the form of events.k8s.io', async () => {
    const { spec } = await service('web');
    await server.call('DELETE', `${addresses}/${spec.clusterIP}`);
    await start();
    expect(await names()).toEqual([spec.clusterIP]);
    expect(await parentOf(spec.clusterIP)).toBe('web');
    expect(await events()).toEqual([repairing(spec.clusterIP)]);
    const { body } = await server.call('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
    expect(body.items[0]).toMatchObject({
      type: 'Warning',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'ipallocator-repair-controller',
      reportingInstance: expect.stringMatching(/^ipallocator-repair-controller-./),
      regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' },
    });
  });

  test('an object that is deleted while the server runs is made again within three minutes', async () => {
    const { spec } = await service('web');
    await start();
    await server.call('DELETE', `${addresses}/${spec.clusterIP}`);
    await clock.advance(3 * minute + 1_000);
    expect(await names()).toEqual([spec.clusterIP]);
    expect(await events()).toEqual([repairing(spec.clusterIP)]);
  });

  test.each<[string, object, object, string[]]>([
    ['another resource', { resource: 'gateways', group: 'g.test', name: 'g' }, labels, [wrong('10.0.0.5')]],
    ['a service that does not exist', parent('gone'), labels, [wrong('10.0.0.5')]],
    [
      'the service, with the label of another family',
      parent('web'),
      { ...labels, 'ipaddress.kubernetes.io/ip-family': 'IPv6' },
      [],
    ],
    ['the service, without labels', parent('web'), {}, []],
  ])('an object of %s is replaced', async (_, parentRef, given, wanted) => {
    await service('web', { clusterIP: '10.0.0.5' });
    await server.call('DELETE', `${addresses}/10.0.0.5`);
    const { body } = await address('10.0.0.5', parentRef, given);
    await start();
    const after = (await server.call('GET', `${addresses}/10.0.0.5`)).body;
    expect(after).toMatchObject({ metadata: { labels }, spec: { parentRef: parent('web') } });
    expect(after.metadata.uid).not.toBe(body.metadata.uid);
    expect(await events()).toEqual(wanted);
  });

  test('of two services with one address, the first keeps it, and the other one has an event at each look', async () => {
    await service('first', { clusterIP: '10.0.0.5' });
    await service('second', { clusterIP: '10.0.0.6' });
    await server.call('DELETE', `${addresses}/10.0.0.6`);
    await rewrite('/registry/services/specs/default/second', ({ spec }) => {
      spec.clusterIP = '10.0.0.5';
      spec.clusterIPs = ['10.0.0.5'];
    });
    await start();
    const note = 'Cluster IP [IPv4]:10.0.0.5 was assigned to multiple services; please recreate service';
    const event = `second ClusterIPAlreadyAllocated ClusterIPAllocation: ${note}`;
    expect(await events()).toEqual([event]);
    await clock.advance(3 * minute + 1_000);
    expect(await events()).toEqual([`${event} (2)`]);
    expect(await parentOf('10.0.0.5')).toBe('first');
  });

  test('an address outside of all ranges is reported', async () => {
    await service('web', { clusterIP: '10.0.0.5' });
    await server.call('DELETE', '/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
    await start();
    expect(await events()).toEqual([
      'web ClusterIPOutOfRange ClusterIPAllocation: Cluster IP [IPv4]: 10.0.0.5 is not within any configured Service CIDR; please recreate service',
    ]);
    expect(await names()).toEqual(['10.0.0.5']);
  });

  test('a text that is no address is reported', async () => {
    await service('web', { clusterIP: '10.0.0.5' });
    await rewrite('/registry/services/specs/default/web', ({ spec }) => {
      spec.clusterIPs = ['10.0.0.500'];
    });
    await start();
    expect((await events())[1]).toBe(
      'web ClusterIPNotValid ClusterIPValidation: Cluster IP 10.0.0.500 is not a valid IP; please recreate Service',
    );
  });

  test('an object without a service stays for a minute, as its service may be on its way', async () => {
    await start();
    await address('10.0.0.5', parent('gone'));
    await clock.advance(minute);
    expect(await names()).toEqual(['10.0.0.5']);
    await clock.advance(1_000);
    expect(await names()).toEqual([]);
    expect(await events()).toEqual([
      '10.0.0.5 IPAddressNotAllocated IPAddressAllocation: IPAddress: 10.0.0.5 for Service default/gone appears to have leaked: cleaning up',
    ]);
  });

  test.each<[string, object, string]>([
    [
      'of another resource',
      { resource: 'gateways', group: 'g.test', namespace: 'n', name: 'g' },
      'IPAddressNotAllocated IPAddressAllocation: IPAddress 10.0.0.9 appears to have been modified, not referencing a Service &ParentReference{Group:g.test,Resource:gateways,Namespace:n,Name:g,}: cleaning up',
    ],
    [
      'of a service with another address',
      parent('web'),
      'IPAddressWrongReference IPAddressAllocation: IPAddress: 10.0.0.9 for Service default/web has a wrong reference; cleaning up',
    ],
  ])('an object of the allocator %s goes at once', async (_, parentRef, event) => {
    await service('web', { clusterIP: '10.0.0.5' });
    await address('10.0.0.9', parentRef);
    await start();
    expect(await names()).toEqual(['10.0.0.5']);
    expect(await events()).toEqual([`10.0.0.9 ${event}`]);
  });

  test('objects of others, services without addresses and unchanged ones are left alone', async () => {
    await address('10.0.0.9', { resource: 'gateways', group: 'g.test', name: 'g' }, {});
    await service('headless', { clusterIP: 'None' });
    await service('named', { type: 'ExternalName', externalName: 'web.test' });
    await service('web', { clusterIP: '10.0.0.5' });
    const before = await server.call('GET', addresses);
    await start();
    await clock.advance(10 * minute);
    expect((await server.call('GET', addresses)).body.items).toEqual(before.body.items);
    expect(await events()).toEqual([]);
  });
});

describe('node ports', () => {
  const key = (port: number) => `/registry/coracle/nodeports/${port}`;
  const holder = async (port: number) => {
    const entry = await store.get(key(port));
    return entry && JSON.parse(Buffer.from(entry.value as never).toString()).name;
  };
  const count = async (type: string) =>
    Number(new RegExp(`nodeport_repair_port_errors_total{type="${type}"} (\\d+)`).exec(metrics.text())?.[1] ?? 0);

  test('a port that is not recorded is recorded again', async () => {
    await nodePort('web', 30_001);
    await store.commit([{ key: key(30_001) }]);
    await start();
    expect(await holder(30_001)).toBe('web');
    expect(await events()).toEqual(['web PortNotAllocated PortAllocation: Port 30001 is not allocated; repairing']);
    expect(await count('repair')).toBe(1);
    expect((await nodePort('other', 30_001)).message).toContain('provided port is already allocated');
  });

  test('the record of a service that does not exist any more goes to the one that has the port, without an event', async () => {
    await nodePort('web', 30_001);
    await store.commit([{ key: key(30_001), value: valueOfText('{"namespace":"default","name":"gone"}') }]);
    await start();
    expect(await holder(30_001)).toBe('web');
    expect(await events()).toEqual([]);
  });

  test('a port without a service is dropped at the third look', async () => {
    await store.commit([{ key: key(30_001), value: valueOfText('{"namespace":"default","name":"gone"}') }]);
    await start();
    await clock.advance(3 * minute + 1_000);
    expect(await holder(30_001)).toBe('gone');
    await clock.advance(3 * minute);
    expect(await holder(30_001)).toBeUndefined();
    expect(await count('leak')).toBe(1);
    expect((await nodePort('web', 30_001)).spec.ports[0].nodePort).toBe(30_001);
  });

  test('a record that changes between two looks counts as new', async () => {
    const record = { key: key(30_001), value: valueOfText('{"namespace":"default","name":"gone"}') };
    await store.commit([record]);
    await start();
    for (let looks = 0; looks < 4; looks++) {
      await store.commit([record]);
      await clock.advance(3 * minute);
    }
    expect(await holder(30_001)).toBe('gone');
  });

  test.each<[string, (spec: any) => void, string]>([
    [
      'that two services have',
      (spec) => (spec.ports[0].nodePort = 30_001),
      'web PortAlreadyAllocated PortAllocation: Port 30001 was assigned to multiple services; please recreate service',
    ],
    [
      'that one service has twice for a protocol',
      (spec) => spec.ports.push({ name: 'b', port: 81, protocol: 'TCP', nodePort: 30_002 }),
      'web PortAlreadyAllocated PortAllocation: Port 30002 was assigned to multiple services; please recreate service',
    ],
    [
      'outside of the range',
      (spec) => (spec.ports[0].nodePort = 40_000),
      'web PortOutOfRange PortAllocation: Port 40000 is not within the port range 30000-32767; please recreate service',
    ],
  ])('a port %s is reported at each look', async (_, change, event) => {
    await nodePort('a', 30_001);
    await nodePort('web', 30_002);
    await rewrite('/registry/services/specs/default/web', ({ spec }) => change(spec));
    await start();
    expect(await events()).toEqual([event]);
    await clock.advance(3 * minute + 1_000);
    expect(await events()).toEqual([`${event} (2)`]);
  });

  test('one number for two protocols is no fault, and neither are ports of health checks', async () => {
    const ports = ['TCP', 'UDP'].map((protocol) => ({
      name: protocol.toLowerCase(),
      port: 53,
      protocol,
      nodePort: 30_001,
    }));
    await service('dns', { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports, healthCheckNodePort: 30_002 });
    await start();
    await clock.advance(10 * minute);
    expect([await holder(30_001), await holder(30_002)]).toEqual(['dns', 'dns']);
    expect(await events()).toEqual([]);
  });

  test('a look that fails is counted, and the server is not ready before the first one that succeeds', async () => {
    const { range } = store;
    store.range = () => Promise.reject(new Error('no connection'));
    const client = createClient(server.transport(user));
    const started = startRepairs(server.server, {
      client,
      clock,
      random: seededRandom(1),
      logger: silentLogger,
      metrics,
    });
    repairs.push(started);
    let isReady = false;
    void started.first.then(() => (isReady = true));
    await clock.settle();
    expect(isReady).toBe(false);
    expect(metrics.text()).toContain('apiserver_nodeport_repair_reconcile_errors_total 1');
    await clock.advance(5_000);
    expect(isReady).toBe(false);
    store.range = range;
    await clock.advance(5_000);
    expect(isReady).toBe(true);
  });

  test('the record of other API servers is repaired too: missing ports at once, leaks at the third look', async () => {
    const range = { from: 30_000, to: 32_767 };
    await nodePort('web', 30_001);
    const record = { kind: 'RangeAllocation', apiVersion: 'v1', range: '30000-32767', data: 'EA==' };
    await store.commit([{ key: '/registry/ranges/servicenodeports', value: valueOfText(JSON.stringify(record)) }]);
    const ports = async () => (await readStoredPorts(store, range))?.ports();
    expect(await ports()).toEqual([30_004]);
    await start();
    expect(await ports()).toEqual([30_001, 30_004]);
    await clock.advance(6 * minute);
    expect(await ports()).toEqual([30_001]);
  });
});

test('a stop does not wait for a store that does not answer', async () => {
  const { range } = store;
  store.range = () => new Promise(() => {});
  const client = createClient(server.transport(user));
  const context = { client, clock, random: seededRandom(1), logger: silentLogger, metrics };
  const stopping = startRepairs(server.server, context).stop();
  let isOver = false;
  void stopping.then(() => (isOver = true));
  await clock.advance(1_999);
  expect(isOver).toBe(false);
  await clock.advance(1);
  expect(isOver).toBe(true);
  store.range = range;
});

test('two servers repair one store without a conflict', async () => {
  const { spec } = await nodePort('web', 30_001);
  await server.call('DELETE', `${addresses}/${spec.clusterIP}`);
  await store.commit([{ key: '/registry/coracle/nodeports/30001' }]);
  await Promise.all([start(), start()]);
  await clock.advance(minute);
  expect(await names()).toEqual([spec.clusterIP]);
  expect(new Set(await events())).toEqual(
    new Set([repairing(spec.clusterIP), 'web PortNotAllocated PortAllocation: Port 30001 is not allocated; repairing']),
  );
});
