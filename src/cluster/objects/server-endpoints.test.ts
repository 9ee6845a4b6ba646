import { expect, test } from 'vitest';
import { createClient } from '../../client/client.ts';
import { startTestServer } from '../../kube-apiserver/testing/test-server.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, type Store } from '../../store/store.ts';
import { keepEndpoints } from './server-endpoints.ts';

const admin = { name: 'system:admin', groups: ['system:masters'] };

async function servers() {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const api = await startTestServer({ store, clock });
  const client = createClient(api.transport(admin));
  /** Returns a wire to the store that can be cut, as when a server is killed. */
  const start = async (ip: string) => {
    let isCut = false;
    const wire = new Proxy(store, {
      get(target, name) {
        const value = target[name as keyof Store] as any;
        if (typeof value !== 'function') return value;
        return isCut && name !== 'watch' ? async () => Promise.reject(new Error('cut')) : value.bind(target);
      },
    });
    const kept = await keepEndpoints({ store: wire, client, clock, logger: silentLogger }, { ip, port: 6443 });
    return {
      kept,
      cut: () => {
        isCut = true;
      },
    };
  };
  const published = async () => {
    await clock.settle();
    const slices = (await api.call('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'))
      .body;
    const { subsets } = (await api.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes')).body;
    const found = slices.endpoints.map(({ addresses }: any) => addresses[0]);
    expect(subsets[0].addresses.map(({ ip }: any) => ip)).toEqual(found);
    return found;
  };
  return { clock, store, api, start, published };
}

test('every server is among the endpoints, and leaves at its stop at once; the last keeps its address', async () => {
  const { api, start, published } = await servers();
  const one = await start('192.0.2.1');
  expect(await published()).toEqual(['192.0.2.1']);
  const two = await start('192.0.2.2');
  const three = await start('192.0.2.3');
  expect(await published()).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  await two.kept.stop();
  expect(await published()).toEqual(['192.0.2.1', '192.0.2.3']);
  await one.kept.stop();
  await three.kept.stop();
  expect(await published()).toEqual(['192.0.2.3']);
  await api.stop();
});

test('a server that dies is removed when its lease ends, and not before', async () => {
  const { clock, api, start, published } = await servers();
  const one = await start('192.0.2.1');
  const two = await start('192.0.2.2');
  await clock.advance(60_000);
  expect(await published()).toEqual(['192.0.2.1', '192.0.2.2']);
  two.cut();
  await clock.advance(9_000);
  expect(await published()).toEqual(['192.0.2.1', '192.0.2.2']);
  await clock.advance(8_000);
  expect(await published()).toEqual(['192.0.2.1']);
  const again = await start('192.0.2.2');
  expect(await published()).toEqual(['192.0.2.1', '192.0.2.2']);
  for (const { kept } of [one, again]) await kept.stop();
  const stopping = two.kept.stop();
  await clock.advance(3_000);
  await stopping;
  await api.stop();
});

test.each(['127.0.0.1', '::1'])('a server that only this machine reaches has no endpoint: %s', async (ip) => {
  const { store, api, start } = await servers();
  const { kept } = await start(ip);
  expect((await store.range({ start: '/registry/masterleases/', end: '/registry/masterleases0' })).entries).toEqual([]);
  await kept.stop();
  await api.stop();
});
