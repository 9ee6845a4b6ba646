// Signs approved certificate requests, one controller for each of the built-in signers.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#signer-control-plane

import type { CertificateSigningRequest } from '../../api/api.ts';
import { type Controller, own, type Tools } from '../../client/client.ts';
import type { CertificateRequest } from '../../machinery/certificates/certificate-request.ts';
import {
  clientFault,
  clientSigner,
  hasCondition,
  kubeletClientFault,
  kubeletClientSigner,
  kubeletServingFault,
  kubeletServingSigner,
  legacySigner,
  readRequest,
} from './rules.ts';

/** The part of the cluster's CA that this room uses. */
export interface CertificateSigner {
  /** PEM. Throws when the CA has expired. */
  sign(order: SigningOrder): Promise<string>;
}

export interface SigningOrder {
  readonly request: CertificateRequest;
  /** As the API names them. */
  readonly usages: readonly string[];
  readonly nowMs: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const secondMs = 1_000;
/** --cluster-signing-duration. */
const longestMs = 365 * 24 * 3_600 * secondMs;
const shortestMs = 600 * secondMs;
/** Clocks differ: a certificate is valid from a little before it was made. */
const backdateMs = 300 * secondMs;
/** Shorter certificates are not shortened for the back-dating. */
const shortMs = 8 * 3_600 * secondMs;

type Rule = (request: CertificateRequest, usages: readonly string[]) => string | undefined;

const rules: readonly (readonly [name: string, signerName: string, rule: Rule])[] = [
  ['csrsigning-kubelet-serving', kubeletServingSigner, kubeletServingFault],
  ['csrsigning-kubelet-client', kubeletClientSigner, kubeletClientFault],
  ['csrsigning-kube-apiserver-client', clientSigner, (_, usages) => clientFault(usages)],
  ['csrsigning-legacy-unknown', legacySigner, () => undefined],
];

export const csrSigning = (signer: CertificateSigner): readonly Controller[] =>
  rules.map(([name, signerName, faultOf]) => ({
    name,
    watches: [own('certificatesigningrequests')],
    async reconcile(key, tools) {
      const csr = tools.lister('certificatesigningrequests').get(key);
      if (!csr || csr.status?.certificate || csr.spec.signerName !== signerName) return;
      if (!hasCondition(csr, 'Approved') || hasCondition(csr, 'Denied') || hasCondition(csr, 'Failed')) return;
      const request = readRequest(csr);
      const usages = csr.spec.usages ?? [];
      const fault = faultOf(request, usages);
      if (fault) return fail(csr, fault, tools);
      const certificate = await signer.sign({ request, usages, ...validity(csr, tools.clock.now()) });
      await writeStatus({ ...csr, status: { ...csr.status, certificate: btoa(certificate) } }, tools);
    },
  }));

function validity({ spec }: CertificateSigningRequest, nowMs: number) {
  const asked = spec.expirationSeconds;
  const lifeMs = asked ? Math.min(Math.max(asked * secondMs, shortestMs), longestMs) : longestMs;
  const end = nowMs + lifeMs;
  return { nowMs, notBeforeMs: nowMs - backdateMs, notAfterMs: lifeMs < shortMs ? end : end - backdateMs };
}

async function fail(csr: CertificateSigningRequest, message: string, tools: Tools): Promise<void> {
  const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message };
  const conditions = [...(csr.status?.conditions ?? []), failed];
  await writeStatus({ ...csr, status: { ...csr.status, conditions } }, tools);
}

async function writeStatus(csr: CertificateSigningRequest, { client }: Tools): Promise<void> {
  await client.update('certificatesigningrequests', csr, { subresource: 'status' });
}
