import { describe, expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { startCluster, type TestCluster } from './testing.ts';

const deployment = (replicas: number) => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'coracle.local/hello' }] },
    },
  },
});

const pods = async (cluster: TestCluster): Promise<readonly Pod[]> =>
  (await cluster.client.list('pods', { namespace: 'default' })).items;
const isReady = (pod: Pod) => pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
const readyOn = async (cluster: TestCluster, accept: (node: string) => boolean) =>
  (await pods(cluster)).filter(
    (pod) => isReady(pod) && !pod.metadata.deletionTimestamp && accept(pod.spec.nodeName ?? ''),
  ).length;

describe('a cluster in a test', () => {
  test('brings a Deployment to run on its nodes', async () => {
    const cluster = await startCluster({ nodes: 3 });
    try {
      await cluster.client.create('deployments', deployment(6) as any);
      await cluster.until(async () => (await readyOn(cluster, () => true)) === 6);
      expect(new Set((await pods(cluster)).map((pod) => pod.spec.nodeName)).size).toBe(3);
    } finally {
      await cluster.stop();
    }
  });

  /** One node stops; returns the events of its pods with their virtual times in seconds. */
  async function failure(seed: number): Promise<{ log: string[]; realMs: number }> {
    const cluster = await startCluster({ nodes: 3, seed });
    try {
      await cluster.client.create('deployments', deployment(6) as any);
      await cluster.until(async () => (await readyOn(cluster, () => true)) === 6);
      const realStart = performance.now();
      const log: string[] = [];
      const start = cluster.clock.now();
      const note = (text: string) => log.push(`${text} after ${Math.round((cluster.clock.now() - start) / 1000)} s`);
      await cluster.node('node-2').stop();
      const status = async () =>
        (await cluster.client.get('nodes', { name: 'node-2' })).status?.conditions?.find((c) => c.type === 'Ready')
          ?.status;
      await cluster.until(async () => (await status()) === 'Unknown');
      note('node-2 is unknown');
      await cluster.until(async () => (await pods(cluster)).some((pod) => pod.metadata.deletionTimestamp));
      note('its pods are evicted');
      await cluster.until(async () => (await readyOn(cluster, (node) => node !== 'node-2')) === 6);
      note('all run elsewhere');
      log.push(
        ...(await pods(cluster)).map((pod) => `${pod.metadata.name} ${pod.spec.nodeName} ${pod.metadata.uid}`).sort(),
      );
      return { log, realMs: performance.now() - realStart };
    } finally {
      await cluster.stop();
    }
  }

  test('names events the same way for the same seed, in one process too', async () => {
    const runs: string[][] = [];
    for (let run = 0; run < 2; run++) {
      const cluster = await startCluster({ nodes: 2, seed: 3 });
      await cluster.advance(60_000);
      const { items } = await cluster.client.list('events');
      runs.push(items.map((event) => event.metadata.name ?? '').sort());
      await cluster.stop();
    }
    expect(runs[0].length).toBeGreaterThan(2);
    expect(runs[1]).toEqual(runs[0]);
  });

  test('plays the failure of a node up to the eviction of its pods, the same way for the same seed', async () => {
    const first = await failure(7);
    const [unknown, evicted] = first.log.map((line) => Number(/after (\d+) s/.exec(line)?.[1]));
    expect(unknown).toBeGreaterThanOrEqual(40);
    expect(unknown).toBeLessThanOrEqual(56);
    expect(evicted - unknown).toBeGreaterThanOrEqual(299);
    expect(evicted - unknown).toBeLessThanOrEqual(310);
    expect((await failure(7)).log).toEqual(first.log);
    expect((await failure(8)).log).not.toEqual(first.log);
  });
});
