import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { VirtualClock } from '../machinery/clock.ts';
import { silentLogger } from '../machinery/logger.ts';
import { PodWorker } from './pod-worker.ts';
import type { KubeletTools } from './tools.ts';

const pod = {
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'slow.example.com/a:1' }], restartPolicy: 'Always' },
} as Pod;

test('a worker that is stopped does not wait for a pull', async () => {
  const sandbox = { id: 's', state: 'ready', ips: ['10.0.0.1'], createdAt: 1, config: { attempt: 0 } };
  const { promise: pulling, resolve: begun } = Promise.withResolvers<void>();
  const tools = {
    config: { usesFilesystem: false, nodeIPs: [], clusterDNS: [], podLogsDirectory: '/logs', rootDirectory: '/root' },
    clock: new VirtualClock(),
    logger: silentLogger,
    runtime: {},
    events: { event() {} },
    cache: { get: () => ({ sandboxes: [sandbox], containers: [] }), refresh: async () => {} },
    probes: { get: () => undefined, remove() {} },
    statuses: { get: () => undefined, set() {}, update() {} },
    images: {
      retryAfterMs: () => 0,
      /** A registry that does not answer. */
      ensure: (_pod: Pod, _container: object, _secrets: object, _emit: object, signal: AbortSignal) => {
        begun();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    },
    refuse: () => undefined,
  } as unknown as KubeletTools;
  const worker = new PodWorker(pod, tools, () => {});
  worker.wake();
  await pulling;
  await worker.stop();
  expect(worker.isFinished).toBe(false);
});
