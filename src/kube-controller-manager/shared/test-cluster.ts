// For tests of controllers: the real API server in this process with every controller, in virtual time.

import { conditionOf, isPodTerminal, type Pod } from '../../api/api.ts';
import {
  type Client,
  type ComponentContext,
  createClient,
  type Transport,
  type TransportRequest,
  type TransportResponse,
  timestamp,
} from '../../client/client.ts';
import { createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { type KubeControllerManagerConfig, startKubeControllerManager } from '../kube-controller-manager.ts';
import { guarded } from './test-role-guard.ts';

export interface TestCluster {
  readonly client: Client;
  readonly clock: VirtualClock;
  /** The context of a component with all rights. */
  readonly context: ComponentContext;
  /** Simulates kubelets: deleted pods go, others become ready unless `isHealthy` returns false. */
  runPods(isHealthy?: (pod: Pod) => boolean): Promise<void>;
  /** Ends at most `count` running pods. Resolves with their number. */
  endPods(phase: 'Succeeded' | 'Failed', count?: number): Promise<number>;
  /** Names in the order of the API, without the config maps that each namespace has. */
  names(resource: 'configmaps' | 'pods' | 'secrets' | 'namespaces', namespace?: string): Promise<string[]>;
  /** Rejects if a controller exceeded its role. */
  stop(): Promise<void>;
}

/** An object of the namespace `default`. */
export const at = (name: string) => ({ namespace: 'default', name });

/** A pod template of one container, and a matching selector. */
export const template = (image: string) => ({
  metadata: { labels: { app: 'x' } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image }] },
});
export const selector = { matchLabels: { app: 'x' } };

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** Answers a controller's request for the API of another server; undefined for all other requests. */
export type Extension = (request: TransportRequest) => Promise<TransportResponse | undefined>;

/** Starts it with the namespaces `default` and `kube-node-lease`. */
export async function startTestCluster(
  config: KubeControllerManagerConfig = {},
  extension: Extension = async () => undefined,
): Promise<TestCluster> {
  const clock = new VirtualClock();
  const random = seededRandom(7);
  const api = await createApiServer({ store: createMemoryStore({ clock }), clock, random, logger: silentLogger });
  const client = createClient(api.transport(admin));
  const overreach = new Set<string>();
  const transport = api.transport(admin);
  const extended: Transport = { send: async (request) => (await extension(request)) ?? transport.send(request) };
  const context = { client, clock, random, logger: silentLogger, metrics: new Metrics(), fatal };
  const manager = await startKubeControllerManager(context, {
    rootCa: 'PEM',
    clusterCidrs: ['10.244.0.0/22'],
    clientFor: (account) => createClient(guarded(account, extended, (request) => overreach.add(request))),
    ...config,
  });
  await clock.settle();
  for (const name of ['default', 'kube-node-lease']) await client.create('namespaces', { metadata: { name } });
  await clock.settle();
  return {
    client,
    clock,
    context,
    runPods: (isHealthy = () => true) => runPods(client, clock, isHealthy),
    endPods: (phase, count = Number.POSITIVE_INFINITY) => endPods(client, clock, phase, count),
    async names(resource, namespace) {
      const { items } = await client.list(resource, { namespace });
      return items.map(({ metadata }) => metadata.name).filter((name) => name !== 'kube-root-ca.crt');
    },
    async stop() {
      await manager.stop();
      await api.stop();
      if (overreach.size > 0) throw new Error(`beyond the roles of controllers: ${[...overreach].sort().join('; ')}`);
    },
  };
}

function fatal(error: Error): never {
  throw error;
}

async function endPods(client: Client, clock: VirtualClock, phase: string, count: number): Promise<number> {
  const open = (await client.list('pods')).items.filter(
    (pod) => !isPodTerminal(pod) && !pod.metadata.deletionTimestamp,
  );
  for (const { metadata } of open.slice(0, count)) {
    const state = { terminated: { exitCode: phase === 'Failed' ? 1 : 0, finishedAt: timestamp(clock.now()) } };
    const containerStatuses = [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }];
    const body = { status: { phase, containerStatuses } };
    await client.patch('pods', at(metadata.name), { type: 'merge', body }, status);
  }
  await clock.settle();
  return open.length;
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
