// For tests of controllers: the real API server in this process with every controller, in virtual time.

import { conditionOf, type Pod } from '../../api/api.ts';
import { type Client, createClient, timestamp } from '../../client/client.ts';
import { createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { startKubeControllerManager } from '../kube-controller-manager.ts';

export interface TestCluster {
  readonly client: Client;
  readonly clock: VirtualClock;
  /** Plays the kubelets for a while: deleted pods go, the others become ready unless `isHealthy` says no. */
  runPods(isHealthy?: (pod: Pod) => boolean): Promise<void>;
  stop(): Promise<void>;
}

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** Starts it with the namespace `default`. */
export async function startTestCluster(): Promise<TestCluster> {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const api = await createApiServer({ store: createMemoryStore({ clock }), clock, random, logger: silentLogger });
  const client = createClient(api.transport(admin));
  const fatal = (error: Error) => {
    throw error;
  };
  const context = { client, clock, random, logger: silentLogger, metrics: new Metrics(), fatal };
  const manager = await startKubeControllerManager(context, {});
  await clock.settle();
  await client.create('namespaces', { metadata: { name: 'default' } });
  await clock.settle();
  return {
    client,
    clock,
    runPods: (isHealthy = () => true) => runPods(client, clock, isHealthy),
    async stop() {
      await manager.stop();
      await api.stop();
    },
  };
}

async function runPods(client: Client, clock: VirtualClock, isHealthy: (pod: Pod) => boolean): Promise<void> {
  for (let round = 0; round < 25; round++) {
    await clock.advance(50);
    for (const pod of (await client.list('pods')).items) {
      const { name, namespace, deletionTimestamp } = pod.metadata;
      const target = { name, namespace };
      if (deletionTimestamp) await client.delete('pods', target, { gracePeriodSeconds: 0 });
      else await client.patch('pods', target, { type: 'merge', body: statusOf(pod, isHealthy(pod), clock) }, status);
    }
  }
}

const status = { subresource: 'status' } as const;

function statusOf(pod: Pod, healthy: boolean, clock: VirtualClock) {
  const ready = healthy ? 'True' : 'False';
  const previous = conditionOf(pod, 'Ready');
  const now = timestamp(clock.now());
  const lastTransitionTime = previous?.status === ready ? previous.lastTransitionTime : now;
  const conditions = [{ type: 'Ready', status: ready, lastTransitionTime }];
  return { status: { phase: 'Running', startTime: pod.status?.startTime ?? now, conditions } };
}
