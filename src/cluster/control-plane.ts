// The parts of a control plane, in the order in which they start: started from the top, stopped from the bottom. The
// parts of a node (node-parts.ts) start after them, in this process or in a separate one.

import type { RunningComponent } from '../client/client.ts';
import { startCloudControllerManager } from '../cloud-controller-manager/cloud-controller-manager.ts';
import { startKubeControllerManager } from '../kube-controller-manager/kube-controller-manager.ts';
import { type RunningScheduler, startKubeScheduler } from '../kube-scheduler/kube-scheduler.ts';
import { certificateSigner } from './certificates/certificate-signer.ts';
import { makeAuthority } from './certificates/certificates.ts';
import type { PartContext } from './context.ts';
import { identities } from './identities.ts';
import { type ApiServerPart, startApiServerPart } from './parts/api-server.ts';
import { type ConsolePart, startConsolePart } from './parts/console.ts';
import { type EtcdPart, startEtcdPart } from './parts/etcd.ts';
import { electionOf, type Led, startLed } from './parts/led.ts';
import { type MetricsServerPart, startMetricsServerPart } from './parts/metrics-server.ts';
import { type StorePart, startStorePart } from './parts/store.ts';
import { autoscalerConfig } from './settings/autoscaler-settings.ts';
import { readSchedulerSettings } from './settings/scheduler-settings.ts';
import { list } from './settings/setting-values.ts';

/** The result of each part's start, by name. */
export interface ControlPlane {
  readonly etcd: EtcdPart;
  readonly store: StorePart;
  readonly 'kube-apiserver': ApiServerPart;
  readonly 'kube-controller-manager': RunningComponent;
  readonly 'cloud-controller-manager': RunningComponent;
  readonly 'kube-scheduler': Led<RunningScheduler>;
  readonly 'metrics-server': MetricsServerPart;
  readonly console: ConsolePart;
}

type PartName = keyof ControlPlane;

interface Part {
  readonly name: PartName;
  /** Parts that must start earlier; all of them are above in the list. */
  readonly after: readonly PartName[];
  isWanted(context: PartContext): boolean;
  /** `made` holds at least the parts of `after`. */
  start(context: PartContext, made: Partial<ControlPlane>): Promise<RunningComponent>;
}

export const controlPlane: readonly Part[] = [
  { ...part('etcd', [], startEtcdPart), isWanted: ({ server }) => server !== undefined },
  {
    ...part('store', [], (context, made: Partial<ControlPlane>) => startStorePart(context, made.etcd?.member)),
    isWanted: () => true,
  },
  part('kube-apiserver', ['store'], (context, made) => startApiServerPart(context, made.store)),
  part('kube-controller-manager', ['kube-apiserver'], (context, { 'kube-apiserver': api }) =>
    startLed(context, { name: 'kube-controller-manager', user: identities.controllerManager, api }, (own) => {
      const leaderElection = electionOf(context);
      return startKubeControllerManager(own, {
        ...(leaderElection && { leaderElection }),
        ...(api.pki && { rootCa: api.pki.ca.cert, serverNames: api.names }),
        signSecretToken: api.signSecretToken,
        certificateSigner: certificateSigner(() => api.pki?.ca ?? makeAuthority(context.clock.now())),
        clusterCidrs: list(context.config.clusterCidr),
        autoscaler: autoscalerConfig(context.config),
        clientFor: (account) => api.clientFor(identities.serviceAccount('kube-system', account)),
      });
    }),
  ),
  part('cloud-controller-manager', ['kube-apiserver'], (context, { 'kube-apiserver': api }) =>
    startLed(context, { name: 'cloud-controller-manager', user: identities.cloudControllerManager, api }, (own) => {
      const leaderElection = electionOf(context);
      const local = { ranges: context.config.loadBalancerRange, reservedPorts: reservedPorts(api.port) };
      const { cloudProvider = 'local', cloudConfig, clusterCidr, name } = context.config;
      return startCloudControllerManager(own, {
        ...{ provider: cloudProvider, local, clusterName: name, clusterCidrs: list(clusterCidr) },
        ...(cloudConfig !== undefined && { cloudConfig }),
        ...(leaderElection && { leaderElection }),
      });
    }),
  ),
  part('kube-scheduler', ['kube-apiserver'], async (context, { 'kube-apiserver': api }) => {
    const settings = await readSchedulerSettings(context.config.schedulerConfig);
    return startLed(context, { name: 'kube-scheduler', user: identities.scheduler, api }, (own) => {
      const leaderElection = electionOf(context);
      return startKubeScheduler(own, { ...(settings && { settings }), ...(leaderElection && { leaderElection }) });
    });
  }),
  part('metrics-server', ['kube-apiserver'], (context, { 'kube-apiserver': api }) =>
    startMetricsServerPart(context, api),
  ),
  {
    ...part('console', ['kube-apiserver'], async (context, made: Partial<ControlPlane> & Needs<'kube-apiserver'>) =>
      startConsolePart(context, made['kube-apiserver'], {
        decision: (pod) => made['kube-scheduler']?.current?.explain(pod),
        usage: (resource, namespace) => made['metrics-server']?.history(resource, namespace) ?? [],
      }),
    ),
    // Pages need a port.
    isWanted: ({ config }) => config.port !== undefined && config.components.includes('console'),
  },
];

type Needs<Name extends PartName> = Pick<ControlPlane, Name>;

/** Ports of nodes that a service without an address of its own must not have. */
const reservedPorts = (apiPort: number | undefined): ReadonlyMap<number, string> =>
  new Map([
    ...(apiPort === undefined ? [] : [[apiPort, 'the API server'] as const]),
    [22, 'SSH'],
    [2379, 'etcd'],
    [2380, 'etcd'],
    [10_250, 'the kubelet'],
  ]);

function part<Name extends PartName, Needed extends PartName>(
  name: Name,
  after: readonly Needed[],
  start: (context: PartContext, made: Pick<ControlPlane, Needed>) => Promise<ControlPlane[Name]>,
): Part {
  // The caller checks that the parts of `after` have started.
  return {
    name,
    after,
    isWanted: ({ config }) => (config.components as readonly string[]).includes(name),
    start: (context, made) => start(context, made as Pick<ControlPlane, Needed>),
  };
}
