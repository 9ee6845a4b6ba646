import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Lease } from '../../api/api.ts';
import { type Client, createClient } from '../../client/client.ts';
import { startTestServer, type TestServer } from '../../kube-apiserver/testing/test-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { keepIdentityLease, serverId } from './identity-lease.ts';

test.each([
  ['', 'apiserver-2ikcnb3wory4bpirwz777r2iv4'],
  ['node-1', 'apiserver-lgabes5ywnaqeagh5dny4zlzs4'],
])('the identity of a server on %j is that of Kubernetes', (hostname, id) => expect(serverId(hostname)).toBe(id));

const namespace = 'kube-system';
let clock: VirtualClock;
let server: TestServer;
let client: Client;

beforeEach(async () => {
  clock = new VirtualClock();
  server = await startTestServer({ clock, namespaces: [namespace] });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
});
afterEach(() => server.stop());

const keep = (hostname: string, seed = 1) =>
  keepIdentityLease(client, { clock, random: seededRandom(seed), logger: silentLogger, hostname });
const leases = async () => (await client.list('leases', { namespace })).items as Lease[];
const ofNode = async () => (await leases()).find(({ metadata }) => metadata.name === serverId('node-1'));

test('a server has a lease in the form of Kubernetes, which it removes when it stops', async () => {
  const kept = await keep('node-1');
  const lease = await ofNode();
  expect(lease?.metadata.labels).toEqual({
    'apiserver.kubernetes.io/identity': 'kube-apiserver',
    'kubernetes.io/hostname': 'node-1',
  });
  expect(lease?.spec).toEqual({
    holderIdentity: expect.stringMatching(/^apiserver-lgabes5ywnaqeagh5dny4zlzs4_[0-9a-f-]{36}$/),
    leaseDurationSeconds: 3_600,
    renewTime: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
  });
  await kept.stop();
  expect(await leases()).toEqual([]);
});

test('it is renewed every ten seconds, and created again', async () => {
  const kept = await keep('node-1');
  const before = await ofNode();
  await clock.advance(11_000);
  const renewed = await ofNode();
  expect(Date.parse(renewed?.spec?.renewTime ?? '') - Date.parse(before?.spec?.renewTime ?? '')).toBeGreaterThan(9_000);
  expect(renewed?.metadata.uid).toBe(before?.metadata.uid);
  await client.delete('leases', { namespace, name: serverId('node-1') });
  await clock.advance(11_000);
  expect((await ofNode())?.metadata.uid).not.toBe(before?.metadata.uid);
  await kept.stop();
});

test('a restart replaces the lease of the run before, which did not stop', async () => {
  const crashed = await keep('node-1');
  const before = await ofNode();
  const restarted = await keep('node-1', 2);
  const after = await ofNode();
  expect(after?.metadata.uid).not.toBe(before?.metadata.uid);
  expect(after?.spec?.holderIdentity).not.toBe(before?.spec?.holderIdentity);
  await crashed.stop();
  await restarted.stop();
});

test('expired leases of other servers are removed each hour, and no other ones', async () => {
  const labels = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' };
  const add = (name: string, given: object, spec: object) =>
    client.create('leases', { metadata: { name, namespace, ...given }, spec } as never);
  const renewTime = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`;
  await add('gone', { labels }, { holderIdentity: 'x', leaseDurationSeconds: 3_000, renewTime });
  await add('endless', { labels }, { holderIdentity: 'x', leaseDurationSeconds: 90_000, renewTime });
  await add('scheduler', {}, { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime });
  const kept = await keep('node-1');
  const names = async () => (await leases()).map(({ metadata }) => metadata.name);
  expect(await names()).toContain('gone');
  await clock.advance(3_601_000);
  expect(await names()).toEqual([serverId('node-1'), 'endless', 'scheduler']);
  await kept.stop();
});
