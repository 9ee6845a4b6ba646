import { describe, expect, test } from 'vitest';
import { forbidden, internalError, type Lease, type Node } from '../../api/api.ts';
import { createClient, type EventRecorder, type TransportRequest } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import type { ContainerRuntime, Image } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import { NodeKeeper } from './node.ts';

const config = {
  nodeName: 'n',
  hostname: 'host',
  nodeIPs: ['192.0.2.1', '2001:db8::1'],
  labels: { zone: 'a' },
  taints: [],
  volumeDirectory: '/volumes',
  maxPods: 110,
  capacity: { cpuMillis: 2500, memoryBytes: 8 * 2 ** 30, ephemeralStorageBytes: 10 * 2 ** 30 },
  reserved: { cpuMillis: 500, memoryBytes: 2 ** 30 },
  nodeInfo: { architecture: 'amd64', operatingSystem: 'linux' },
} as unknown as KubeletConfig;

const images = (count: number): Image[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `id-${i}`,
    repoDigests: [`image-${i}@sha256:0`],
    repoTags: [1, 2, 3, 4, 5].map((tag) => `image-${i}:${tag}`),
    sizeBytes: i,
  }));

function start(more: Partial<KubeletConfig> = {}) {
  const server = new FakeServer();
  const client = createClient(server);
  const clock = new VirtualClock();
  const events: string[] = [];
  const cidrs: unknown[] = [];
  const found = { images: [] as Image[], network: undefined as string | undefined, pressure: new Set<string>() };
  const runtime = {
    version: 'test://1',
    features: { recursiveReadOnlyMounts: true, userNamespaces: false, supplementalGroupsPolicy: true },
    status: async () => ({ network: found.network }),
    listImages: async () => found.images,
    updatePodCidrs: async (given: unknown) => void cidrs.push(given),
  } as unknown as ContainerRuntime;
  const recorder = {
    event: (_node: Node, _type: string, reason: string, message: string) => void events.push(`${reason}: ${message}`),
  } as unknown as EventRecorder;
  const keeper = new NodeKeeper(
    { ...config, ...more },
    {
      ...{ client, clock, runtime, events: recorder, logger: silentLogger },
      pressure: () => found.pressure,
      plegError: () => undefined,
      volumesInUse: () => [],
      devices: () => undefined,
    },
  );
  const node = () => client.get('nodes', { name: 'n' });
  const lease = (): Promise<Lease> => client.get('leases', { name: 'n', namespace: 'kube-node-lease' });
  /** The writes of a node's status since the last call. */
  const statusWrites = () => server.writes.splice(0).filter((write) => write.endsWith('/nodes/n/status')).length;
  return { server, client, clock, events, cidrs, found, keeper, node, lease, statusWrites };
}

