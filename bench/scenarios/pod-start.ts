import { median, type Scenario } from '../scenario.ts';
import { isReady, startPod } from '../start-pod.ts';
import { expectCode, type Target } from '../target.ts';
import { prepareNamespace } from './api.ts';

/** The runtime's operations of a container start. */
const operations = ['run_podsandbox', 'create_container', 'start_container'];

/**
 * Milliseconds that the first node has spent so far, by its kubelet's metrics: from hearing of pods until they ran, and
 * of that in the runtime.
 */
async function spent(target: Target): Promise<{ startMs: number; runtimeMs: number }> {
  const nodes = JSON.parse(expectCode(await target.request('GET', '/api/v1/nodes?limit=1'), 200).body.toString());
  const { name } = nodes.items[0].metadata;
  const { body } = expectCode(await target.request('GET', `/api/v1/nodes/${name}/proxy/metrics`), 200);
  const lines = body.toString().split('\n');
  const milliseconds = (metric: string) =>
    1000 * Number(lines.find((line) => line.startsWith(`${metric} `))?.slice(metric.length + 1) ?? 0);
  const runtime = operations.map((operation) =>
    milliseconds(`kubelet_runtime_operations_duration_seconds_sum{operation_type="${operation}"}`),
  );
  return {
    startMs: milliseconds('kubelet_pod_start_duration_seconds_sum'),
    runtimeMs: runtime.reduce((sum, ms) => sum + ms, 0),
  };
}

/** Needs a cluster with one node that has a container runtime and the image (BENCH_IMAGE). */
export const podStart: Scenario = {
  name: 'pod-start',
  about: 'from the creation of a pod to Ready, image present, one at a time',
  async prepare(target) {
    await prepareNamespace(target);
    for (let i = 0; i < 3; i++) await startPod(target, `warm-${process.pid}-${i}`, isReady); // pulls the image
  },
  async run(target, scale) {
    const times: number[] = [];
    const runtimes: number[] = [];
    const above: number[] = [];
    for (let i = 0; i < 10 * scale; i++) {
      const before = await spent(target);
      times.push(await startPod(target, `start-${process.pid}-${serial++}`, isReady));
      const after = await spent(target);
      runtimes.push(after.runtimeMs - before.runtimeMs);
      above.push(after.startMs - before.startMs - (after.runtimeMs - before.runtimeMs));
    }
    return [
      { name: 'pod start, p50', value: median(times), unit: 'ms', better: 'less' },
      { name: 'of which the runtime, p50', value: median(runtimes), unit: 'ms', better: 'less' },
      { name: 'of which the kubelet above it, p50', value: median(above), unit: 'ms', better: 'less' },
    ];
  },
};

let serial = 0;
