import { expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, start } = admissionServer();

test('NamespaceExists rejects objects in missing namespaces', async () => {
  await start({ enabled: 'NamespaceExists' });
  const { body } = await call('POST', '/api/v1/namespaces/ghost/configmaps', { metadata: { name: 'c' } });
  expect(body.message).toBe('namespaces "ghost" not found');
});