describe('registration', () => {
  test('of a new node', async () => {
    const { keeper, node, events, lease } = start({ taints: [{ key: 'k', effect: 'NoSchedule' }] });
    await keeper.register(10_250);
    const { metadata, spec, status } = await node();
    expect(metadata.labels).toEqual({
      'beta.kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/hostname': 'host',
      'kubernetes.io/os': 'linux',
      zone: 'a',
    });
    expect(metadata.annotations).toMatchObject({ 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' });
    expect(spec).toEqual({ taints: [{ key: 'k', effect: 'NoSchedule' }] });
    expect(status).toMatchObject({
      capacity: { cpu: '2500m', memory: '8388608Ki', pods: '110', 'ephemeral-storage': '10485760Ki' },
      allocatable: { cpu: '2', memory: '7340032Ki', pods: '110' },
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '2001:db8::1' },
        { type: 'Hostname', address: 'host' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
      nodeInfo: { containerRuntimeVersion: 'test://1' },
    });
    expect(events[0]).toBe('Starting: Starting kubelet.');
    expect((await lease()).spec).toMatchObject({ holderIdentity: 'n', leaseDurationSeconds: 40 });
    expect((await lease()).metadata.ownerReferences).toMatchObject([{ kind: 'Node', name: 'n', uid: metadata.uid }]);
  });

  test('has the huge pages of the machine, which are no memory of pods', async () => {
    const hugePages = { 'hugepages-1Gi': 2 ** 30, 'hugepages-2Mi': 3 * 2 ** 21 };
    const { keeper, node } = start({ capacity: { ...config.capacity, hugePages } });
    await keeper.register(10_250);
    const { status } = await node();
    const shown = { 'hugepages-1Gi': '1Gi', 'hugepages-2Mi': '6Mi' };
    expect(status).toMatchObject({ capacity: { memory: '8388608Ki', ...shown }, allocatable: shown });
    expect(status?.allocatable?.['memory']).toBe(`${6 * 2 ** 20 - 6 * 1024}Ki`);
  });

  test('without huge pages has none to allocate', async () => {
    const { keeper, node } = start({ capacity: { ...config.capacity, hugePages: { 'hugepages-2Mi': 0 } } });
    await keeper.register(10_250);
    expect((await node()).status?.allocatable).toMatchObject({ 'hugepages-2Mi': '0', memory: '7340032Ki' });
  });

  test.each([
    ['other labels', { 'kubernetes.io/arch': 'arm64', own: 'x' }],
    ['no labels', {}],
  ])('of a known node with %s keeps its other fields', async (_, labels) => {
    const { keeper, client, node } = start({ taints: [{ key: 'k', effect: 'NoSchedule' }] });
    await client.create('nodes', { metadata: { name: 'n', labels }, spec: { unschedulable: true } });
    await keeper.register(1);
    const { metadata, spec } = await node();
    expect(metadata.labels).toMatchObject({ ...labels, 'kubernetes.io/arch': 'amd64', zone: 'a' });
    expect(spec).toEqual({ unschedulable: true });
  });

  test('of a node that is up to date changes nothing but its status', async () => {
    const first = start();
    await first.keeper.register(1);
    const { labels, annotations } = (await first.node()).metadata;
    const { keeper, client, server } = start();
    await client.create('nodes', { metadata: { name: 'n', labels, annotations } });
    server.writes.length = 0;
    await keeper.register(1);
    expect(server.writes.filter((write) => write.includes('/nodes'))).toEqual([
      'POST /api/v1/nodes',
      'PATCH /api/v1/nodes/n/status',
    ]);
  });

  const taint = { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' };
  const providedIP = 'alpha.kubernetes.io/provided-node-ip';
  const hostname = { type: 'Hostname', address: 'host' };

  test.each<[string, NonNullable<KubeletConfig['cloud']>, object, string | undefined, string[]]>([
    ['whose cloud finds it', { isNodeIPGiven: false }, { taints: [taint] }, undefined, []],
    [
      'with an identity and an address',
      { isNodeIPGiven: true, providerID: 'x://1' },
      { taints: [taint], providerID: 'x://1' },
      '192.0.2.1,2001:db8::1',
      ['192.0.2.1', '2001:db8::1'],
    ],
  ])('of a node %s waits for its cloud', async (_, cloud, spec, annotation, addresses) => {
    const { keeper, node } = start({ cloud });
    await keeper.register(1);
    const found = await node();
    expect(found.spec).toEqual(spec);
    expect(found.metadata.annotations?.[providedIP]).toBe(annotation);
    expect(found.status?.addresses).toEqual([
      ...addresses.map((address) => ({ type: 'InternalIP', address })),
      hostname,
    ]);
  });

  test('of a node that had a cloud removes its annotation; the addresses of a cloud stay', async () => {
    const { keeper, client, clock, node } = start({ cloud: { isNodeIPGiven: false } });
    const addresses = [{ type: 'ExternalIP', address: '198.51.100.1' }];
    const metadata = { name: 'n', annotations: { [providedIP]: '192.0.2.7' } };
    await client.create('nodes', { metadata, status: { addresses } } as never);
    await keeper.register(1);
    keeper.start();
    await clock.advance(600_000);
    await keeper.stop();
    const found = await node();
    expect(found.metadata.annotations).not.toHaveProperty([providedIP]);
    expect([found.status?.addresses, found.spec?.taints]).toEqual([addresses, undefined]);
  });

  test('is tried again after 0.1, 0.2, 0.4 ... at most 7 seconds', async () => {
    const { keeper, server, clock } = start();
    const triesMs: number[] = [];
    const beginMs = clock.now();
    server.before = ({ method }) => {
      if (method !== 'POST') return;
      triesMs.push(clock.now() - beginMs);
      if (triesMs.length < 10) throw internalError('not yet');
    };
    const registered = keeper.register(1);
    await clock.advance(60_000);
    await registered;
    const waits = triesMs.slice(1, 10).map((ms, i) => ms - triesMs[i]);
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 7_000, 7_000]);
  });

  test('ends with the kubelet', async () => {
    const { keeper, server } = start();
    server.before = () => {
      throw internalError('never');
    };
    const registered = keeper.register(1);
    await keeper.stop();
    await registered;
    expect(keeper.node).toBeUndefined();
  });
});

describe('the lease', () => {
  const started = async () => {
    const all = start();
    await all.keeper.register(1);
    all.keeper.start();
    return all;
  };

  test('is renewed every ten seconds', async () => {
    const { clock, lease, keeper } = await started();
    const times: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      times.push((await lease()).spec.renewTime);
      await clock.advance(10_000);
    }
    await keeper.stop();
    expect(times).toEqual([
      '2026-01-01T00:00:00.000000Z',
      '2026-01-01T00:00:10.000000Z',
      '2026-01-01T00:00:20.000000Z',
    ]);
  });

  test('is renewed in spite of another writer, whose labels stay', async () => {
    const { clock, client, lease, keeper } = await started();
    await client.patch(
      'leases',
      { name: 'n', namespace: 'kube-node-lease' },
      { type: 'merge', body: { metadata: { labels: { own: 'x' } } } },
    );
    await clock.advance(10_000);
    await keeper.stop();
    const { metadata, spec } = await lease();
    expect([metadata.labels, spec.renewTime]).toEqual([{ own: 'x' }, '2026-01-01T00:00:10.000000Z']);
  });

  test('is made again after its deletion', async () => {
    const { clock, client, lease, keeper } = await started();
    await client.delete('leases', { name: 'n', namespace: 'kube-node-lease' });
    await clock.advance(10_000);
    await keeper.stop();
    expect((await lease()).spec.renewTime).toBe('2026-01-01T00:00:10.000000Z');
  });

  test('that cannot be renewed is a health problem, even while the status can be written', async () => {
    const { clock, server, keeper } = await started();
    const isLease = ({ path }: TransportRequest) => path.includes('/leases');
    server.before = (request) => {
      if (isLease(request)) throw forbidden({ group: '', resource: 'leases' }, 'n', 'not now');
    };
    await clock.advance(10_000);
    const failed = keeper.error;
    server.before = () => {};
    await clock.advance(10_000);
    await keeper.stop();
    expect([failed, keeper.error]).toEqual([expect.stringContaining('not now'), undefined]);
  });
});

