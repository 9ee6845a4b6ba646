// Several DNS servers over one API server, in virtual time.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EndpointSlice } from '../api/api.ts';
import { type ComponentContext, createClient, createInformer, type Informer } from '../client/client.ts';
import { type ApiServer, createApiServer } from '../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../machinery/logger.ts';
import { seededRandom } from '../machinery/random.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { createMemoryStore } from '../store/store.ts';
import { type Published, publish } from './publish.ts';

type Context = Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'>;
let clock: VirtualClock;
let api: ApiServer;
let context: Context;
const informers: Informer<EndpointSlice>[] = [];

beforeEach(async () => {
  clock = new VirtualClock();
  const random = seededRandom(1);
  api = await createApiServer({ store: createMemoryStore({ clock }), clock, random, logger: silentLogger });
  const client = createClient(api.transport({ name: 'admin', groups: ['system:masters'] }));
  context = { client, clock, random, logger: silentLogger };
  await client.create('namespaces', { metadata: { name: 'kube-system' } });
});
afterEach(async () => {
  for (const informer of informers.splice(0)) await informer.stop();
  await api.stop();
});

/** `client` can be cut off. */
async function start(instance: string, address: string): Promise<Published & { cut(): void }> {
  let isCut = false;
  const { client } = context;
  const fail = () => Promise.reject(new Error('cut off'));
  const own = {
    ...context,
    client: {
      ...client,
      get: ((...args: Parameters<typeof client.get>) => (isCut ? fail() : client.get(...args))) as typeof client.get,
      create: ((...args: Parameters<typeof client.create>) =>
        isCut ? fail() : client.create(...args)) as typeof client.create,
      update: ((...args: Parameters<typeof client.update>) =>
        isCut ? fail() : client.update(...args)) as typeof client.update,
      delete: ((...args: Parameters<typeof client.delete>) =>
        isCut ? fail() : client.delete(...args)) as typeof client.delete,
    },
  };
  const slices = createInformer(context, 'endpointslices');
  informers.push(slices);
  await slices.synced();
  const published = await publish(own, { instance, address, port: 53 }, slices);
  return {
    ...published,
    cut() {
      isCut = true;
    },
  };
}
const addresses = async () => {
  const { items } = await context.client.list('endpointslices', { namespace: 'kube-system' });
  return items.flatMap(({ endpoints }) => endpoints?.flatMap((endpoint) => endpoint.addresses) ?? []).sort();
};

test('one server writes once', async () => {
  const one = await start('one', '192.0.2.1');
  const version = async () =>
    (await context.client.get('endpointslices', { namespace: 'kube-system', name: 'kube-dns-one' })).metadata
      .resourceVersion;
  const first = await version();
  await clock.advance(600_000);
  expect(await version()).toBe(first);
  await one.stop();
  expect(await addresses()).toEqual(['192.0.2.1']);
});

test('several servers are endpoints, and one that is gone is removed by the others', async () => {
  const one = await start('one', '192.0.2.1');
  const two = await start('two', '192.0.2.2');
  await clock.advance(120_000);
  expect(await addresses()).toEqual(['192.0.2.1', '192.0.2.2']);
  one.cut();
  await clock.advance(14_000);
  expect(await addresses()).toEqual(['192.0.2.1', '192.0.2.2']);
  await clock.advance(12_000);
  expect(await addresses()).toEqual(['192.0.2.2']);
  await Promise.all([one.stop(), two.stop()]);
});

test('a server that stops removes its endpoint while others remain', async () => {
  const one = await start('one', '192.0.2.1');
  const two = await start('two', '192.0.2.2');
  await clock.advance(10_000);
  await one.stop();
  await clock.advance(1_000);
  expect(await addresses()).toEqual(['192.0.2.2']);
  await two.stop();
  expect(await addresses()).toEqual(['192.0.2.2']);
});

test('an endpoint that was deleted comes back, and a start with another address replaces it', async () => {
  const one = await start('one', '192.0.2.1');
  await context.client.delete('endpointslices', { namespace: 'kube-system', name: 'kube-dns-one' });
  await clock.advance(6_000);
  expect(await addresses()).toEqual(['192.0.2.1']);
  await one.stop();
  const again = await start('one', '192.0.2.9');
  expect(await addresses()).toEqual(['192.0.2.9']);
  await again.stop();
});
