import { expect, test } from 'vitest';
import { createClient, fencedClient } from '../../client/client.ts';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import { startTestServer } from '../testing/test-server.ts';
import { inProcess } from './transport.ts';

test('many requests one after the other leave turns of the event loop to others', async () => {
  const server = await startTestServer();
  try {
    let turns = 0;
    let isOver = false;
    const count = () => {
      if (isOver) return;
      turns++;
      setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 2_000; i++) await server.call('GET', `/api/v1/namespaces/default/configmaps/gone-${i}`);
    isOver = true;
    expect(turns).toBeGreaterThan(2);
  } finally {
    await server.stop();
  }
});

test('many requests at once leave turns of the event loop to others', async () => {
  const server = await startTestServer();
  try {
    const path = (i: number) => `/api/v1/namespaces/default/configmaps/gone-${i}`;
    const all = () => Promise.all(Array.from({ length: 10_000 }, (_, i) => server.call('GET', path(i))));
    // In one turn they take a second and more.
    expect(await longestTurn(all)).toBeLessThan(400);
  } finally {
    await server.stop();
  }
});

test('a list of many objects that are still to be parsed leaves turns to others', async () => {
  const server = await startTestServer();
  try {
    const path = '/api/v1/namespaces/default/configmaps';
    const data = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, 'v']));
    for (let i = 0; i < 300; i++) await server.call('POST', path, { metadata: { name: `c-${i}` }, data });
    const kind = server.server.kinds.byResource('', 'v1', 'configmaps')!;
    const cache = await cacheOf(server.server, kind);
    for (let i = 0; i < 300; i++) cache.get(keyOf(kind, 'default', `c-${i}`))!.forgetObject();
    const transport = inProcess(server.server, { name: 'someone', groups: ['system:masters'] });
    let found: any;
    const list = async () => (found = await transport.send({ method: 'GET', path, query: {} }));
    const waitMs = await longestTurn(list);
    expect(found.body.items).toHaveLength(300);
    expect(waitMs).toBeLessThan(250);
  } finally {
    await server.stop();
  }
}, 20_000);

test('a write is not stored when its component stops to lead in the middle of it', async () => {
  const server = await startTestServer();
  try {
    const client = createClient(server.transport({ name: 'actor', groups: ['system:masters'] }));
    const metadata = { namespace: 'default', name: 'late' };
    // It leads when the write is sent, and not any more before it is stored.
    let asked = 0;
    const late = fencedClient(client, () => asked++ === 0);
    await expect(late.create('configmaps', { metadata })).rejects.toThrow('does not lead any more');
    const kept = await client.create('configmaps', { metadata });
    asked = 0;
    await expect(late.update('configmaps', { ...kept, data: { a: 'b' } })).rejects.toThrow('does not lead any more');
    asked = 0;
    await expect(late.delete('configmaps', metadata)).rejects.toThrow('does not lead any more');
    expect(await client.get('configmaps', metadata)).toEqual(kept);
    const leading = fencedClient(client, () => true);
    await leading.delete('configmaps', metadata);
  } finally {
    await server.stop();
  }
});
