import { expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, start } = admissionServer();

test('NamespaceAutoProvision makes the namespace, except in a dry run', async () => {
  await start({ enabled: 'NamespaceAutoProvision' });
  const map = { metadata: { name: 'c' } };
  const path = '/api/v1/namespaces/fresh/configmaps';
  expect((await call('POST', path, map, { query: { dryRun: 'All' } })).code).toBe(404);
  expect((await call('POST', path, map)).code).toBe(201);
  expect((await call('GET', '/api/v1/namespaces/fresh')).code).toBe(200);
});
