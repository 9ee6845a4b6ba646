// All controllers against a fake server, for the tests of workloads. The test simulates the kubelets.

import { afterEach, beforeEach } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { type Client, createClient, type RunningComponent } from '../../client/client.ts';
import { FakeServer } from '../../client/fake-server.ts';
import type { Logger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { startKubeControllerManager } from '../kube-controller-manager.ts';

/** A Deployment `web` with four pods. */
export const web = (image: string, spec: object = {}): any => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 4,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
    ...spec,
  },
});

/** The manager and its server, for each test of a file. */
export function workloads() {
  let server: FakeServer;
  let clock: VirtualClock;
  let client: Client;
  let manager: RunningComponent;
  let warnings: string[];

  beforeEach(async () => {
    server = new FakeServer();
    clock = new VirtualClock();
    client = createClient(server);
    warnings = [];
    const note = (message: string, fields?: object) => void warnings.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { debug() {}, info() {}, warn: note, error: note, child: () => logger };
    const fatal = (error: Error) => {
      throw error;
    };
    const context = { client, clock, random: seededRandom(1), logger, metrics: new Metrics(), fatal };
    manager = await startKubeControllerManager(context, { rootCa: 'PEM', clusterCidrs: ['10.244.0.0/16'] });
    await clock.settle();
  });
  afterEach(async () => {
    await manager.stop();
  });

  const pods = async () => [...(await client.list('pods')).items].filter((pod) => !pod.metadata.deletionTimestamp);
  const deployment = () => client.get('deployments', { namespace: 'default', name: 'web' });
  const messages = async (reason: string) =>
    (await client.list('events')).items.filter((event) => event.reason === reason).map((event) => event.message);

  /** Makes all pods ready; those with `broken` images never are. */
  async function runPods(): Promise<void> {
    for (const pod of await pods()) {
      if (pod.status?.phase === 'Running' || pod.spec.containers[0].image === 'broken') continue;
      const lastTransitionTime = new Date(clock.now()).toISOString();
      const status = {
        phase: 'Running',
        podIP: `10.0.0.${pod.metadata.resourceVersion}`,
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }],
      };
      await client.update('pods', { ...pod, status } as Pod, { subresource: 'status' });
    }
    await clock.settle();
  }

  async function settle(): Promise<void> {
    for (let i = 0; i < 12; i++) {
      await clock.settle();
      await runPods();
    }
  }
  return {
    get client() {
      return client;
    },
    get clock() {
      return clock;
    },
    get server() {
      return server;
    },
    get warnings() {
      return warnings;
    },
    ...{ pods, deployment, messages, settle },
  };
}
