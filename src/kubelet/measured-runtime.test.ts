import { expect, test } from 'vitest';
import type { ContainerRuntime } from '../container-runtime/container-runtime.ts';
import { VirtualClock } from '../machinery/clock.ts';
import { Metrics } from '../machinery/metrics.ts';
import { measured } from './measured-runtime.ts';

/** Has a private field, as real runtimes do: its methods work on it alone. */
class Slow {
  readonly version = 'slow://1';
  readonly #clock: VirtualClock;
  closed = false;
  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }
  async runPodSandbox({ name }: { name: string }): Promise<string> {
    await this.#clock.advance(300);
    if (name === 'bad') throw new Error('no network');
    return `sandbox of ${name}`;
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

test('runtime operations are counted and timed under the names that Kubernetes gives them', async () => {
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const runtime = new Slow(clock);
  const timed = measured(runtime as unknown as ContainerRuntime, metrics, clock);
  expect(await timed.runPodSandbox({ name: 'good' } as never)).toBe('sandbox of good');
  await expect(timed.runPodSandbox({ name: 'bad' } as never)).rejects.toThrow('no network');
  await timed.close();
  expect(runtime.closed).toBe(true);
  expect(timed.version).toBe('slow://1');
  const lines = metrics.text().split('\n');
  expect(lines).toContain('kubelet_runtime_operations_total{operation_type="run_podsandbox"} 2');
  expect(lines).toContain('kubelet_runtime_operations_errors_total{operation_type="run_podsandbox"} 1');
  expect(lines).toContain('kubelet_runtime_operations_duration_seconds_sum{operation_type="run_podsandbox"} 0.6');
});
