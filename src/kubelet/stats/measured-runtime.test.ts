import { expect, test } from 'vitest';
import { createSimulatedRuntime } from '../../container-runtime/container-runtime.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { measured } from './measured-runtime.ts';

test('runtime operations are counted and timed under the names that Kubernetes gives them', async () => {
  const clock = new VirtualClock();
  const metrics = new Metrics();
  const runtime = createSimulatedRuntime({
    clock,
    random: seededRandom(1),
    podCidrs: ['10.0.0.0/24'],
    behaviour: {
      sandbox: ({ name }) => ({ startMs: 300, ...(name === 'bad' && { error: 'no network' }) }),
    },
  });
  const timed = measured(runtime, metrics, clock);
  const run = (name: string) => timed.runPodSandbox({ name, namespace: 'default', uid: name } as never);
  const good = run('good');
  await clock.advance(300);
  const bad = run('bad').catch((error) => error.message);
  await clock.advance(300);
  expect([(await timed.listPodSandboxes())[0].id, await bad]).toEqual([await good, 'no network']);
  expect(timed.version).toBe(runtime.version);
  expect(await timed.probe?.(await good, { kind: 'tcpSocket', host: '', port: 1 })).toMatchObject({ success: true });
  const lines = metrics.text().split('\n');
  expect(lines).toContain('kubelet_runtime_operations_total{operation_type="run_podsandbox"} 2');
  expect(lines).toContain('kubelet_runtime_operations_errors_total{operation_type="run_podsandbox"} 1');
  expect(lines).toContain('kubelet_runtime_operations_duration_seconds_sum{operation_type="run_podsandbox"} 0.6');
});
