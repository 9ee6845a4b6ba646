// A kubelet changes its own node and its own pods alone. This checks the content that the Node authorizer cannot see.

import {
  type ApiObject,
  type CertificateSigningRequest,
  forbidden,
  type ResourceSlice,
  userOfNode,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { parseCertificateRequest } from '../../../machinery/certificates/certificate-request.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import { nodeOf } from '../../access/node.ts';
import type { AdmissionPlugin } from '../../admission.ts';
import { admitNode } from './node.ts';
import type { NodeRequest } from './node-request.ts';
import { admitPod } from './pod.ts';
import { admitToken } from './token.ts';

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction */
export const nodeRestriction = (client: () => Client): AdmissionPlugin => ({
  name: 'NodeRestriction',
  admit(attributes) {
    const node = nodeOf(attributes.user);
    if (node === undefined || attributes.operation === 'CONNECT') return;
    const { kind, user } = attributes;
    const refuse = (why: string) => forbidden(kind, attributes.name, why);
    if (!node) throw refuse(`could not determine node from user ${JSON.stringify(user.name)}`);
    const rule = rules[kind.group ? `${kind.resource}.${kind.group}` : kind.resource];
    return rule?.({ ...attributes, node, client: client(), refuse });
  },
});

const rules: Readonly<Record<string, (request: NodeRequest) => Promise<void> | void>> = {
  pods: admitPod,
  nodes: admitNode,
  persistentvolumeclaims: admitClaim,
  serviceaccounts: admitToken,
  'leases.coordination.k8s.io': admitLease,
  'csinodes.storage.k8s.io': admitCsiNode,
  'resourceslices.resource.k8s.io': admitSlice,
  'certificatesigningrequests.certificates.k8s.io': admitCertificateRequest,
};

/** Fields of a claim's status that a resize writes. */
const resized = ['capacity', 'conditions', 'allocatedResources', 'allocatedResourceStatuses'];

function admitClaim({ node, subresource, operation, object, oldObject, refuse }: NodeRequest): void {
  if (subresource !== 'status') throw refuse('may only update PVC status');
  if (operation !== 'UPDATE') throw refuse(`unexpected operation ${JSON.stringify(operation)}`);
  const rest = ({ apiVersion: _, kind: __, metadata, status, ...others }: ApiObject) => ({
    ...others,
    metadata: { ...metadata, resourceVersion: undefined, managedFields: undefined },
    status: Object.fromEntries(Object.entries(status ?? {}).filter(([field]) => !resized.includes(field))),
  });
  if (!deepEqual(rest(object as ApiObject), rest(oldObject as ApiObject)))
    throw refuse(
      `node ${JSON.stringify(node)} is not allowed to update fields other than status.quantity and status.conditions`,
    );
}

/** The name in the path, or of a new object. */
const nameOf = ({ operation, object, name }: NodeRequest): string =>
  operation === 'CREATE' ? (object?.metadata?.name ?? '') : name;

function admitLease(request: NodeRequest): void {
  if (request.namespace !== 'kube-node-lease')
    throw request.refuse('can only access leases in the "kube-node-lease" system namespace');
  if (nameOf(request) !== request.node)
    throw request.refuse('can only access node lease with the same name as the requesting node');
}

function admitCsiNode(request: NodeRequest): void {
  if (nameOf(request) !== request.node)
    throw request.refuse('can only access CSINode with the same name as the requesting node');
}

/** The authorizer checks existing slices; it does not see new ones, or each object of a deletecollection. */
function admitSlice({ operation, object, oldObject, node, refuse }: NodeRequest): void {
  if (operation === 'CREATE' && (object as ResourceSlice).spec?.nodeName !== node)
    throw refuse('can only create ResourceSlice with the same NodeName as the requesting node');
  if (operation === 'DELETE' && (oldObject as ResourceSlice).spec?.nodeName !== node)
    throw refuse('can only delete ResourceSlice with the same NodeName as the requesting node');
}

const kubeletSigners = ['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet'];

function admitCertificateRequest({ operation, object, node, refuse }: NodeRequest): void {
  if (operation !== 'CREATE') return;
  const { signerName, request } = (object as CertificateSigningRequest).spec ?? {};
  if (!kubeletSigners.includes(signerName)) return;
  if (commonNameOf(request, refuse) !== userOfNode(node))
    throw refuse(`can only create a node CSR with CN=system:node:${node}`);
}

function commonNameOf(request: string | undefined, refuse: NodeRequest['refuse']): string {
  try {
    return parseCertificateRequest(atob(request ?? '')).commonName;
  } catch (error) {
    throw refuse(`unable to parse csr: ${(error as Error).message}`);
  }
}
