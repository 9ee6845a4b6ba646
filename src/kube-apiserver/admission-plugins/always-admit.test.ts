import { expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { create, start } = admissionServer();

test('AlwaysAdmit has no effect', async () => {
  await start({ enabled: 'AlwaysAdmit' });
  expect((await create('p')).code).toBe(201);
});
