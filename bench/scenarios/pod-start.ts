import { median, type Scenario } from '../scenario.ts';
import { isReady, startPod } from '../start-pod.ts';
import { expectCode, type Target } from '../target.ts';
import { prepareNamespace } from './api.ts';

/** What starting a container asks of the runtime. */
const operations = ['run_podsandbox', 'create_container', 'start_container'];

/** Milliseconds that the first node's runtime has spent on such operations so far, by its kubelet's metrics. */
async function runtimeMs(target: Target): Promise<number> {
  const nodes = JSON.parse(expectCode(await target.request('GET', '/api/v1/nodes?limit=1'), 200).body.toString());
  const { name } = nodes.items[0].metadata;
  const { body } = expectCode(await target.request('GET', `/api/v1/nodes/${name}/proxy/metrics`), 200);
  let seconds = 0;
  for (const operation of operations) {
    const sum = `kubelet_runtime_operations_duration_seconds_sum{operation_type="${operation}"} `;
    seconds += Number(new RegExp(`^${sum.replace(/[{}]/g, '\\$&')}(.*)$`, 'm').exec(body.toString())?.[1] ?? 0);
  }
  return seconds * 1000;
}

/** Needs a cluster with one node that runs containers and has the image (BENCH_IMAGE). */
export const podStart: Scenario = {
  name: 'pod-start',
  about: 'from the creation of a pod to Ready, image present, one at a time',
  async prepare(target) {
    await prepareNamespace(target);
    for (let i = 0; i < 3; i++) await startPod(target, `warm-${process.pid}-${i}`, isReady); // brings the image
  },
  async run(target, scale) {
    const times: number[] = [];
    const above: number[] = [];
    for (let i = 0; i < 10 * scale; i++) {
      const before = await runtimeMs(target);
      const tookMs = await startPod(target, `start-${process.pid}-${serial++}`, isReady);
      times.push(tookMs);
      above.push(tookMs - ((await runtimeMs(target)) - before));
    }
    return [
      { name: 'pod start, p50', value: median(times), unit: 'ms', better: 'less' },
      { name: 'above what the runtime takes, p50', value: median(above), unit: 'ms', better: 'less' },
    ];
  },
};

let serial = 0;
