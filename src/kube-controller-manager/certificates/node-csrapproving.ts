// Approves the requests of nodes beside the kubelet's own client certificate: its serving certificate, and client
// certificates for the node's service proxy and its enforcement of network policies. In a cluster that machines join, no other controller approves them.

import type { CertificateSigningRequest } from '../../api/api.ts';
import { nodeOfUser, userOfNode } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';
import { dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import { decide, isAllowed } from './csrapproving.ts';
import {
  clientFault,
  clientSigner,
  hasCondition,
  isOfNodeSize,
  kubeletServingFault,
  kubeletServingSigner,
  readRequest,
} from './rules.ts';

/** A new node's rights may be given after its request. */
const retryMs = 1_000;
const mostRetries = 30;

/** Users of a node's parts. */
const partUsers = ['system:kube-proxy', 'coracle:network-policy'];

/** Subresources of certificatesigningrequests for which a node needs the right to create. */
export const nodeRequestRights = ['selfnodeserver', 'nodeproxyclient'] as const;
type Right = (typeof nodeRequestRights)[number];

const messages: Readonly<Record<Right, string>> = {
  selfnodeserver: 'Auto approving self kubelet server certificate after SubjectAccessReview.',
  nodeproxyclient: "Auto approving client certificate of a node's part after SubjectAccessReview.",
};

/** `reservedNames`: names of the API servers, which no node's certificate may have. */
export const nodeCsrApproving = (reservedNames: readonly string[]): Controller => ({
  name: 'node-csrapproving',
  watches: [own('certificatesigningrequests')],
  async reconcile(key, tools) {
    const csr = tools.lister('certificatesigningrequests').get(key);
    if (!csr || csr.status?.certificate || hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied')) return;
    const { signerName, username = '' } = csr.spec;
    const name = nodeOfUser(username);
    if (name === undefined || !isOfNodeSize(csr)) return;
    if (signerName !== kubeletServingSigner && signerName !== clientSigner) return;
    const right = signerName === kubeletServingSigner ? 'selfnodeserver' : 'nodeproxyclient';
    const fault = right === 'selfnodeserver' ? servingFault(csr) : partFault(csr);
    if (fault) return;
    // Names in certificates match without regard to case, and with wildcards.
    if (right === 'selfnodeserver' && dns1123SubdomainFaults(name).length > 0)
      return decide(csr, 'Denied', 'InvalidName', `"${name}" cannot be the name of a node`, tools);
    if (right === 'selfnodeserver' && isReserved(name, reservedNames))
      return decide(
        csr,
        'Denied',
        'ReservedName',
        `${name} is a name of the API server, so no node can have it`,
        tools,
      );
    if (await isAllowed(csr, right, tools)) return decide(csr, 'Approved', 'AutoApproved', messages[right], tools);
    const waitedMs = tools.clock.now() - Date.parse(csr.metadata.creationTimestamp ?? '');
    return waitedMs < mostRetries * retryMs ? { after: retryMs } : undefined;
  },
});

/**
 * A node has its own name and no address: every client of the cluster trusts the CA, and a node that could choose names
 * could serve as the API server.
 */
function servingFault(csr: CertificateSigningRequest): string | undefined {
  const { username = '', usages = [] } = csr.spec;
  const request = readRequest(csr);
  const fault = kubeletServingFault(request, usages);
  if (fault) return fault;
  if (request.commonName !== username) return 'subject common name is not the requestor';
  const { ipAddresses, dnsNames } = request;
  const isOwnName = dnsNames.length === 1 && userOfNode(dnsNames[0]) === username;
  return ipAddresses.length || !isOwnName ? "subjectAltName must be the node's name alone" : undefined;
}

const isReserved = (name: string, reservedNames: readonly string[]): boolean =>
  reservedNames.includes(name) || name === 'localhost' || /^kubernetes(\.|$)|\.svc(\.|$)/.test(name);

function partFault(csr: CertificateSigningRequest): string | undefined {
  const request = readRequest(csr);
  if (!partUsers.includes(request.commonName) || request.subject.length !== 1)
    return `subject is not ${partUsers.join(' or ')}`;
  const names = [request.dnsNames, request.ipAddresses, request.emailAddresses, request.uris];
  return names.some(({ length }) => length) ? 'subjectAltNames are not allowed' : clientFault(csr.spec.usages ?? []);
}

/** The rights of this controller's account: no role of Kubernetes may approve for these signers. */
export const nodeCsrApproverRules = [
  { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests/approval'], verbs: ['update'] },
  {
    apiGroups: ['certificates.k8s.io'],
    resources: ['signers'],
    resourceNames: [kubeletServingSigner, clientSigner],
    verbs: ['approve'],
  },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
];
