import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../machinery/logger.ts';
import { VirtualClock } from '../../../machinery/time/clock.ts';
import type { CloudProvider } from '../../provider.ts';
import { startTestCloud, type TestCloud } from '../../test-cloud.ts';
import { hetznerProvider } from './hetzner.ts';
import { FakeHetzner, failure } from './test-hetzner.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'coracle-hetzner-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const head = 'apiVersion: cloud.coracle.local/v1\nkind: HetznerCloud\n';

async function open(text: string, fake: FakeHetzner, clock = new VirtualClock()): Promise<CloudProvider> {
  const cloudConfig = path.join(directory, 'cloud.yaml');
  writeFileSync(path.join(directory, 'token'), 'secret\n');
  writeFileSync(cloudConfig, head + text);
  const outside = { send: fake.send, readText: async () => 'secret' };
  return hetznerProvider(
    { clock, logger: silentLogger } as never,
    { cloudConfig, clusterName: 'c', holdsLead: () => true },
    outside,
  );
}

let cloud: TestCloud | undefined;
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});

const usual = 'tokenFile: token\nnetwork: 7\nlocation: fsn1\n';
const taint = { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' };
const tainted = { spec: { taints: [taint] } };
const name = { namespace: 'default', name: 'web' };

async function start(text = usual) {
  const fake = new FakeHetzner();
  const clock = new VirtualClock();
  cloud = await startTestCloud(await open(text, fake, clock), clock);
  const { client, pass } = cloud;
  return Object.assign({ fake }, cloud, {
    async service(spec: object = {}, annotations: Record<string, string> = {}) {
      const named = Object.entries(annotations).map(([key, value]) => [`load-balancer.hetzner.cloud/${key}`, value]);
      await client.create('services', {
        metadata: { ...name, annotations: Object.fromEntries(named) },
        spec: { type: 'LoadBalancer', ports: [{ port: 80, nodePort: 30080 }], ...spec },
      } as never);
      await pass(20_000);
    },
    balancer: () => [...fake.balancers.values()][0],
  });
}

describe('nodes', () => {
  test('are described by their servers', async () => {
    const test = await start();
    test.fake.addServer(1, 'a');
    test.fake.addServer(2, 'b');
    test.fake.addServer(3, 'c', { public_net: { ipv4: null, ipv6: null } });
    await test.node('c', tainted);
    await test.pass(1_000);
    const { metadata, spec, status } = await test.getNode('c');
    expect(spec?.providerID).toBe('hcloud://3');
    expect(status?.addresses).toEqual([
      { type: 'Hostname', address: 'c' },
      { type: 'InternalIP', address: '10.0.0.3' },
    ]);
    expect(metadata.labels).toMatchObject({
      'topology.kubernetes.io/zone': 'fsn1-dc14',
      'topology.kubernetes.io/region': 'fsn1',
      'node.kubernetes.io/instance-type': 'cx22',
      'instance.hetzner.cloud/provided-by': 'cloud',
    });
    expect(test.fake.requests.filter((request) => request === 'GET /servers').length).toBeLessThanOrEqual(6);
  });

  const states: [string, (fake: FakeHetzner) => void, boolean, boolean][] = [
    ['the server is gone', (fake) => void fake.servers.delete(2), true, false],
    ['the server is off', (fake) => fake.addServer(2, 'b', { status: 'off' }), false, true],
    ['the server runs', () => {}, false, false],
    ['the token is wrong', (fake) => instead(fake, failure(401, 'unauthorized', 'no')), false, false],
    ['the API has a failure', (fake) => instead(fake, { code: 503, text: 'busy' }), false, false],
    ['a gateway finds nothing', (fake) => instead(fake, { code: 404, text: '<html>' }), false, false],
    ['the limit is reached', (fake) => instead(fake, failure(429, 'rate_limit_exceeded', 'slow')), false, false],
    ['the list has no pages', (fake) => instead(fake, { code: 200, text: '{"servers":[]}' }), false, false],
    ['the API does not answer', (fake) => (fake.instead = () => new Promise(() => {})), false, false],
    ['the answer is for another server', (fake) => other(fake), false, false],
  ];
  test.each(states)('when %s', async (_, change, isDeleted, isShutDown) => {
    const test = await start();
    test.fake.addServer(1, 'a');
    test.fake.addServer(2, 'b');
    for (const each of ['a', 'b']) await test.node(each, tainted);
    await test.pass(1_000);
    await test.ready('a');
    await test.ready('b', 'Unknown');
    change(test.fake);
    await test.pass(120_000);
    expect((await test.names()).includes('b')).toBe(!isDeleted);
    if (isDeleted) return;
    const keys = (await test.getNode('b')).spec?.taints?.map(({ key }) => key) ?? [];
    expect(keys.includes('node.cloudprovider.kubernetes.io/shutdown')).toBe(isShutDown);
  });

  test('of another project are not deleted', async () => {
    const test = await start();
    test.fake.addServer(9, 'elsewhere');
    await test.node('a', { spec: { providerID: 'hcloud://1' } });
    await test.ready('a', 'Unknown');
    await test.pass(60_000);
    expect(await test.names()).toEqual(['a']);
  });

  test('of another cloud are not deleted', async () => {
    const test = await start();
    test.fake.addServer(1, 'a');
    await test.node('a', tainted);
    await test.node('b', { spec: { providerID: 'aws:///i-1' } });
    await test.ready('b', 'Unknown');
    await test.pass(60_000);
    expect(await test.names()).toEqual(['a', 'b']);
  });
});

const instead = (fake: FakeHetzner, answer: { code: number; text: string }) => {
  fake.instead = () => answer;
};
/** The list lacks a server, and a question about it gets another one. */
function other(fake: FakeHetzner): void {
  const found = fake.servers.get(1);
  fake.servers.delete(2);
  fake.instead = (path) => (path === '/servers/2' ? { code: 200, text: JSON.stringify({ server: found }) } : undefined);
}

test('routes lead to the private addresses of servers, also of one with another name than its node', async () => {
  const test = await start();
  test.fake.addServer(1, 'server-1');
  test.fake.routes = [
    { destination: '10.244.9.0/24', gateway: '10.0.0.99' },
    { destination: '10.244.0.0/24', gateway: '10.0.0.98' },
    { destination: '172.16.0.0/24', gateway: '10.0.0.97' },
  ];
  const ranges = { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24'] };
  await test.node('a', { spec: { taints: [taint], providerID: 'hcloud://1', ...ranges } });
  await test.pass(30_000);
  expect(test.fake.routes).toEqual([
    { destination: '172.16.0.0/24', gateway: '10.0.0.97' },
    { destination: '10.244.0.0/24', gateway: '10.0.0.1' },
  ]);
  const conditions = (await test.getNode('a')).status?.conditions;
  expect(conditions?.find(({ type }) => type === 'NetworkUnavailable')?.status).toBe('False');
  const count = test.fake.requests.filter((request) => request.includes('/actions/')).length;
  await test.pass(60_000);
  expect(test.fake.requests.filter((request) => request.includes('/actions/')).length).toBe(count);
});

describe('a load balancer', () => {
  test('is made, has its nodes as targets, and goes with its service', async () => {
    const test = await start();
    test.fake.addServer(1, 'a');
    await test.node('a', tainted);
    await test.service();
    const uid = (await test.getService('web')).metadata.uid;
    expect(test.balancer()).toMatchObject({
      name: `a${uid.replaceAll('-', '')}`.slice(0, 32),
      labels: { 'hcloud-ccm/service-uid': uid },
      load_balancer_type: { name: 'lb11' },
      algorithm: { type: 'round_robin' },
      services: [
        {
          ...{ protocol: 'tcp', listen_port: 80, destination_port: 30080, proxyprotocol: false },
          health_check: { protocol: 'tcp', port: 30080 },
        },
      ],
      targets: [{ type: 'server', server: { id: 1 }, use_private_ip: true }],
    });
    const ingress = ['203.0.113.1', '2001:db8::1', '10.0.0.200'].map((ip) => ({ ip, ipMode: 'VIP' }));
    expect((await test.getService('web')).status?.loadBalancer).toEqual({ ingress });
    test.fake.addServer(2, 'b');
    await test.node('b', tainted);
    await test.pass(20_000);
    expect(test.balancer()?.targets.map(({ server }) => server.id)).toEqual([1, 2]);
    await test.client.delete('services', name);
    await test.pass(20_000);
    expect(test.fake.balancers.size).toBe(0);
    await expect(test.getService('web')).rejects.toThrow('not found');
  });

  test('follows its service', async () => {
    const test = await start();
    await test.service({ ports: [80, 443].map((port) => ({ name: `p${port}`, port, nodePort: 30000 + port })) });
    const body = {
      metadata: { annotations: { 'load-balancer.hetzner.cloud/algorithm-type': 'least_connections' } },
      spec: { ports: [443, 8080].map((port) => ({ name: `p${port}`, port, nodePort: 31000 + (port % 1000) })) },
    };
    await test.client.patch('services', name, { type: 'merge', body });
    await test.pass(20_000);
    expect(test.balancer()).toMatchObject({
      algorithm: { type: 'least_connections' },
      services: [
        { listen_port: 443, destination_port: 31443 },
        { listen_port: 8080, destination_port: 31080 },
      ],
    });
    expect(test.fake.balancers.size).toBe(1);
  });

  test('with externalTrafficPolicy Local asks the nodes for their health', async () => {
    const test = await start();
    await test.service({ externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 });
    const wanted = { protocol: 'http', port: 32000, http: { path: '/healthz', status_codes: ['200'] } };
    expect(test.balancer()?.services[0]?.['health_check']).toMatchObject(wanted);
  });

  test('without a network uses public addresses; with a hostname it has that', async () => {
    const test = await start('tokenFile: token\nnetworkZone: eu-central\n');
    test.fake.addServer(1, 'a');
    await test.node('a', tainted);
    await test.service({}, { hostname: 'www.example.org' });
    expect(test.balancer()?.targets).toMatchObject([{ use_private_ip: false }]);
    expect((await test.getService('web')).status?.loadBalancer).toEqual({ ingress: [{ hostname: 'www.example.org' }] });
  });

  test('that the user made is used by its name', async () => {
    const test = await start();
    test.fake.balancers.set(5, {
      ...{ id: 5, name: 'own', labels: { team: 'x' }, load_balancer_type: { name: 'lb21', max_targets: 75 } },
      ...{ algorithm: { type: 'round_robin' }, private_net: [], services: [], targets: [] },
    });
    await test.service({}, { name: 'own' });
    expect([...test.fake.balancers.keys()]).toEqual([5]);
    expect(test.balancer()?.labels).toMatchObject({ team: 'x' });
    expect(test.balancer()?.load_balancer_type.name).toBe('lb21');
  });

  test.each<[string, object, Record<string, string>, RegExp]>([
    ['UDP', { ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] }, {}, /port 53\/UDP: .* TCP only/],
    ['source ranges', { loadBalancerSourceRanges: ['10.0.0.0/8'] }, {}, /accept all clients/],
    ['an address', { loadBalancerIP: '192.0.2.1' }, {}, /loadBalancerIP is not supported/],
    ['no node ports', { allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] }, {}, /port 80 has no node port/],
    ['an unknown annotation', {}, { protocol: 'http' }, /load-balancer\.hetzner\.cloud\/protocol is not supported/],
    ['a wrong flag', {}, { 'use-private-ip': 'yes' }, /use-private-ip must be true or false/],
    ['two places', {}, { location: 'a', 'network-zone': 'b' }, /give one of the annotations/],
  ])('with %s is refused by name', async (_, spec, annotations, message) => {
    const test = await start();
    await test.service(spec, annotations);
    expect((await test.events('web')).join('\n')).toMatch(message);
    expect(test.fake.balancers.size).toBe(0);
  });

  test('with more nodes than targets is refused', async () => {
    const test = await start();
    for (const id of [1, 2, 3, 4]) {
      test.fake.addServer(id, `n${id}`);
      await test.node(`n${id}`, tainted);
    }
    await test.service();
    expect((await test.events('web')).join()).toMatch(/have up to 3 targets, and the cluster has 4 nodes/);
  });

  test('stays, with its service, while the API fails', async () => {
    const test = await start();
    await test.service();
    test.fake.instead = () => ({ code: 500, text: '' });
    await test.client.delete('services', name);
    await test.pass(600_000);
    expect((await test.getService('web')).status?.loadBalancer?.ingress).toHaveLength(3);
    expect((await test.events('web')).join()).toMatch(/before cleanup: Hetzner Cloud answers with HTTP status 500/);
    test.fake.instead = undefined;
    await test.pass(300_000);
    expect(test.fake.balancers.size).toBe(0);
  });
});

test.each<[string, string, RegExp]>([
  ['no token', 'network: 7', /tokenFile: is missing/],
  ['no file of the token', 'tokenFile: gone', /tokenFile: ENOENT/],
  ['another endpoint', 'tokenFile: token\nendpoint: http://a', /begins with https/],
  ['two places', 'tokenFile: token\nlocation: a\nnetworkZone: b', /exclude each other/],
  ['routes without a network', 'tokenFile: token\nroutes: true', /routes: needs network/],
  ['a name of a network', 'tokenFile: token\nnetwork: own', /network: must be a whole number/],
  ['an unknown field', 'tokenFile: token\nzone: a', /zone: is no field/],
])('a configuration with %s is refused', async (_, text, message) =>
  expect(open(text, new FakeHetzner())).rejects.toThrow(message),
);
