// Approves the requests of kubelets that may have a client certificate.
// https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#approval

import { type CertificateSigningRequest, conditionOf, nodeOfUser, type SubjectAccessReview } from '../../api/api.ts';
import { type Controller, own, type Tools } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import { hasCondition, isOfNodeSize, kubeletClientFault, kubeletClientSigner, readRequest } from './rules.ts';

/** Rights may be given later: a request is looked at again after as long as it has waited. */
const firstRetryMs = 200;
const longestRetryMs = 1_000_000;

const messages = {
  selfnodeclient: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  nodeclient: 'Auto approving kubelet client certificate after SubjectAccessReview.',
} as const;

/** A machine with a new certificate registers its node within this time. */
const registrationMs = 15_000;
const tokenPrefix = 'system:bootstrap:';

export const csrApproving: Controller = {
  name: 'csrapproving',
  watches: [own('certificatesigningrequests')],
  reads: ['nodes'],
  // One at a time: of two machines with one name, the second request sees the decision about the first.
  workers: 1,
  async reconcile(key, tools) {
    const csr = tools.lister('certificatesigningrequests').get(key);
    if (!csr || csr.status?.certificate || hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied')) return;
    if (csr.spec.signerName !== kubeletClientSigner || !isOfNodeSize(csr)) return;
    const request = readRequest(csr);
    if (kubeletClientFault(request, csr.spec.usages ?? [])) return;
    const isOwn = csr.spec.username === request.commonName;
    if (isOwn && (await isAllowed(csr, 'selfnodeclient', tools)))
      return decide(csr, 'Approved', 'AutoApproved', messages.selfnodeclient, tools);
    if (await isAllowed(csr, 'nodeclient', tools)) {
      const after = isOwn ? undefined : await takenMs(csr, request.commonName, tools);
      if (after === undefined) return decide(csr, 'Approved', 'AutoApproved', messages.nodeclient, tools);
      return after === 'denied' ? undefined : { after };
    }
    return { after: retryMs(csr, tools) };
  },
};

function retryMs({ metadata }: CertificateSigningRequest, { clock }: Tools): number {
  const waitedMs = clock.now() - Date.parse(metadata.creationTimestamp ?? '');
  return Math.min(Math.max(waitedMs, firstRetryMs), longestRetryMs);
}

/**
 * Whether the name belongs to another machine; undefined: it does not. A token must not take over a node, also while
 * that is away: it would get the node's pods with their secrets. A user with more rights can approve the request.
 */
async function takenMs(
  csr: CertificateSigningRequest,
  user: string,
  tools: Tools,
): Promise<number | 'denied' | undefined> {
  const name = must(nodeOfUser(user), 'node');
  if (tools.lister('nodes').get(name)) {
    if (!csr.spec.username?.startsWith(tokenPrefix)) return retryMs(csr, tools);
    const remedy = `choose another name with --node-name, or remove that node first with "coracle node remove ${name}"`;
    await decide(csr, 'Denied', 'NodeExists', `the cluster has a node ${name}: ${remedy}`, tools);
    return 'denied';
  }
  return isPromised(csr, user, tools) ? firstRetryMs : undefined;
}

/** Another machine has just got a certificate with this name, and registers its node soon. */
function isPromised(csr: CertificateSigningRequest, user: string, { lister, clock }: Tools): boolean {
  return lister('certificatesigningrequests')
    .list()
    .some((other) => {
      const approved = conditionOf(other, 'Approved');
      if (!approved || other.metadata.uid === csr.metadata.uid) return false;
      if (other.spec.signerName !== kubeletClientSigner || !isOfNodeSize(other)) return false;
      const sinceMs = clock.now() - Date.parse(approved.lastUpdateTime ?? other.metadata.creationTimestamp ?? '');
      return sinceMs < registrationMs && other.spec.username !== user && readRequest(other).commonName === user;
    });
}

export async function isAllowed(
  { spec }: CertificateSigningRequest,
  subresource: string,
  { client }: Tools,
): Promise<boolean> {
  const { username, uid, groups, extra } = spec;
  const group = 'certificates.k8s.io';
  const resourceAttributes = {
    group,
    version: '*',
    resource: 'certificatesigningrequests',
    verb: 'create',
    subresource,
  };
  const review = await client.raw<SubjectAccessReview>('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: username,
      ...(uid && { uid }),
      ...(groups && { groups }),
      ...(extra && { extra }),
      resourceAttributes,
    },
  });
  return review.status?.allowed === true;
}

export async function decide(
  csr: CertificateSigningRequest,
  type: 'Approved' | 'Denied',
  reason: string,
  message: string,
  { client }: Tools,
): Promise<void> {
  const decision = { type, status: 'True', reason, message };
  const status = { ...csr.status, conditions: [...(csr.status?.conditions ?? []), decision] };
  await client.update('certificatesigningrequests', { ...csr, status }, { subresource: 'approval' });
}
