// Runs the controllers of Kubernetes: each watches objects, compares the actual with the desired state, and corrects
// it.
// https://kubernetes.io/docs/concepts/architecture/controller/

import {
  type Client,
  type ComponentContext,
  type Controller,
  fencedClient,
  InformerFactory,
  type LeaderElection,
  type RunningComponent,
  runController,
  runLeaderElection,
} from '../client/client.ts';
import { bootstrapSigner } from './bootstrap/bootstrapsigner.ts';
import { tokenCleaner } from './bootstrap/tokencleaner.ts';
import { csrApproving } from './certificates/csrapproving.ts';
import { csrCleaner } from './certificates/csrcleaner.ts';
import { type CertificateSigner, csrSigning } from './certificates/csrsigning.ts';
import { nodeCsrApproving } from './certificates/node-csrapproving.ts';
import { rootCaCertificatePublisher } from './certificates/root-ca-certificate-publisher.ts';
import { clusterroleAggregation } from './clusterrole-aggregation.ts';
import { daemonset } from './daemonset.ts';
import { deployment } from './deployment/deployment.ts';
import { disruption } from './disruption.ts';
import { endpoints } from './endpoints/endpoints.ts';
import { endpointslice } from './endpoints/endpointslice.ts';
import { endpointsliceMirroring } from './endpoints/endpointslice-mirroring.ts';
import { garbagecollector } from './garbagecollector/garbagecollector.ts';
import { cronjob } from './job/cronjob.ts';
import { job } from './job/job.ts';
import { jobOrphans } from './job/orphans.ts';
import { ttlAfterFinished } from './job/ttl-after-finished.ts';
import { legacyServiceAccountTokenCleaner } from './legacy-serviceaccount-token-cleaner.ts';
import { namespace } from './namespace.ts';
import { nodeipam } from './nodes/nodeipam.ts';
import { type NodeLifecycleConfig, nodelifecycle } from './nodes/nodelifecycle.ts';
import { taintEviction } from './nodes/taint-eviction.ts';
import { ttl } from './nodes/ttl.ts';
import type { AutoscalerConfig } from './podautoscaler/config.ts';
import { horizontalPodAutoscaler } from './podautoscaler/horizontal-pod-autoscaler.ts';
import { podgc } from './podgc.ts';
import { replicaset, replicationcontroller } from './replicaset.ts';
import { resourceClaimUsers } from './resourceclaim/claim-users.ts';
import { deviceTaintEviction } from './resourceclaim/device-taint-eviction.ts';
import { podResourceClaims } from './resourceclaim/pod-claims.ts';
import { resourcequota } from './resourcequota.ts';
import { serviceaccount } from './serviceaccount.ts';
import { type SecretTokenSigner, serviceaccountToken } from './serviceaccount-token.ts';
import { serviceCidrs } from './servicecidr.ts';
import { statefulset } from './statefulset/statefulset.ts';
import { validatingAdmissionPolicyStatus } from './validatingadmissionpolicy-status.ts';
import { attachDetach } from './volumes/attachdetach/attachdetach.ts';
import { ephemeralVolume } from './volumes/ephemeral-volume.ts';
import { hostPathVolumes } from './volumes/host-path/host-path-provisioner.ts';
import { persistentVolumeBinder } from './volumes/persistentvolume-binder.ts';
import { persistentVolumeExpander } from './volumes/persistentvolume-expander.ts';
import { pvcProtection, pvProtection, vacProtection } from './volumes/storage-protection.ts';

export { detachedSignature, signatureKey } from './bootstrap/bootstrapsigner.ts';
export type { CertificateSigner, SigningOrder } from './certificates/csrsigning.ts';
export { nodeCsrApproverRules, nodeRequestRights } from './certificates/node-csrapproving.ts';
export type { AutoscalerConfig } from './podautoscaler/config.ts';
export { hostPathProvisionerRules } from './volumes/host-path/host-path-provisioner.ts';

export interface KubeControllerManagerConfig {
  /**
   * A client with the identity of a ServiceAccount in kube-system, such as deployment-controller: the default roles
   * limit each controller to its work, and the manager to list and watch. Default: all use the manager's identity,
   * which then needs all rights.
   */
  readonly clientFor?: (serviceAccount: string) => Client;
  /** PEM of the cluster's CA, for the ConfigMap kube-root-ca.crt; left out: it is not published. */
  readonly rootCa?: string;
  /** Signs tokens for secrets; left out: such secrets stay empty. */
  readonly signSecretToken?: SecretTokenSigner;
  /** Signs approved certificate requests; left out: they stay unsigned. */
  readonly certificateSigner?: CertificateSigner;
  /** Names of the API servers: no node may have them in its certificate. Left out: nodes' requests wait for a user. */
  readonly serverNames?: readonly string[];
  /** Ranges for the pod addresses of nodes, such as 10.244.0.0/16; default: nodes get none. */
  readonly clusterCidrs?: readonly string[];
  /** Prefix length of a node's range. Default 24 (IPv4), 64 (IPv6). */
  readonly nodeCidrMaskSize?: { readonly ipv4?: number; readonly ipv6?: number };
  readonly nodeLifecycle?: NodeLifecycleConfig;
  readonly autoscaler?: AutoscalerConfig;
  /** With it, only the holder of the Lease runs controllers; left out: this one runs them. */
  readonly leaderElection?: { readonly identity: string };
  /** Names of controllers not to run. */
  readonly disabled?: readonly string[];
}

