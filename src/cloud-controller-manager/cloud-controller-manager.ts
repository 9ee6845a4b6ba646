// The room's front door: the controllers that know the cloud in which the cluster runs.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/

import {
  type ComponentContext,
  type Controller,
  fencedClient,
  InformerFactory,
  type LeaderElection,
  type RunningComponent,
  runController,
  runLeaderElection,
} from '../client/client.ts';
import { cloudNodeController, cloudNodeStatusController } from './nodes/cloud-node.ts';
import { cloudNodeLifecycleController } from './nodes/cloud-node-lifecycle.ts';
import type { CloudProvider } from './provider.ts';
import type { LocalConfig } from './providers/local.ts';
import { type CloudName, openProvider } from './providers/providers.ts';
import { routeController } from './routes/route.ts';
import { serviceControllers } from './services/service.ts';

const componentName = 'cloud-controller-manager';

interface CloudControllerManagerConfig {
  readonly provider: CloudName;
  /** Of the provider `local`. */
  readonly local: LocalConfig;
  /** Path of the configuration file of another provider. */
  readonly cloudConfig?: string;
  /** Of the cluster, among those of one cloud. */
  readonly clusterName: string;
  readonly clusterCidrs: readonly string[];
  /** With it, only the holder of the Lease runs controllers; left out: this one runs them. */
  readonly leaderElection?: { readonly identity: string };
}

/** Of its cluster role. */
export const cloudControllerManagerRules = [
  { apiGroups: [''], resources: ['services', 'nodes', 'pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['services/status', 'nodes/status'], verbs: ['patch'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['update', 'patch', 'delete'] },
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
  config: CloudControllerManagerConfig,
): Promise<RunningComponent> {
  const { leaderElection } = config;
  let election: LeaderElection | undefined;
  const holdsLead = () => !leaderElection || election?.holds === true;
  const provider = await openProvider(context, { ...config, cloudConfig: config.cloudConfig ?? '', holdsLead });
  const controllers = controllersOf(provider, config.clusterCidrs);
  if (!leaderElection) return runAll(context, provider, controllers);
  let running: RunningComponent | undefined;
  election = runLeaderElection(context, {
    name: componentName,
    identity: leaderElection.identity,
    onStartedLeading() {
      running = runAll({ ...context, client: fencedClient(context.client, holdsLead) }, provider, controllers);
    },
    onStoppedLeading() {
      void running?.stop();
      context.fatal(new Error(`${componentName} lost its lead`));
    },
  });
  return {
    health: () => running?.health?.(),
    async stop() {
      provider.stop?.();
      await running?.stop();
      await election.stop();
    },
  };
}

/** Those of the abilities that the provider has. */
export const controllersOf = (
  { instances, loadBalancers, routes }: CloudProvider,
  clusterCidrs: readonly string[],
): readonly Controller[] => [
  ...(instances
    ? [cloudNodeController(instances), cloudNodeStatusController(instances), cloudNodeLifecycleController(instances)]
    : []),
  ...(loadBalancers ? serviceControllers(loadBalancers) : []),
  ...(routes ? [routeController(routes, clusterCidrs)] : []),
];

function runAll(
  context: ComponentContext,
  provider: CloudProvider,
  controllers: readonly Controller[],
): RunningComponent {
  const informers = new InformerFactory(context);
  const running = controllers.map((each) => runController(context, informers, each));
  return {
    health: () => provider.problem?.(),
    async stop() {
      const stopped = running.map((controller) => controller.stop());
      // A call that hangs must not hold up the stop.
      provider.stop?.();
      await informers.stop();
      await Promise.all(stopped);
    },
  };
}
