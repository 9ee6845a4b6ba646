// Rules for requests of kubelets, and the states that all certificate controllers check.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers

import type { CertificateSigningRequest } from '../../api/api.ts';
import { nodeOfUser } from '../../api/api.ts';
import { type CertificateRequest, parseCertificateRequest } from '../../machinery/certificates/certificate-request.ts';

export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving';
export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const legacySigner = 'kubernetes.io/legacy-unknown';

/** Throws when it cannot be read. */
export const readRequest = ({ spec }: CertificateSigningRequest): CertificateRequest =>
  parseCertificateRequest(atob(spec.request));

/** Requests of nodes have some hundred bytes; reading a megabyte of names takes as long as hundreds of other requests. */
const mostCharacters = 1 << 16;

export const isOfNodeSize = ({ spec }: CertificateSigningRequest): boolean => spec.request.length <= mostCharacters;

export const hasCondition = ({ status }: CertificateSigningRequest, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type) ?? false;

/** Why a kubelet's request for a client certificate is none; undefined when it is one. */
export function kubeletClientFault(request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return 'subject organization is not system:nodes';
  if (request.dnsNames.length) return 'DNS subjectAltNames are not allowed';
  if (request.emailAddresses.length) return 'Email subjectAltNames are not allowed';
  if (request.ipAddresses.length) return 'IP subjectAltNames are not allowed';
  if (request.uris.length) return 'URI subjectAltNames are not allowed';
  if (!isNode(request)) return 'subject common name does not begin with system:node:';
  return usagesFault(usages, 'client auth');
}

/** The same for a serving certificate. */
export function kubeletServingFault(request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return 'subject organization is not system:nodes';
  if (!request.dnsNames.length && !request.ipAddresses.length) return 'DNS or IP subjectAltName is required';
  if (request.emailAddresses.length) return 'Email subjectAltNames are not allowed';
  if (request.uris.length) return 'URI subjectAltNames are not allowed';
  const fault = usagesFault(usages, 'server auth');
  if (fault) return fault;
  return isNode(request) ? undefined : 'subject common name does not begin with system:node:';
}

/** A client of the API server may only request the usages of clients. */
export function clientFault(usages: readonly string[]): string | undefined {
  const other = usages.find((usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage));
  if (other) return `invalid usage for client certificate: ${other}`;
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth';
}

const isOfNodes = ({ organizations }: CertificateRequest): boolean =>
  organizations.length === 1 && organizations[0] === 'system:nodes';
const isNode = ({ commonName }: CertificateRequest): boolean => nodeOfUser(commonName) !== undefined;

/** Key encipherment is for RSA keys and may be left out. */
function usagesFault(usages: readonly string[], purpose: 'client auth' | 'server auth'): string | undefined {
  const given = new Set(usages);
  const needed = ['digital signature', purpose];
  given.delete('key encipherment');
  if (given.size === needed.length && needed.every((usage) => given.has(usage))) return undefined;
  const listed =
    purpose === 'client auth'
      ? ['client auth', 'digital signature', 'key encipherment']
      : ['digital signature', 'key encipherment', 'server auth'];
  return `usages did not match [${listed.join(' ')}]`;
}
