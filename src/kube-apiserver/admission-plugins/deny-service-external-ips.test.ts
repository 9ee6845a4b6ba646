import { expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { call, merge, start } = admissionServer();

test('DenyServiceExternalIPs allows those that were there', async () => {
  await start({ enabled: 'DenyServiceExternalIPs' });
  const service = (externalIPs: string[]) => ({
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }], externalIPs },
  });
  const denied = 'services "s" is forbidden: Use of external IPs is denied by admission control';
  expect((await call('POST', `${ns}/services`, service(['192.0.2.1']))).body.message).toBe(denied);
  expect((await call('POST', `${ns}/services`, service([]))).code).toBe(201);
  expect((await merge(`${ns}/services/s`, { spec: { externalIPs: ['192.0.2.1'] } })).body.message).toBe(denied);
});
