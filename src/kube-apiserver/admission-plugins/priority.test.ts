import { beforeEach, expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, create, start } = admissionServer();
beforeEach(() => start());

test.each<[string, object, number | undefined, string]>([
  ['no class', {}, 0, ''],
  ['a class', { priorityClassName: 'high' }, 7, ''],
  [
    'an unknown class',
    { priorityClassName: 'ghost' },
    undefined,
    'pods "p" is forbidden: no PriorityClass with name ghost was found',
  ],
  [
    'a priority that is not that of the class',
    { priority: 3 },
    undefined,
    'pods "p" is forbidden: the integer value of priority (3) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  ],
])('a pod with %s', async (_, spec, priority, why) => {
  await call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 7 });
  const { body } = await create('p', spec);
  expect([body.spec?.priority, body.message ?? '']).toEqual([priority, why]);
});
