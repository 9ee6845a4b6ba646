import { expect, test } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import type { EventRecorder } from '../../client/client.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { ProbeManager } from './probes.ts';

const probe = { httpGet: { port: 80 }, periodSeconds: 30 };
const pod = { metadata: { name: 'web', uid: 'u' } } as Pod;

test('readiness is probed as soon as the startup probe succeeds, not a period later', async () => {
  const clock = new VirtualClock();
  let answers = false;
  const runtime = { probe: async () => ({ success: answers, message: '' }) } as unknown as ContainerRuntime;
  const probes = new ProbeManager(runtime, clock, { event() {} } as unknown as EventRecorder, () => {});
  const container = {
    name: 'web',
    startupProbe: { ...probe, periodSeconds: 5 },
    readinessProbe: probe,
  } as unknown as Container;
  probes.add(pod, container, { containerId: 'c', sandboxId: 's', podIP: '', startedAt: clock.now() });
  await clock.advance(7000);
  expect(probes.isReady('c', container)).toBe(false);
  answers = true;
  await clock.advance(4000);
  expect([probes.isStarted('c', container), probes.isReady('c', container)]).toEqual([true, true]);
  probes.stop();
});
