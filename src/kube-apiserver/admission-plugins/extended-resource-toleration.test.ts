import { expect, test } from 'vitest';
import { admissionServer, box } from './test-admission.ts';

const { create, start } = admissionServer();

test.each([
  ['an extended resource', { 'example.com/gpu': '1' }, ['example.com/gpu']],
  ['a resource of Kubernetes', { cpu: '1' }, []],
])('ExtendedResourceToleration: %s', async (_, requests, keys) => {
  await start({ enabled: 'ExtendedResourceToleration' });
  const limits = 'cpu' in requests ? {} : requests;
  const { body } = await create('p', { containers: [box({ resources: { requests, limits } })] });
  const added = body.spec.tolerations.filter(({ effect }: { effect: string }) => effect === 'NoSchedule');
  expect(added).toEqual(keys.map((key) => ({ key, operator: 'Exists', effect: 'NoSchedule' })));
});
