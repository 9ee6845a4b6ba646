import { median, type Scenario } from '../scenario.ts';
import { isReady, startPod } from '../start-pod.ts';
import { prepareNamespace } from './api.ts';

/** Needs a cluster with a node that runs containers and has the image (BENCH_IMAGE). */
export const podStart: Scenario = {
  name: 'pod-start',
  about: 'from the creation of a pod to Ready, image present, one at a time',
  async prepare(target) {
    await prepareNamespace(target);
    await startPod(target, `warm-${process.pid}`, isReady); // brings the image
  },
  async run(target, scale) {
    const times: number[] = [];
    for (let i = 0; i < 10 * scale; i++)
      times.push(await startPod(target, `start-${process.pid}-${serial++}`, isReady));
    return [{ name: 'pod start, p50', value: median(times), unit: 'ms', better: 'less' }];
  },
};

let serial = 0;
