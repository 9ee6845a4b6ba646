import { describe, expect, test } from 'vitest';
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
  probes.keepReadiness('c');
  answers = false;
  await clock.advance(1500);
  expect([probes.isReady('c', container), probes.liveness('c')]).toEqual([false, true]);
  expect(failures).toEqual(['Readiness probe failed: ']);
  probes.stop();
});

describe('the first probes of a container', () => {
  const status = (ready: string, started: boolean) => ({
    conditions: [{ type: 'Ready', status: ready }],
    containerStatuses: [{ name: 'web', started, ready: ready === 'True' }],
  });
  const started = { ...pod, status: status('True', true) } as Pod;
  const container = { name: 'web', livenessProbe: probe, readinessProbe: probe, startupProbe: probe } as Container;
  const silent = { event() {} } as unknown as EventRecorder;
  const never = { probe: () => new Promise(() => {}) } as unknown as ContainerRuntime;

  test.each<[string, Pod, number, [isStarted: boolean, isReady: boolean]]>([
    ['that runs since before the kubelet, and was ready', started, 60_000, [true, true]],
    [
      'that runs since before the kubelet, and was not ready',
      { ...pod, status: status('False', true) } as Pod,
      60_000,
      [true, false],
    ],
    ['that had not started', { ...pod, status: status('False', false) } as Pod, 60_000, [false, false]],
    ['that has just been started again', started, 5_000, [false, false]],
  ])('%s', async (_, of, ageMs, expected) => {
    const clock = new VirtualClock();
    await clock.advance(100_000);
    const probes = new ProbeManager(never, clock, silent, () => {});
    probes.add(of, container, { containerId: 'c', sandboxId: 's', podIP: '', startedAt: clock.now() - ageMs });
    expect([probes.isStarted('c', container), probes.isReady('c', container)]).toEqual(expected);
    probes.stop();
  });

  test('of liveness come after one period, or the delay that is longer', async () => {
    const firstOf = async (livenessProbe: object) => {
      const clock = new VirtualClock();
      let firstMs: number | undefined;
      const runtime = { probe: async () => ({ success: Boolean((firstMs ??= clock.now())), message: '' }) };
      const probes = new ProbeManager(runtime as unknown as ContainerRuntime, clock, silent, () => {});
      const beginMs = clock.now();
      probes.add(pod, { name: 'web', livenessProbe } as Container, {
        ...{ containerId: 'c', sandboxId: 's', podIP: '', startedAt: beginMs },
      });
      await clock.advance(100_000);
      probes.stop();
      return firstMs! - beginMs;
    };
    expect(await firstOf({ httpGet: { port: 80 } })).toBe(10_000);
    expect(await firstOf({ ...probe, initialDelaySeconds: 5 })).toBe(30_000);
    expect(await firstOf({ ...probe, initialDelaySeconds: 45 })).toBe(45_000);
  });
});

test('probes are counted by result, and their durations, until the container has ended', async () => {
  const clock = new VirtualClock();
  let tried = 0;
  const runtime = {
    probe: async () => {
      await clock.sleep(30);
      return { success: ++tried !== 2, message: '' };
    },
  } as unknown as ContainerRuntime;
  const probes = new ProbeManager(runtime, clock, { event() {} } as unknown as EventRecorder, () => {});
  const container = { name: 'web', readinessProbe: { ...probe, periodSeconds: 1 } } as unknown as Container;
  const named = { metadata: { name: 'p', namespace: 'ns', uid: 'u' } } as Pod;
  probes.add(named, container, { containerId: 'c', sandboxId: 's', podIP: '', startedAt: clock.now() });
  await clock.advance(2_500);
  const text = probes.metricsText();
  const labels = 'container="web",namespace="ns",pod="p",pod_uid="u",probe_type="Readiness"';
  expect(text).toContain(`prober_probe_total{${labels},result="successful"} 2\n`);
  expect(text).toContain(`prober_probe_total{${labels},result="failed"} 1\n`);
  const ofDuration = 'container="web",namespace="ns",pod="p",probe_type="Readiness"';
  expect(text).toContain(`prober_probe_duration_seconds_bucket{${ofDuration},le="0.025"} 0\n`);
  expect(text).toContain(`prober_probe_duration_seconds_bucket{${ofDuration},le="0.05"} 2\n`);
  expect(text).toContain(`prober_probe_duration_seconds_sum{${ofDuration}} 0.06\n`);
  expect(text.match(/^# TYPE/gm)).toHaveLength(2);
  probes.remove('c');
  expect(probes.metricsText()).toBe('');
});
