import { beforeEach, expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, start } = admissionServer();
beforeEach(() => start());

test('a terminating namespace accepts no new objects', async () => {
  await call('POST', '/api/v1/namespaces', { metadata: { name: 'x' }, spec: { finalizers: ['a.test/b'] } });
  await call('DELETE', '/api/v1/namespaces/x');
  const { code, body } = await call('POST', '/api/v1/namespaces/x/configmaps', { metadata: { name: 'c' } });
  expect(code).toBe(403);
  expect(body.message).toBe(
    'configmaps "c" is forbidden: unable to create new content in namespace x because it is being terminated',
  );
});

test.each(['default', 'kube-system', 'kube-public'])('the namespace %s cannot be deleted', async (name) => {
  await call('POST', '/api/v1/namespaces', { metadata: { name } });
  const { code, body } = await call('DELETE', `/api/v1/namespaces/${name}`);
  expect([code, body.message]).toEqual([403, `namespaces "${name}" is forbidden: this namespace may not be deleted`]);
});

test('a missing namespace accepts no objects, and answers reviews', async () => {
  const { code, body } = await call('POST', '/api/v1/namespaces/ghost/configmaps', { metadata: { name: 'c' } });
  expect([code, body.message]).toEqual([404, 'namespaces "ghost" not found']);
  const review = { spec: { user: 'jane', resourceAttributes: { namespace: 'ghost', verb: 'get', resource: 'pods' } } };
  const path = '/apis/authorization.k8s.io/v1/namespaces/ghost/localsubjectaccessreviews';
  expect((await call('POST', path, review)).code).toBe(201);
});