/** Every controller with its ServiceAccount ('': the manager's own identity), new for each start: some have state. */
const controllers = (
  config: KubeControllerManagerConfig,
): readonly (readonly [account: string, controller: Controller])[] => [
  ['namespace-controller', namespace],
  ['service-account-controller', serviceaccount],
  // As the manager itself: no role of a controller may write tokens.
  ...(config.signSecretToken ? [['', serviceaccountToken(config.signSecretToken, config.rootCa)] as const] : []),
  ['legacy-service-account-token-cleaner', legacyServiceAccountTokenCleaner],
  ...(config.rootCa ? [['root-ca-cert-publisher', rootCaCertificatePublisher(config.rootCa)] as const] : []),
  ['deployment-controller', deployment],
  ['replicaset-controller', replicaset],
  ['replication-controller', replicationcontroller],
  ['daemon-set-controller', daemonset()],
  ['statefulset-controller', statefulset],
  ['job-controller', job],
  ['job-controller', jobOrphans],
  ['cronjob-controller', cronjob],
  ['disruption-controller', disruption],
  ['horizontal-pod-autoscaler', horizontalPodAutoscaler(config.autoscaler)],
  ['resourcequota-controller', resourcequota],
  ['ttl-after-finished-controller', ttlAfterFinished],
  ['ephemeral-volume-controller', ephemeralVolume],
  ['resource-claim-controller', podResourceClaims],
  ['resource-claim-controller', resourceClaimUsers],
  ['device-taint-eviction-controller', deviceTaintEviction()],
  ['persistent-volume-binder', persistentVolumeBinder()],
  ['host-path-provisioner', hostPathVolumes],
  ['attachdetach-controller', attachDetach()],
  ['expand-controller', persistentVolumeExpander],
  ['pvc-protection-controller', pvcProtection],
  ['pv-protection-controller', pvProtection],
  ['volumeattributesclass-protection-controller', vacProtection],
  ['endpointslice-controller', endpointslice],
  ['service-cidrs-controller', serviceCidrs],
  ['endpointslicemirroring-controller', endpointsliceMirroring],
  ['endpoint-controller', endpoints],
  ['generic-garbage-collector', garbagecollector()],
  ['pod-garbage-collector', podgc()],
  ['node-controller', nodelifecycle(config.nodeLifecycle)],
  ['node-controller', taintEviction()],
  ['ttl-controller', ttl()],
  ...(config.clusterCidrs?.length
    ? [['node-controller', nodeipam({ ...config, clusterCidrs: config.clusterCidrs })] as const]
    : []),
  ['clusterrole-aggregation-controller', clusterroleAggregation],
  ['validatingadmissionpolicy-status-controller', validatingAdmissionPolicyStatus],
  ['certificate-controller', csrApproving],
  ['certificate-controller', csrCleaner],
  ...(config.serverNames ? [['node-csr-approver', nodeCsrApproving(config.serverNames)] as const] : []),
  ['bootstrap-signer', bootstrapSigner],
  ['token-cleaner', tokenCleaner],
  ...(config.certificateSigner
    ? csrSigning(config.certificateSigner).map((controller) => ['certificate-controller', controller] as const)
    : []),
];

export async function startKubeControllerManager(
  context: ComponentContext,
  config: KubeControllerManagerConfig,
): Promise<RunningComponent> {
  if (!config.leaderElection) {
    const running = runAll(context, config);
    return { stop: () => running.stop() };
  }
  let running: RunningComponent | undefined;
  const election: LeaderElection = runLeaderElection(context, {
    name: 'kube-controller-manager',
    identity: config.leaderElection.identity,
    onStartedLeading() {
      running = runAll(...fenced(context, config, () => election.holds));
    },
    onStoppedLeading() {
      void running?.stop();
      context.fatal(new Error('kube-controller-manager lost its lead'));
    },
  });
  return {
    async stop() {
      // Controllers end before the Lease is released: two at once would duplicate work.
      await running?.stop();
      await election.stop();
    },
  };
}

/** No controller writes after the lead is lost. */
function fenced(
  context: ComponentContext,
  config: KubeControllerManagerConfig,
  holds: () => boolean,
): [ComponentContext, KubeControllerManagerConfig] {
  const { clientFor } = config;
  return [
    { ...context, client: fencedClient(context.client, holds) },
    { ...config, ...(clientFor && { clientFor: (account) => fencedClient(clientFor(account), holds) }) },
  ];
}

function runAll(context: ComponentContext, config: KubeControllerManagerConfig): RunningComponent {
  const informers = new InformerFactory(context);
  const running = controllers(config)
    .filter(([, { name }]) => !config.disabled?.includes(name))
    .map(([account, controller]) => {
      const client = (account && config.clientFor?.(account)) || context.client;
      return runController({ ...context, client }, informers, controller);
    });
  return {
    async stop() {
      // Queues close first; the informers' end wakes workers that wait for a cache.
      const stopped = running.map((controller) => controller.stop());
      await informers.stop();
      await Promise.all(stopped);
    },
  };
}
