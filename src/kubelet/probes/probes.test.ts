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

test('of a pod that is being deleted only readiness is probed', async () => {
  const clock = new VirtualClock();
  let answers = true;
  const runtime = { probe: async () => ({ success: answers, message: '' }) } as unknown as ContainerRuntime;
  const failures: string[] = [];
  const events = { event: (_pod: Pod, _type: string, _reason: string, message: string) => void failures.push(message) };
  const probes = new ProbeManager(runtime, clock, events as unknown as EventRecorder, () => {});
  const fast = { ...probe, periodSeconds: 1, failureThreshold: 1 };
  const container = { name: 'web', livenessProbe: fast, readinessProbe: fast } as unknown as Container;
  probes.add(pod, container, { containerId: 'c', sandboxId: 's', podIP: '', startedAt: clock.now() });
  await clock.advance(2000);
  expect(probes.isReady('c', container)).toBe(true);
  probes.keepReadiness('u');
  answers = false;
  await clock.advance(1500);
  expect([probes.isReady('c', container), probes.liveness('c')]).toEqual([false, true]);
  expect(failures).toEqual(['Readiness probe failed: ']);
  probes.stop();
});
