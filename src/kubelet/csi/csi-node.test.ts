import { beforeEach, describe, expect, test } from 'vitest';
import type { CSINode, Node } from '../../api/api.ts';
import { createClient } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { CsiNodeKeeper, installed, withDriver, withoutDriver } from './csi-node.ts';
import { highestVersion } from './drivers.ts';

const info = (nodeId: string, maxVolumesPerNode = 0, segments?: Record<string, string>) => ({
  nodeId,
  maxVolumesPerNode,
  accessibleTopology: segments ? { segments } : null,
});

describe('the list of drivers', () => {
  const driver = { name: 'a', nodeID: 'n', topologyKeys: ['zone'], allocatable: { count: 3 } };
  test.each([
    ['a new driver', [], info('n', 3), ['zone'], [driver]],
    ['a driver without limit', [], info('n'), [], [{ name: 'a', nodeID: 'n', topologyKeys: [] }]],
    ['a negative limit', [], info('n', -1), [], [{ name: 'a', nodeID: 'n', topologyKeys: [] }]],
    ['another limit', [driver], info('n', 4), ['zone'], [{ ...driver, allocatable: { count: 4 } }]],
    ['another id', [driver], info('m', 3), ['zone'], [{ ...driver, nodeID: 'm' }]],
    ['a limit beyond 32 bits', [], info('n', 2 ** 40), ['zone'], [{ ...driver, allocatable: { count: 2 ** 31 - 1 } }]],
  ])('%s', (_, before, given, keys, expected) => expect(installed(before, 'a', given, keys)).toEqual(expected));

  test('nothing changes', () => {
    const drivers = [driver];
    expect(installed(drivers, 'a', info('n', 3), ['zone'])).toBe(drivers);
  });
});

describe('marks of the node', () => {
  const key = 'csi.volume.kubernetes.io/nodeid';
  const node = (metadata: Partial<Node['metadata']> = {}) => ({ metadata: { name: 'n', ...metadata } }) as Node;
  test.each([
    ['a first driver', node(), { zone: 'z' }, { labels: { zone: 'z' }, annotations: { [key]: '{"a":"id"}' } }],
    [
      'a second driver',
      node({ annotations: { [key]: '{"b":"other"}' } }),
      {},
      { labels: {}, annotations: { [key]: '{"a":"id","b":"other"}' } },
    ],
    ['a driver that is there', node({ annotations: { [key]: '{"a":"id"}' } }), {}, undefined],
  ])('%s', (_, given, topology, expected) => expect(withDriver(given, 'a', 'id', topology)).toEqual(expected));

  test('a label with another value is a collision', () => {
    expect(() => withDriver(node({ labels: { zone: 'y' } }), 'a', 'id', { zone: 'z' })).toThrow(
      'detected topology value collision: driver reported "zone":"z" but existing label is "zone":"y"',
    );
  });
  test('the last driver takes the annotation with it', () => {
    expect(withoutDriver(node({ annotations: { [key]: '{"a":"id"}' } }), 'a')).toEqual({
      annotations: { [key]: null },
    });
    expect(withoutDriver(node(), 'a')).toBeUndefined();
  });
});

test.each([
  [['1.0.0'], [1, 0, 0]],
  [
    ['v1.2.0', '1.10.3', '0.3.0'],
    [1, 10, 3],
  ],
  [
    ['2.0.0', '1.1.0'],
    [1, 1, 0],
  ],
  [['0.9.0'], 'highest supported version reported is 0.9.0, must be v1.x'],
  [['x'], 'could not find a highest supported version from versions (["x"]) reported: could not parse "x" as version'],
])('of the versions %j the highest usable one is %j', (given, expected) =>
  expect(highestVersion(given)).toEqual(expected),
);

describe('objects', () => {
  let client: ReturnType<typeof createClient>;
  let keeper: CsiNodeKeeper;
  beforeEach(async () => {
    client = createClient(new FakeServer());
    const clock = new VirtualClock();
    keeper = new CsiNodeKeeper({ client, clock, logger: silentLogger, nodeName: 'n' });
    await client.create('nodes', { metadata: { name: 'n', uid: 'u' } });
  });
  const csiNode = (): Promise<CSINode> => client.get('csinodes', { name: 'n' });

  test('a node has a CSINode before it has drivers', async () => {
    await keeper.start(new AbortController().signal);
    const { metadata, spec } = await csiNode();
    expect(metadata.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }]);
    expect(spec.drivers).toEqual([]);
  });

  test('the CSINode of an earlier node is replaced', async () => {
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'old' };
    await client.create('csinodes', { metadata: { name: 'n', ownerReferences: [owner] }, spec: { drivers: [] } });
    await keeper.start(new AbortController().signal);
    expect((await csiNode()).metadata.ownerReferences?.[0].uid).toBe('u');
  });

  test('drivers come and go', async () => {
    await keeper.install('a', info('id', 7, { 'topology.a/zone': 'z' }));
    await keeper.install('b', info('id-b'));
    expect((await csiNode()).spec.drivers).toEqual([
      { name: 'a', nodeID: 'id', topologyKeys: ['topology.a/zone'], allocatable: { count: 7 } },
      { name: 'b', nodeID: 'id-b', topologyKeys: [] },
    ]);
    expect((await client.get('nodes', { name: 'n' })).metadata.labels).toEqual({ 'topology.a/zone': 'z' });
    await keeper.uninstall('a');
    expect((await csiNode()).spec.drivers).toMatchObject([{ name: 'b' }]);
    await keeper.uninstall('b');
    expect((await client.get('nodes', { name: 'n' })).metadata.annotations).toEqual({});
  });

  test('a driver without an id is refused', async () => {
    await expect(keeper.install('a', info(''))).rejects.toThrow('driverNodeID must not be empty');
  });
});
