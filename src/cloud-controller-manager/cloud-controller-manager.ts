// The room's front door: the controllers that know the cloud in which the cluster runs.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/

import {
  type ComponentContext,
  fencedClient,
  InformerFactory,
  type LeaderElection,
  type RunningComponent,
  runController,
  runLeaderElection,
} from '../client/client.ts';
import { type LocalConfig, localProvider } from './providers/local.ts';
import { serviceControllers } from './service.ts';

const componentName = 'cloud-controller-manager';

export interface CloudControllerManagerConfig {
  readonly local: LocalConfig;
  /** With it, only the holder of the Lease runs controllers; left out: this one runs them. */
  readonly leaderElection?: { readonly identity: string };
}

/** Of its cluster role. */
export const cloudControllerManagerRules = [
  { apiGroups: [''], resources: ['services', 'nodes', 'pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    resourceNames: [componentName],
    verbs: ['get', 'update'],
  },
];

export async function startCloudControllerManager(
  context: ComponentContext,
  { local, leaderElection }: CloudControllerManagerConfig,
): Promise<RunningComponent> {
  if (!leaderElection) return runAll(context, local);
  let running: RunningComponent | undefined;
  const election: LeaderElection = runLeaderElection(context, {
    name: componentName,
    identity: leaderElection.identity,
    onStartedLeading() {
      running = runAll({ ...context, client: fencedClient(context.client, () => election.holds) }, local);
    },
    onStoppedLeading() {
      void running?.stop();
      context.fatal(new Error(`${componentName} lost its lead`));
    },
  });
  return {
    async stop() {
      await running?.stop();
      await election.stop();
    },
  };
}

function runAll(context: ComponentContext, local: LocalConfig): RunningComponent {
  const informers = new InformerFactory(context);
  const running = serviceControllers(localProvider(local)).map((each) => runController(context, informers, each));
  return {
    async stop() {
      const stopped = running.map((controller) => controller.stop());
      await informers.stop();
      await Promise.all(stopped);
    },
  };
}
