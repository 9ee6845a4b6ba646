import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { ImageError } from '../images/images.ts';
import { simulatedMachine } from '../machine/simulated-machine.ts';
import type { KubeletTools } from '../tools.ts';
import { PodRunner } from './pod-runner.ts';

const pod = {
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'slow.example.com/a:1' }], restartPolicy: 'Always' },
} as Pod;

const sandbox = { id: 's', state: 'ready', ips: ['10.0.0.1'], createdAt: 1, config: { attempt: 0 } };

const toolsWith = (change: object) =>
  ({
    config: {
      ...{ nodeIPs: [], clusterDNS: [], podLogsDirectory: '/logs', rootDirectory: '/root' },
      ...{ capacity: { cpuMillis: 1, memoryBytes: 1 }, reserved: { cpuMillis: 0, memoryBytes: 0 } },
    },
    machine: simulatedMachine({ capacity: { cpuMillis: 1, memoryBytes: 1, ephemeralStorageBytes: 1 } }, {}),
    clock: new VirtualClock(),
    logger: silentLogger,
    runtime: { features: {} },
    events: { event() {} },
    cache: { get: () => ({ sandboxes: [sandbox], containers: [] }), refresh: async () => {} },
    probes: { get: () => undefined, remove() {} },
    statuses: { get: () => undefined, set() {}, update() {} },
    services: { list: () => [] },
    refuse: () => undefined,
    ...change,
  }) as unknown as KubeletTools;

test('a runner that is stopped does not wait for a pull', async () => {
  const { promise: pulling, resolve: begun } = Promise.withResolvers<void>();
  const images = {
    retryAfterMs: () => 0,
    /** A registry that never responds. */
    ensure: (_pod: Pod, _container: object, _secrets: object, _emit: object, signal: AbortSignal) => {
      begun();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  const worker = new PodRunner(pod, toolsWith({ images }), () => {});
  worker.wake();
  await pulling;
  await worker.stop();
  expect(worker.isFinished).toBe(false);
});

test('a runner that is stopped waits a moment, and no longer, for a runtime that does not come back', async () => {
  const { promise: starting, resolve: begun } = Promise.withResolvers<void>();
  const runtime = {
    features: {},
    imageStatus: async () => ({ id: 'i' }),
    createContainer: async () => 'c1',
    startContainer: () => {
      begun();
      return new Promise(() => {});
    },
  };
  const clock = new VirtualClock();
  const images = { retryAfterMs: () => 0, ensure: async () => 'i' };
  const worker = new PodRunner(pod, toolsWith({ runtime, clock, images }), () => {});
  worker.wake();
  await starting;
  let isStopped = false;
  const stopped = worker.stop().then(() => (isStopped = true));
  await clock.advance(1_000);
  expect(isStopped).toBe(false);
  await clock.advance(1_000);
  await stopped;
});

test.each(['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'] as const)(
  'an image that is missing by %s is the error of an event',
  async (reason) => {
    const { promise: failed, resolve: report } = Promise.withResolvers<string[]>();
    const events = { event: (_: Pod, ...event: string[]) => report(event) };
    const images = { retryAfterMs: () => 0, ensure: () => Promise.reject(new ImageError(reason, 'why')) };
    const worker = new PodRunner(pod, toolsWith({ images, events }), () => {});
    worker.wake();
    expect(await failed).toEqual(['Warning', 'Failed', `Error: ${reason}`, 'spec.containers{c}']);
    await worker.stop();
  },
);
