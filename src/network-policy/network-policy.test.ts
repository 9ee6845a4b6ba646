// The component over a simulated API server, in virtual time, with a packet filter that records scripts.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NetworkPolicy, Pod } from '../api/api.ts';
import { type ComponentContext, createClient, type RunningComponent } from '../client/client.ts';
import { FakeServer } from '../client/fake-server.ts';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { startNetworkPolicy } from './network-policy.ts';
import { policy, site, world } from './test-world.ts';

const table = 'inet coracle-policy-test';
const state = world('x/a x/b', []);
const deny = policy({ pod: 'a' }, { ingress: [] }, { name: 'deny' });

let clock: VirtualClock;
let server: FakeServer;
let scripts: string[];
let watched: Set<string>;
let warnings: string[];
let failure: Error | undefined;
let seesBridges: boolean;
let running: RunningComponent;
const client = () => createClient(server);

beforeEach(async () => {
  [clock, server, scripts, watched, warnings] = [new VirtualClock(), new FakeServer(), [], new Set(), []];
  [failure, seesBridges] = [undefined, true];
  server.before = ({ path, query }) => void (query?.watch && watched.add(path));
  for (const namespace of state.namespaces) await client().create('namespaces', namespace);
  await client().create('nodes', { metadata: { name: 'n1' }, spec: { podCIDRs: site.nodeCidrs } } as never);
  for (const pod of state.pods) await client().create('pods', pod as Pod);
});
afterEach(() => running?.stop());

async function start(): Promise<void> {
  const context = {
    ...{ client: client(), clock, random: seededRandom(1), metrics: new Metrics() },
    logger: { ...silentLogger, warn: (_: string, fields?: object) => warnings.push(JSON.stringify(fields)) },
  } as unknown as ComponentContext;
  const { clusterCidrs, dnsAddresses } = site;
  running = await startNetworkPolicy(
    context,
    { nodeNames: ['n1'], clusterCidrs, dnsAddresses, clusterName: 'test' },
    {
      async nft(script) {
        if (failure) throw failure;
        scripts.push(script);
      },
      deviceTo: async () => 'br0',
      filterBridges: async () => seesBridges,
    },
  );
  await clock.advance(0);
}
/** The scripts since the last call. */
const sent = () => scripts.splice(0).join('');
const create = (object: NetworkPolicy) => client().create('networkpolicies', object);
const missing = () => Object.assign(new Error('spawn nft ENOENT'), { code: 'ENOENT' });

test('without a policy it watches policies alone, and removes the table of an earlier run once', async () => {
  await start();
  expect(sent()).toBe(`add table ${table}\ndelete table ${table}\n`);
  expect([...watched]).toEqual(['/apis/networking.k8s.io/v1/networkpolicies']);
  await clock.advance(600_000);
  expect(sent()).toBe('');
});

test('a policy is in force within 50 ms, and later changes send their difference alone', async () => {
  await start();
  sent();
  await create(deny);
  await clock.advance(50);
  const first = sent();
  expect(first).toMatch(`add table ${table}\ndelete table ${table}\nadd table ${table}\n`);
  expect(first).toMatch(/add element \S+ \S+ ingress-4 \{ 10\.244\.1\.2 : goto ingress-pods-/);
  expect(first).toContain('iifname "br0" oifname "br0"');
  await client().patch(
    'pods',
    { namespace: 'x', name: 'a' },
    { type: 'merge', body: { metadata: { labels: { pod: 'c' } } } },
  );
  await create(policy({ pod: 'c' }, { ingress: [{}] }, { name: 'other' }));
  await clock.advance(50);
  const second = sent();
  expect(second).not.toContain('delete table');
  expect(second).toContain('10.244.1.2');
});

test('changes of a status that no rule depends on are ignored', async () => {
  await create(deny);
  await start();
  sent();
  const body = { status: { message: 'slow' } };
  await client().patch('pods', { namespace: 'x', name: 'a' }, { type: 'merge', body });
  await clock.advance(1_000);
  expect(sent()).toBe('');
});

test('the last policy takes the rules and the watches of pods along', async () => {
  await create(deny);
  await start();
  expect(sent()).toContain('add chain');
  await client().delete('networkpolicies', { namespace: 'x', name: 'deny' });
  await clock.advance(50);
  expect(sent()).toBe(`add table ${table}\ndelete table ${table}\n`);
  watched.clear();
  server.dropWatches();
  await clock.advance(60_000);
  expect([...watched]).toEqual(['/apis/networking.k8s.io/v1/networkpolicies']);
});

test('rules that another program removed are written again after a minute', async () => {
  await create(deny);
  await start();
  const first = sent();
  await clock.advance(59_000);
  expect(sent()).toBe('');
  await clock.advance(2_000);
  expect(sent()).toBe(first);
});

test('a failed transaction is repeated as a whole', async () => {
  await start();
  sent();
  failure = new Error('nft: no space');
  await create(deny);
  await clock.advance(50);
  expect(running.health?.()).toBe('network policies are not enforced: nft: no space');
  failure = undefined;
  await clock.advance(1_100);
  expect(sent()).toContain(`delete table ${table}`);
  expect(running.health?.()).toBeUndefined();
});

test('without nft, a problem and one warning appear with the first policy', async () => {
  failure = missing();
  await start();
  expect(running.health?.()).toBeUndefined();
  await create(deny);
  await clock.advance(10_000);
  const text = 'network policies are not enforced: nft is not installed (apt-get install nftables)';
  expect(running.health?.()).toBe(text);
  expect(warnings).toEqual([JSON.stringify({ problem: text })]);
  await client().delete('networkpolicies', { namespace: 'x', name: 'deny' });
  await clock.advance(2_000);
  expect(running.health?.()).toBeUndefined();
});

test('a kernel that does not filter bridged packets is a problem', async () => {
  seesBridges = false;
  await create(deny);
  await start();
  expect(running.health?.()).toMatch(/modprobe br_netfilter/);
});
