// The admission plugins, in the order of calls.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/

import type { Client } from '../../client/client.ts';
import { rbacEscalation } from '../access/escalation.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { certificateApproval } from './certificate-approval.ts';
import { certificateSigning } from './certificate-signing.ts';
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { defaultIngressClass, defaultStorageClass } from './default-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction/node-restriction.ts';
import { podSecurity } from './pod-security.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { mutatingAdmissionPolicy } from './policies/mutating-admission-policy.ts';
import { validatingAdmissionPolicy } from './policies/validating-admission-policy.ts';
import { priority } from './priority.ts';
import { resourceClaimRights } from './resource-claim-rights.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { mutatingWebhook, validatingWebhook } from './webhooks/webhooks.ts';

interface AdmissionOptions {
  /** Accepts pods without a service account. Default false. */
  readonly missingServiceAccounts?: boolean | undefined;
}

/** `client` reads the API server's own caches, as the API server. */
export const admissionPlugins = (
  client: () => Client,
  { missingServiceAccounts = false }: AdmissionOptions = {},
): readonly AdmissionPlugin[] => [
  namespaceLifecycle(client), // first: objects for a namespace that is being deleted need no other check
  serviceAccount(client, missingServiceAccounts),
  nodeRestriction(client),
  limitRanger(client), // before priority and tolerations only because Kubernetes has it there
  podSecurity(client),
  priority(client),
  defaultTolerationSeconds,
  defaultStorageClass(client),
  storageObjectInUseProtection,
  runtimeClass(client), // after the default tolerations: it appends to them
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  defaultIngressClass(client),
  podTopologyLabels(client),
  mutatingAdmissionPolicy(client), // after all that Kubernetes itself adds
  mutatingWebhook(client),
  validatingAdmissionPolicy(client),
  validatingWebhook(client),
  rbacEscalation(client), // after all mutations: a webhook may add rules to a role
  resourceClaimRights(client),
  resourceQuota(), // last: a write that is refused for another reason is not charged
];
