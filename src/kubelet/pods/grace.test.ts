import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { graceOf, killGrace } from './grace.ts';
import type { KillContainer } from './pod-actions.ts';

const podWith = (spec: object = {}, metadata: object = {}) =>
  ({ metadata, spec: { containers: [], ...spec }, status: {} }) as unknown as Pod;

test.each([
  { case: 'the default', pod: podWith(), seconds: 30 },
  { case: "the pod's own", pod: podWith({ terminationGracePeriodSeconds: 7 }), seconds: 7 },
  {
    case: "the deletion's",
    pod: podWith({ terminationGracePeriodSeconds: 7 }, { deletionGracePeriodSeconds: 0 }),
    seconds: 0,
  },
])('grace of a pod: $case', ({ pod, seconds }) => expect(graceOf(pod)).toBe(seconds));

test.each<{ reason: KillContainer['reason']; seconds: number }>([
  { reason: 'Unhealthy', seconds: 3 },
  { reason: 'StartupProbe', seconds: 4 },
  { reason: 'Changed', seconds: 30 },
  { reason: 'Resize', seconds: 30 },
])('grace of a container that restarts: $reason', ({ reason, seconds }) => {
  const probes = {
    livenessProbe: { terminationGracePeriodSeconds: 3 },
    startupProbe: { terminationGracePeriodSeconds: 4 },
  };
  const pod = podWith({ containers: [{ name: 'a', ...probes }] });
  expect(killGrace(pod, { id: 'c', name: 'a', message: '', reason })).toBe(seconds);
});
