import { beforeEach, expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, start } = admissionServer();
beforeEach(() => start());
const node = (name: string) => call('POST', '/api/v1/nodes', { metadata: { name } });

test('TaintNodesByCondition: a new node is not ready, also in a dry run', async () => {
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  expect((await node('n')).body.spec.taints).toEqual([taint]);
  const given = { metadata: { name: 'm' }, spec: { taints: [taint] } };
  expect((await call('POST', '/api/v1/nodes', given)).body.spec.taints).toEqual([taint]);
});
