// Approves the requests of kubelets that may have a client certificate.
// https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#approval

import { type CertificateSigningRequest, isConditionTrue, type SubjectAccessReview } from '../../api/api.ts';
import { type Controller, own, type Tools } from '../../client/client.ts';
import { hasCondition, isOfNodeSize, kubeletClientFault, kubeletClientSigner, readRequest } from './rules.ts';

/** Rights may be given later: a request is looked at again after as long as it has waited. */
const firstRetryMs = 200;
const longestRetryMs = 1_000_000;

const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';

const recognized = {
  selfnodeclient: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  nodeclient: 'Auto approving kubelet client certificate after SubjectAccessReview.',
} as const;

export const csrApproving: Controller = {
  name: 'csrapproving',
  watches: [own('certificatesigningrequests')],
  reads: ['nodes'],
  async reconcile(key, tools) {
    const csr = tools.lister('certificatesigningrequests').get(key);
    if (!csr || csr.status?.certificate || hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied')) return;
    if (csr.spec.signerName !== kubeletClientSigner || !isOfNodeSize(csr)) return;
    const request = readRequest(csr);
    if (kubeletClientFault(request, csr.spec.usages ?? [])) return;
    const self = csr.spec.username === request.commonName;
    for (const [subresource, message] of Object.entries(recognized)) {
      if (subresource === 'selfnodeclient' && !self) continue;
      // A token of a new machine must not take over a node that works, or the names of a server that is away.
      if (subresource === 'nodeclient' && !self && isTaken(request.commonName, tools)) continue;
      if (await isAllowed(csr, subresource, tools)) return decide(csr, 'Approved', 'AutoApproved', message, tools);
    }
    const waitedMs = tools.clock.now() - Date.parse(csr.metadata.creationTimestamp ?? '');
    return { after: Math.min(Math.max(waitedMs, firstRetryMs), longestRetryMs) };
  },
};

function isTaken(user: string, { lister }: Tools): boolean {
  const node = lister('nodes').get(user.slice('system:node:'.length));
  if (!node) return false;
  return isConditionTrue(node, 'Ready') || node.metadata.labels?.[controlPlaneLabel] !== undefined;
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
