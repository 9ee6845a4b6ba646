import { afterEach, beforeEach, expect, test } from 'vitest';
import { configMap, pod, startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.stop());

const maps = '/api/v1/namespaces/default/configmaps';
const noted = () =>
  server
    .deletions({ namespace: 'default' })
    .map(({ user, verb, subresource, name, isGone }) =>
      [user, `${verb}${subresource && `/${subresource}`}`, name, isGone ? 'gone' : 'stays'].join(' '),
    );

test('deletions are noted with their user, once they are carried out', async () => {
  await server.call('POST', maps, configMap('a'));
  await server.call('DELETE', `${maps}/a`, undefined, { query: { dryRun: 'All' } });
  await server.call('DELETE', `${maps}/absent`);
  expect(noted()).toEqual([]);
  await server.call('DELETE', `${maps}/a`);
  expect(noted()).toEqual(['system:admin delete a gone']);
  expect(server.deletions({ name: 'b' })).toEqual([]);
});

test('an object with a finalizer stays, and another request changes nothing', async () => {
  const held = configMap('held');
  await server.call('POST', maps, { ...held, metadata: { ...held.metadata, finalizers: ['example.com/x'] } });
  for (let i = 0; i < 3; i++) await server.call('DELETE', `${maps}/held`);
  expect(noted()).toEqual(['system:admin delete held stays']);
});

test('the objects of a collection are noted one by one', async () => {
  for (const name of ['a', 'b']) await server.call('POST', maps, configMap(name));
  await server.call('DELETE', maps);
  expect(noted().sort()).toEqual(['system:admin deletecollection a gone', 'system:admin deletecollection b gone']);
});

test('an eviction is a deletion', async () => {
  const pods = '/api/v1/namespaces/default/pods';
  await server.call('POST', pods, pod('p'));
  const metadata = { name: 'p', namespace: 'default' };
  const { code } = await server.call('POST', `${pods}/p/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata,
  });
  expect(code).toBe(201);
  expect(noted()).toEqual(['system:admin create/eviction p gone']);
});
