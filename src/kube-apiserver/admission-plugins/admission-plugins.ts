// The admission plugins, in Kubernetes' order of calls.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/

import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { rbacEscalation } from '../access/escalation.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { alwaysAdmit } from './always-admit.ts';
import { alwaysDeny } from './always-deny.ts';
import { alwaysPullImages } from './always-pull-images.ts';
import { clusterTrustBundleAttest, jobValidation, podGroupProtection, podGroupWorkloadExists } from './behind-gates.ts';
import { certificateApproval } from './certificate-approval.ts';
import { certificateSigning } from './certificate-signing.ts';
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { defaultIngressClass, defaultStorageClass } from './default-class.ts';
import { defaultTolerationSeconds, type TolerationSeconds } from './default-toleration-seconds.ts';
import { denyServiceExternalIPs } from './deny-service-external-ips.ts';
import { type EventLimit, eventRateLimit } from './event-rate-limit.ts';
import { extendedResourceToleration } from './extended-resource-toleration.ts';
import { type ImagePolicy, imagePolicyWebhook } from './image-policy-webhook.ts';
import { limitPodHardAntiAffinityTopology } from './limit-pod-hard-anti-affinity-topology.ts';
import { limitRanger } from './limit-ranger.ts';
import type { LimitedResource } from './limited-resources.ts';
import { namespaceAutoProvision } from './namespace-auto-provision.ts';
import { namespaceExists } from './namespace-exists.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeDeclaredFeatureValidator } from './node-declared-feature-validator.ts';
import { nodeRestriction } from './node-restriction/node-restriction.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references-permission-enforcement.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { type NodeSelectors, podNodeSelector } from './pod-node-selector.ts';
import { podResizeValidator } from './pod-resize-validator.ts';
import { podSecurity } from './pod-security.ts';
import type { PodSecurityConfiguration } from './pod-security-policy.ts';
import { podTolerationRestriction, type TolerationRestriction } from './pod-toleration-restriction.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { mutatingAdmissionPolicy } from './policies/mutating-admission-policy.ts';
import { validatingAdmissionPolicy } from './policies/validating-admission-policy.ts';
import { priority } from './priority.ts';
import { noPrivilegedContainers } from './privileged-containers.ts';
import { resourceClaimRights } from './resource-claim-rights.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import { mutatingWebhook } from './webhooks/mutating.ts';
import type { WebhookUsers } from './webhooks/users.ts';
import { validatingWebhook } from './webhooks/validating.ts';

/** The configurations of plugins that take one. */
export interface AdmissionConfiguration {
  readonly eventLimits?: readonly EventLimit[];
  readonly imagePolicy?: ImagePolicy;
  readonly limitedResources?: readonly LimitedResource[];
  readonly nodeSelectors?: NodeSelectors;
  readonly podSecurity?: PodSecurityConfiguration;
  readonly tolerations?: TolerationRestriction;
  /** Credentials for webhooks. */
  readonly mutatingWebhookUsers?: WebhookUsers;
  readonly validatingWebhookUsers?: WebhookUsers;
}

interface AdmissionOptions {
  /** Accepts pods without a service account. Default false. */
  readonly missingServiceAccounts?: boolean | undefined;
  /** False: pods with privileged containers are invalid. Default: true. */
  readonly privilegedContainers?: boolean | undefined;
  readonly tolerationSeconds?: TolerationSeconds | undefined;
  /** Names of plugins that run beside those that run by default. */
  readonly enabled?: readonly string[] | undefined;
  /** Names of plugins that do not run. */
  readonly disabled?: readonly string[] | undefined;
  readonly configuration?: AdmissionConfiguration | undefined;
  /** For plugins with limits and waiting times. */
  readonly clock?: Clock | undefined;
}

/** A plugin that runs only by name. */
interface Optional {
  readonly optional: string;
  make(): AdmissionPlugin;
}

const optional = (name: string, make: () => AdmissionPlugin): Optional => ({ optional: name, make });

const inOrder = (
  client: () => Client,
  {
    missingServiceAccounts = false,
    privilegedContainers = true,
    tolerationSeconds,
    configuration = {},
    clock,
  }: AdmissionOptions,
): readonly (AdmissionPlugin | Optional)[] => [
  optional('AlwaysAdmit', () => alwaysAdmit),
  optional('NamespaceAutoProvision', () => namespaceAutoProvision(client)),
  namespaceLifecycle(client), // early: objects for a namespace that is being deleted need no other check
  optional('NamespaceExists', () => namespaceExists(client)),
  optional('LimitPodHardAntiAffinityTopology', () => limitPodHardAntiAffinityTopology),
  limitRanger(client),
  serviceAccount(client, missingServiceAccounts),
  nodeRestriction(client), // Kubernetes enables it by name; kubeadm always does
  taintNodesByCondition,
  optional('AlwaysPullImages', () => alwaysPullImages),
  optional('ImagePolicyWebhook', () => imagePolicyWebhook(needed(configuration.imagePolicy), needed(clock))),
  podSecurity(client, configuration.podSecurity),
  optional('PodNodeSelector', () => podNodeSelector(client, configuration.nodeSelectors)),
  priority(client),
  defaultTolerationSeconds(tolerationSeconds),
  optional('PodTolerationRestriction', () => podTolerationRestriction(client, configuration.tolerations ?? {})),
  optional('EventRateLimit', () => eventRateLimit(needed(configuration.eventLimits), needed(clock))),
  optional('ExtendedResourceToleration', () => extendedResourceToleration),
  defaultStorageClass(client),
  storageObjectInUseProtection,
  podGroupProtection,
  optional('OwnerReferencesPermissionEnforcement', () => ownerReferencesPermissionEnforcement),
  persistentVolumeClaimResize(client),
  runtimeClass(client), // after the default tolerations: it appends to them
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass(client),
  optional('DenyServiceExternalIPs', () => denyServiceExternalIPs),
  podTopologyLabels(client),
  podGroupWorkloadExists,
  nodeDeclaredFeatureValidator(client),
  jobValidation,
  podResizeValidator(client),
  mutatingAdmissionPolicy(client), // after all that Kubernetes itself adds
  mutatingWebhook(client, configuration.mutatingWebhookUsers),
  validatingAdmissionPolicy(client),
  ...(privilegedContainers ? [] : [noPrivilegedContainers]),
  validatingWebhook(client, configuration.validatingWebhookUsers),
  rbacEscalation(client), // after all mutations: a webhook may add rules to a role
  resourceClaimRights(client),
  resourceQuota(configuration.limitedResources), // late: a write that is refused for another reason is not charged
  optional('AlwaysDeny', () => alwaysDeny),
];

function needed<T>(configuration: T | undefined): T {
  if (configuration === undefined) throw new Error('no config specified');
  return configuration;
}

/** `client` reads the API server's own caches, as the API server. Throws where a plugin lacks its configuration. */
export function admissionPlugins(client: () => Client, options: AdmissionOptions = {}): readonly AdmissionPlugin[] {
  const { enabled = [], disabled = [] } = options;
  return inOrder(client, options).flatMap((entry) => {
    if (!('optional' in entry)) return disabled.includes(entry.name) ? [] : entry;
    return enabled.includes(entry.optional) && !disabled.includes(entry.optional) ? entry.make() : [];
  });
}
