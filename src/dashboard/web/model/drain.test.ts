import { expect, test } from 'vitest';
import { type DrainOptions, drainPlan } from './drain.ts';

const pod = (
  name: string,
  owner?: string,
  more: { volumes?: object[]; phase?: string; annotations?: object } = {},
) => ({
  metadata: {
    ...{ name, namespace: 'ns', annotations: more.annotations },
    ownerReferences: owner ? [{ kind: owner, controller: true }] : [],
  },
  spec: { volumes: more.volumes },
  status: { phase: more.phase ?? 'Running' },
});
const pods = [
  pod('web', 'ReplicaSet'),
  pod('agent', 'DaemonSet'),
  pod('alone'),
  pod('ended', undefined, { phase: 'Succeeded' }),
  pod('cache', 'ReplicaSet', { volumes: [{ emptyDir: {} }] }),
  pod('static', 'Node', { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
];

test.each<[DrainOptions, string, string]>([
  [{ isForced: false, losesLocalData: false }, 'web ended', 'alone:unmanaged cache:local-data'],
  [{ isForced: true, losesLocalData: false }, 'web alone ended', 'cache:local-data'],
  [{ isForced: true, losesLocalData: true }, 'web alone ended cache', ''],
])('%j', (options, evicted, refused) => {
  const plan = drainPlan(pods, options);
  expect(plan.evicted.map(({ name }) => name).join(' ')).toBe(evicted);
  expect(plan.refused.map(({ name, reason }) => `${name}:${reason}`).join(' ')).toBe(refused);
  expect(plan.staying).toBe(2);
});
