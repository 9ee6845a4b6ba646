// Deletes certificate requests after their retention time.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#request-signing-process

import { type CertificateSigningRequest, ignoreNotFound } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';
import { certificateEnd } from '../../machinery/certificates/certificate-request.ts';

const hourMs = 3_600_000;
/** Retention of requests: issued, denied or failed ones, and pending ones. */
const doneMs = hourMs;
const pendingMs = 24 * hourMs;

export const csrCleaner: Controller = {
  name: 'csrcleaner',
  watches: [own('certificatesigningrequests')],
  async reconcile(key, { lister, client, clock }) {
    const csr = lister('certificatesigningrequests').get(key);
    if (!csr) return;
    const end = Math.min(...endings(csr));
    if (!Number.isFinite(end)) return;
    const restMs = end - clock.now();
    if (restMs >= 0) return { after: restMs + 1 };
    const { name, uid } = csr.metadata;
    await client.delete('certificatesigningrequests', { name }, { preconditions: { uid } }).catch(ignoreNotFound);
  },
};

/** Times of deletion, in milliseconds since the epoch. */
function* endings({ metadata, status }: CertificateSigningRequest): Generator<number> {
  const conditions = status?.conditions ?? [];
  const { certificate } = status ?? {};
  if (!conditions.length) yield Date.parse(metadata.creationTimestamp ?? '') + pendingMs;
  for (const { type, lastUpdateTime } of conditions) {
    const updated = lastUpdateTime ? Date.parse(lastUpdateTime) : Number.NaN;
    if (type === 'Approved' && certificate) {
      const expires = certificateEnd(atob(certificate));
      if (expires !== undefined) yield expires;
    }
    if (Number.isNaN(updated)) continue;
    if (type === 'Denied' || type === 'Failed') yield updated + doneMs;
    if (type === 'Approved') yield updated + (certificate ? doneMs : pendingMs);
  }
}
