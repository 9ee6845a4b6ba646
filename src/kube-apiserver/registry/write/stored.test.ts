// Objects that an earlier version or another API server stored, as they are read today.

import { describe, expect, test } from 'vitest';
import { must } from '../../../machinery/must.ts';
import { systemClock } from '../../../machinery/time/clock.ts';
import { createMemoryStore, valueOfText } from '../../../store/store.ts';
import { encodeObject, protobufSchema } from '../../protobuf/protobuf.ts';
import { readingProtobuf } from '../../protobuf/stored.ts';
import { configMap, pod, startTestServer } from '../../testing/test-server.ts';

test('a quantity of many megabytes that was stored is short when it is read', async () => {
  const store = createMemoryStore({ clock: systemClock });
  const quantity = `1${'0'.repeat(20_000_000)}`;
  const resources = { requests: { cpu: quantity } };
  const stored = pod('old', { containers: [{ name: 'c', image: 'x', resources }] });
  const metadata = { ...stored.metadata, namespace: 'default', uid: 'u', creationTimestamp: '2025-01-01T00:00:00Z' };
  const value = valueOfText(JSON.stringify({ ...stored, metadata }));
  await store.commit([{ key: '/registry/pods/default/old', value }]);
  const server = await startTestServer({ store });
  try {
    const { body } = await server.call('GET', '/api/v1/namespaces/default/pods/old');
    expect(body.spec.containers[0].resources.requests.cpu).toBe('9223372036854775807');
  } finally {
    await server.stop();
  }
});

const maps = '/api/v1/namespaces/default/configmaps';
const key = (name: string) => `/registry/configmaps/default/${name}`;

/** As kube-apiserver stores it. */
const protobuf = (name: string, data: Record<string, string>) => {
  const object = configMap(name, { namespace: 'default', uid: name }, data);
  return encodeObject(must(protobufSchema(object), 'the schema'), object);
};

test('objects that another API server stored in protobuf are read, watched, and changed', async () => {
  const store = readingProtobuf(createMemoryStore({ clock: systemClock }));
  await store.commit([{ key: key('old'), value: protobuf('old', { a: 'ä' }) }]);
  const server = await startTestServer({ store });
  try {
    const list = (await server.call('GET', maps)).body;
    expect(list.items).toMatchObject([{ metadata: { name: 'old', uid: 'old' }, data: { a: 'ä' } }]);
    const watched = server.watched(`${maps}?resourceVersion=${list.metadata.resourceVersion}`, 3, 2_000);
    await store.commit([{ key: key('new'), value: protobuf('new', { a: '1' }) }]);
    await store.commit([{ key: key('old'), value: protobuf('old', { a: '2' }) }]);
    const merge = { contentType: 'application/merge-patch+json' };
    const patched = await server.call('PATCH', `${maps}/old`, { data: { b: '3' } }, merge);
    expect(patched).toMatchObject({ code: 200, body: { data: { a: '2', b: '3' } } });
    expect(await watched).toEqual(['ADDED new', 'MODIFIED old', 'MODIFIED old']);
    expect((await server.call('DELETE', `${maps}/new`)).code).toBe(200);
  } finally {
    await server.stop();
  }
});

describe.each<[string, Uint8Array]>([
  ['no JSON', Buffer.from('{"kind":')],
  ['JSON without an object', Buffer.from('null')],
  ['an object without metadata', Buffer.from('{"metadata":[]}')],
  ['protobuf that ends too early', protobuf('bad', { a: 'b' }).subarray(0, 30)],
  ['protobuf of an unknown kind', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([10, 3, 18, 1, 88])])],
  ['random bytes', Buffer.from([0xff, 0, 0xfe, 7])],
])('a stored value that is %s', (_, value) => {
  const unreadable = { code: 500, body: { reason: 'InternalError', message: expect.stringContaining(key('bad')) } };

  test('there at the start, fails requests for its resource with the key', async () => {
    const store = readingProtobuf(createMemoryStore({ clock: systemClock }));
    await store.commit([{ key: key('bad'), value }]);
    const server = await startTestServer({ store });
    try {
      expect(await server.call('GET', maps)).toMatchObject(unreadable);
      expect((await server.call('POST', '/api/v1/namespaces/default/pods', pod('p'))).code).toBe(201);
    } finally {
      await server.stop();
    }
  });

  test('written by another server, does not stop other resources, and can be removed', async () => {
    const store = readingProtobuf(createMemoryStore({ clock: systemClock }));
    const server = await startTestServer({ store });
    try {
      expect((await server.call('GET', maps)).code).toBe(200);
      await store.commit([{ key: key('bad'), value }]);
      await expect.poll(() => server.call('GET', maps)).toMatchObject(unreadable);
      expect((await server.call('POST', '/api/v1/namespaces/default/pods', pod('p'))).code).toBe(201);
      await store.commit([{ key: key('bad') }]);
      await expect.poll(async () => (await server.call('GET', maps)).code).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
