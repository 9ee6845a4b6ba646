import type { Scenario } from '../scenario.ts';
import { expectCode, inFlight, type Target, within } from '../target.ts';

const namespace = 'crowd';
const pods = 100_000;
const deployments = 100;
const width = 8;
const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
/** The required minimum rate: a run at half of it fails. */
const expectedRate = 200;

const deployment = (name: string, replicas: number): object => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [
          { name: 'main', image: 'registry.test/crowd:1', resources: { requests: { cpu: '10m', memory: '16Mi' } } },
        ],
      },
    },
  },
});

async function readyPods(target: Target): Promise<number> {
  const { items } = JSON.parse(expectCode(await target.request('GET', path), 200).body.toString());
  return items.reduce((sum: number, { status }: any) => sum + (status?.readyReplicas ?? 0), 0);
}

/** Needs a separate cluster with a thousand simulated nodes: `up --runtime simulated --nodes 1000`. */
export const crowd: Scenario = {
  name: 'crowd',
  about: '100,000 pods of 100 deployments on 1,000 simulated nodes, until all are Ready',
  runsOnce: true,
  async prepare(target) {
    expectCode(await target.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } }), 201, 409);
  },
  async run(target, scale) {
    const wanted = pods * scale;
    const cpu = target.serverCpuMicros();
    const beginMs = performance.now();
    await inFlight(deployments, width, async (i) => {
      expectCode(await target.request('POST', path, deployment(`crowd-${i}`, wanted / deployments)), 201);
    });
    let ready = 0;
    let memory = 0;
    let running = true;
    const allReady = async () => {
      while (running && ready < wanted) {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        ready = await readyPods(target);
        memory = Math.max(memory, target.serverMemoryBytes() ?? 0);
      }
    };
    await within((wanted / expectedRate) * 1500, allReady(), () => `${ready} of ${wanted} pods were Ready`).finally(
      () => {
        running = false;
      },
    );
    const seconds = (performance.now() - beginMs) / 1000;
    const used = cpu === undefined ? undefined : target.serverCpuMicros()! - cpu;
    return [
      { name: 'pods made, placed, run and Ready', value: wanted / seconds, unit: '/s', better: 'more' },
      ...(used === undefined
        ? []
        : [
            { name: 'a pod: server CPU', value: used / wanted, unit: 'us', better: 'less' as const },
            { name: 'most memory on the way', value: memory / 1e6, unit: 'MB', better: 'less' as const },
          ]),
    ];
  },
};
