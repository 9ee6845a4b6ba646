import { expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, start } = admissionServer();

test('AlwaysDeny refuses every write, and no read', async () => {
  await start({ enabled: 'AlwaysDeny', namespaces: [] });
  const { code, body } = await call('POST', '/api/v1/namespaces', { metadata: { name: 'x' } });
  expect([code, body.message]).toEqual([
    403,
    'namespaces "x" is forbidden: admission control is denying all modifications',
  ]);
  expect((await call('GET', '/api/v1/namespaces')).code).toBe(200);
});
