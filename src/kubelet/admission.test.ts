import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { refuse } from './admission.ts';
import type { KubeletConfig } from './config.ts';

const config = {
  maxPods: 3,
  capacity: { cpuMillis: 2000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
  reserved: { cpuMillis: 0, memoryBytes: 0 },
} as KubeletConfig;
const able = { supplementalGroupsPolicy: true, appArmor: true };
const container = (requests: object, more: object = {}) => ({ name: 'c', resources: { requests }, ...more });
const pod = (spec: object, uid = 'u') => ({ metadata: { name: uid, uid }, spec }) as unknown as Pod;
const sidecar = { restartPolicy: 'Always' };
const insufficient = (name: string, requested: number, used: number, capacity: number) => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

test.each<[string, object, ReturnType<typeof insufficient> | undefined]>([
  ['containers that fit', { containers: [container({ cpu: '500m' }), container({ cpu: '1500m' })] }, undefined],
  ['too much CPU', { containers: [container({ cpu: '2100m' })] }, insufficient('cpu', 2100, 0, 2000)],
  [
    'an init container and the sidecar that comes after it do not run together at first',
    {
      initContainers: [container({ cpu: '1700m' }), container({ cpu: '500m' }, sidecar)],
      containers: [container({ cpu: '700m' })],
    },
    undefined,
  ],
  [
    'an init container and the sidecar before it do',
    {
      initContainers: [container({ cpu: '500m' }, sidecar), container({ cpu: '1700m' })],
      containers: [container({ cpu: '100m' })],
    },
    insufficient('cpu', 2200, 0, 2000),
  ],
  [
    'the overhead counts',
    { containers: [container({ cpu: '2' })], overhead: { cpu: '1m' } },
    insufficient('cpu', 2001, 0, 2000),
  ],
  [
    'resources of the pod as a whole count in place of the containers',
    { containers: [container({ cpu: '3' })], resources: { requests: { cpu: '1' } } },
    undefined,
  ],
  [
    'too much local storage',
    { containers: [container({ 'ephemeral-storage': '2Gi' })] },
    insufficient('ephemeral-storage', 2 ** 31, 0, 2 ** 30),
  ],
])('%s', (_, spec, refusal) => expect(refuse(pod(spec), [], config, able)).toEqual(refusal));

test('what active pods have is taken', () => {
  const used = pod({ containers: [container({ cpu: '1500m' })] }, 'other');
  const wanted = pod({ containers: [container({ cpu: '600m' })] });
  expect(refuse(wanted, [used], config, able)).toEqual(insufficient('cpu', 600, 1500, 2000));
  expect(refuse(wanted, [{ ...used, status: { phase: 'Succeeded' } } as Pod], config, able)).toBeUndefined();
});
