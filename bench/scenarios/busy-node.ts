import { namespace } from '../objects.ts';
import { median, type Scenario } from '../scenario.ts';
import { image, isReady } from '../start-pod.ts';
import { expectCode, inFlight, type Target, within } from '../target.ts';
import { prepareNamespace } from './api.ts';

const pods = `/api/v1/namespaces/${namespace}/pods`;
const patienceMs = 180_000;
const readEveryMs = 5;

/** Reads one object again and again until `isOver`; returns how long each read took, from the time it was due. */
async function readMeanwhile(target: Target, isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  const path = `/api/v1/namespaces/${namespace}`;
  const beginMs = performance.now();
  const underWay: Promise<void>[] = [];
  for (let i = 0; !isOver(); i++) {
    const dueMs = beginMs + i * readEveryMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
    const sentMs = performance.now();
    underWay.push(
      target.request('GET', path).then((answer) => {
        expectCode(answer, 200);
        times.push(performance.now() - sentMs);
      }),
    );
  }
  await Promise.all(underWay);
  return times;
}

/** Starts pods concurrently; resolves when all are Ready. */
async function startAll(target: Target, names: readonly string[]): Promise<void> {
  const missing = new Set(names);
  let done = () => {};
  const ready = new Promise<void>((resolve) => {
    done = resolve;
  });
  const { metadata } = JSON.parse(expectCode(await target.request('GET', `${pods}?limit=1`), 200).body.toString());
  const stop = await target.watch(`${pods}?watch=1&resourceVersion=${metadata.resourceVersion}`, (line) => {
    const { object } = JSON.parse(line);
    if (isReady(object)) missing.delete(object.metadata.name);
    if (missing.size === 0) done();
  });
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent' }],
  };
  await inFlight(names.length, 16, async (i) => {
    expectCode(await target.request('POST', pods, { metadata: { name: names[i] }, spec }), 201);
  });
  await within(patienceMs, ready, () => `${missing.size} of ${names.length} pods are not Ready`).finally(stop);
}

async function removeAll(target: Target): Promise<void> {
  expectCode(await target.request('DELETE', `${pods}?gracePeriodSeconds=0`), 200);
  const areGone = async () => {
    for (;;) {
      const { items } = JSON.parse(expectCode(await target.request('GET', pods), 200).body.toString());
      if (items.length === 0) return;
      await new Promise((done) => setTimeout(done, 200));
    }
  };
  await within(patienceMs, areGone(), () => 'pods are still there');
}

/** Needs a cluster with one node that has a container runtime and the image (BENCH_IMAGE). */
export const busyNode: Scenario = {
  name: 'busy-node',
  about: 'reads of one object, every 5 ms, while the node of the same machine starts 50 pods at once',
  prepare: prepareNamespace,
  async run(target, scale) {
    const names = Array.from({ length: Math.max(1, 50 * scale) }, () => `busy-${process.pid}-${serial++}`);
    let isOver = false;
    const beginMs = performance.now();
    const starting = startAll(target, names).finally(() => {
      isOver = true;
    });
    const times = (await readMeanwhile(target, () => isOver)).sort((a, b) => a - b);
    await starting;
    const tookMs = performance.now() - beginMs;
    await removeAll(target);
    return [
      { name: 'GET meanwhile, p50', value: median(times), unit: 'ms', better: 'less' },
      { name: 'GET meanwhile, p99', value: times[Math.floor(times.length * 0.99)], unit: 'ms', better: 'less' },
      { name: 'GET meanwhile, longest', value: times.at(-1)!, unit: 'ms', better: 'less' },
      { name: 'until all pods are Ready', value: tookMs, unit: 'ms', better: 'less' },
    ];
  },
};

let serial = 0;
