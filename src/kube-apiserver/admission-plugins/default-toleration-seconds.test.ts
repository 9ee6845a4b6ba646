import { beforeEach, expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { create, start } = admissionServer();
beforeEach(() => start());

const notReady = {
  key: 'node.kubernetes.io/not-ready',
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
};
const unreachable = { ...notReady, key: 'node.kubernetes.io/unreachable' };

test.each([
  ['no toleration', [], [notReady, unreachable]],
  [
    'one for nodes that are not ready',
    [{ ...notReady, tolerationSeconds: 9 }],
    [{ ...notReady, tolerationSeconds: 9 }, unreachable],
  ],
  ['one of another effect', [{ ...notReady, effect: 'NoSchedule', tolerationSeconds: undefined }], undefined],
  ['one for everything', [{ operator: 'Exists' }], [{ operator: 'Exists' }]],
])('a pod with %s', async (_, tolerations, expected) => {
  const { body } = await create('p', { tolerations });
  const { tolerationSeconds: _seconds, ...other } = { ...notReady, effect: 'NoSchedule' };
  expect(body.spec.tolerations).toEqual(expected ?? [other, notReady, unreachable]);
});