describe('the status', () => {
  const started = async () => {
    const all = start();
    await all.keeper.register(1);
    all.keeper.start();
    all.statusWrites();
    return all;
  };

  test('without a change is written every five minutes', async () => {
    const { clock, statusWrites, keeper } = await started();
    await clock.advance(290_000);
    expect(statusWrites()).toBe(0);
    await clock.advance(10_000);
    expect(statusWrites()).toBe(1);
    await clock.advance(299_000);
    expect(statusWrites()).toBe(0);
    await keeper.stop();
  });

  test('with a change is written within ten seconds, once', async () => {
    const { clock, statusWrites, found, keeper, node, events } = await started();
    events.length = 0;
    found.network = 'no bridge';
    await clock.advance(30_000);
    await keeper.stop();
    expect(statusWrites()).toBe(1);
    expect((await node()).status.conditions?.at(-1)).toMatchObject({ type: 'Ready', status: 'False' });
    expect(events).toEqual(['NodeNotReady: Node n status is now: NodeNotReady']);
  });

  test('has the fifty largest images with five names each', async () => {
    const { clock, found, keeper, node } = await started();
    found.images = images(60);
    await clock.advance(10_000);
    await keeper.stop();
    const listed = (await node()).status.images ?? [];
    expect(listed.map(({ sizeBytes }) => sizeBytes)).toEqual(Array.from({ length: 50 }, (_, i) => 59 - i));
    expect(listed[0].names).toEqual(['image-59@sha256:0', ...[1, 2, 3, 4].map((tag) => `image-59:${tag}`)]);
  });

  test('does not change with the order in which the runtime lists images', async () => {
    const { clock, found, keeper, statusWrites } = await started();
    found.images = images(3);
    await clock.advance(10_000);
    statusWrites();
    found.images.reverse();
    await clock.advance(10_000);
    await keeper.stop();
    expect(statusWrites()).toBe(0);
  });

  test('of a deleted node is a health problem, and the node stays deleted', async () => {
    const { clock, client, keeper, server } = await started();
    await client.delete('nodes', { name: 'n' });
    server.writes.length = 0;
    await clock.advance(10_000);
    await keeper.stop();
    expect(keeper.error).toBe('nodes "n" not found');
    expect(server.writes.filter((write) => write.includes('/nodes'))).toEqual([]);
  });
});

test('the runtime gets the pod ranges once', async () => {
  const { keeper, client, cidrs } = start();
  await keeper.register(1);
  expect(cidrs).toEqual([]);
  const give = (podCIDRs: string[]) =>
    client.patch('nodes', { name: 'n' }, { type: 'merge', body: { spec: { podCIDRs } } });
  await give(['10.0.0.0/24', '2001:db8:1::/64']);
  await keeper.refresh();
  await keeper.refresh();
  expect(cidrs).toEqual([['10.0.0.0/24', '2001:db8:1::/64']]);
});
