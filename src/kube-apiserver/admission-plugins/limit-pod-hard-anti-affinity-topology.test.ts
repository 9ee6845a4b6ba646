import { expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { create, start } = admissionServer();

test.each([
  ['kubernetes.io/hostname', 201, undefined],
  [
    'topology.kubernetes.io/zone',
    403,
    'pods "p" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey topology.kubernetes.io/zone but only key kubernetes.io/hostname is allowed',
  ],
])('LimitPodHardAntiAffinityTopology: %s', async (topologyKey, code, message) => {
  await start({ enabled: 'LimitPodHardAntiAffinityTopology' });
  const term = { topologyKey, labelSelector: { matchLabels: { a: 'b' } } };
  const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const answer = await create('p', { affinity });
  expect([answer.code, answer.body.message]).toEqual([code, message]);
});
