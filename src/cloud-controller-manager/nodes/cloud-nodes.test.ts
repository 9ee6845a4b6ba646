import { afterEach, describe, expect, test } from 'vitest';
import type { Node } from '../../api/api.ts';
import type { Instance } from '../provider.ts';
import { startTestCloud, type TestCloud } from '../test-cloud.ts';

const taint = { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' };
const shutdown = { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' };
const usual: Instance = {
  providerID: 'test://1',
  isShutDown: false,
  addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  type: 'small',
  zone: 'z1',
  region: 'r1',
};

/** Machines by the names of their nodes; an error is the answer to all calls. */
interface Machines {
  readonly machines: Map<string, Instance>;
  failure: Error | undefined;
  asked: number;
}

let cloud: TestCloud | undefined;
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});

async function start(...instances: [string, Partial<Instance>][]): Promise<TestCloud & Machines> {
  const state: Machines = {
    machines: new Map(instances.map(([name, more]) => [name, { ...usual, ...more }])),
    failure: undefined,
    asked: 0,
  };
  const find = async (node: Node) => {
    state.asked++;
    if (state.failure) throw state.failure;
    return state.machines.get(node.metadata.name);
  };
  cloud = await startTestCloud({ name: 'test', instances: { find } });
  return Object.assign(state, cloud);
}

const tainted = (...more: object[]) => ({ spec: { taints: [taint, ...more] } });
const keysOf = ({ spec }: Node) => (spec?.taints ?? []).map(({ key }) => key);

describe('a new node', () => {
  test('is described by its machine, and loses the taint', async () => {
    const other = { key: 'gpu', effect: 'NoSchedule' };
    const test = await start(['n', { labels: { rack: '7', 'x.k8s.io/a': 'b' } }]);
    await test.node('n', { ...tainted(other), status: { addresses: [{ type: 'Hostname', address: 'n' }] } });
    const { metadata, spec, status } = await test.getNode('n');
    expect(spec?.providerID).toBe('test://1');
    expect(spec?.taints?.filter(({ key }) => key.startsWith('node.cloud') || key === 'gpu')).toEqual([other]);
    expect(metadata.labels).toMatchObject({
      'topology.kubernetes.io/zone': 'z1',
      'failure-domain.beta.kubernetes.io/region': 'r1',
      'node.kubernetes.io/instance-type': 'small',
      rack: '7',
    });
    expect(metadata.labels).not.toHaveProperty('x.k8s.io/a');
    expect(status?.addresses).toEqual([...usual.addresses, { type: 'Hostname', address: 'n' }]);
    expect(await test.events('n')).toEqual(['Normal Synced: Node synced successfully']);
  });

  test.each<[string, Partial<Instance> | undefined, object, RegExp]>([
    ['without a machine', undefined, {}, /for node n: instance not found$/],
    ['without a provider id', { providerID: '' }, {}, /cloud provider does not set node provider ID for node n$/],
    [
      'with an address that the machine does not have',
      {},
      { metadata: { annotations: { 'alpha.kubernetes.io/provided-node-ip': '10.0.0.9' } } },
      /provided node ip for node "n" is not valid: failed to get node address from cloud provider that matches ip: 10\.0\.0\.9$/,
    ],
  ])('%s keeps the taint, and says why', async (_, machine, more, message) => {
    const test = await start(...(machine ? ([['n', machine]] as [string, Partial<Instance>][]) : []));
    // Ready, so that its machine is not looked for.
    await test.node('n', { ...tainted(), ...more, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
    expect(keysOf(await test.getNode('n'))).toContain(taint.key);
    expect((await test.events('n')).join('\n')).toMatch(message);
    test.machines.set('n', { ...usual, addresses: [...usual.addresses, { type: 'ExternalIP', address: '10.0.0.9' }] });
    await test.pass(60_000);
    expect(keysOf(await test.getNode('n'))).not.toContain(taint.key);
  });

  test('keeps the provider id that the kubelet gave it', async () => {
    const test = await start(['n', { providerID: '' }]);
    await test.node('n', { spec: { taints: [taint], providerID: 'test://own' } });
    const node = await test.getNode('n');
    expect([node.spec?.providerID, keysOf(node).includes(taint.key)]).toEqual(['test://own', false]);
  });

  test('is not touched without the taint, but for its second labels', async () => {
    const test = await start(['n', {}]);
    await test.node('n', { metadata: { labels: { 'failure-domain.beta.kubernetes.io/zone': 'z' } } });
    const { metadata, spec } = await test.getNode('n');
    expect(metadata.labels).toMatchObject({ 'topology.kubernetes.io/zone': 'z' });
    expect(metadata.labels).not.toHaveProperty('topology.kubernetes.io/region');
    expect(spec?.providerID).toBeUndefined();
  });
});

describe('every five minutes', () => {
  test('a node gets the addresses of its machine', async () => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n');
    const addresses = [{ type: 'InternalIP', address: '10.0.0.2' }];
    test.machines.set('n', { ...usual, addresses });
    await test.pass(200_000);
    expect((await test.getNode('n')).status?.addresses).toEqual(usual.addresses);
    await test.pass(100_000);
    expect((await test.getNode('n')).status?.addresses).toEqual(addresses);
  });

  test.each<[string, (state: Machines) => void]>([
    ['the cloud fails', (state) => Object.assign(state, { failure: new Error('down') })],
    ['the machine is gone', ({ machines }) => machines.clear()],
    ['it has none', ({ machines }) => machines.set('n', { ...usual, addresses: [] })],
  ])('a node that is Ready keeps them when %s', async (_, change) => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n');
    change(test);
    await test.pass(300_000);
    expect((await test.getNode('n')).status?.addresses).toEqual(usual.addresses);
  });
});

describe('a node that is not Ready', () => {
  test.each<[string, string]>([
    ['reports so', 'False'],
    ['does not report', 'Unknown'],
  ])('and %s is deleted when the cloud has no such machine', async (_, status) => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n', status);
    await test.pass(60_000);
    expect(await test.names()).toEqual(['n']);
    test.machines.clear();
    await test.pass(5_000);
    expect(await test.names()).toEqual([]);
    expect(await test.events('n')).toContain(
      'Normal DeletingNode: Deleting node n because it does not exist in the cloud provider',
    );
  });

  test('stays for as long as the cloud does not answer', async () => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n', 'Unknown');
    test.machines.clear();
    test.failure = new Error('down');
    await test.pass(600_000);
    expect(await test.names()).toEqual(['n']);
    test.failure = undefined;
    await test.pass(5_000);
    expect(await test.names()).toEqual([]);
  });

  test('is tainted while its machine is shut down, until it is Ready', async () => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n', 'False');
    test.machines.set('n', { ...usual, isShutDown: true });
    await test.pass(5_000);
    const found = (await test.getNode('n')).spec?.taints?.filter(({ key }) => key === shutdown.key);
    expect(found).toEqual([shutdown]);
    test.machines.set('n', usual);
    await test.pass(5_000);
    expect(keysOf(await test.getNode('n'))).toContain(shutdown.key);
    await test.ready('n');
    expect(keysOf(await test.getNode('n'))).not.toContain(shutdown.key);
  });

  test('is looked for every five seconds; one that is Ready is not', async () => {
    const test = await start(['n', {}]);
    await test.node('n', tainted());
    await test.ready('n');
    test.asked = 0;
    await test.pass(60_000);
    expect(test.asked).toBe(0);
    await test.ready('n', 'Unknown');
    await test.pass(60_000);
    expect(test.asked).toBeGreaterThanOrEqual(12);
    expect(test.asked).toBeLessThanOrEqual(14);
  });
});
