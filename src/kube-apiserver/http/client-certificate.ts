// The identity in a client's certificate.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates

import type { PeerCertificate } from 'node:tls';
import { certificateSubject, endOfCertificate } from '../../machinery/certificates/certificate-request.ts';
import type { Connection } from '../request/connection.ts';

const commonName = '2.5.4.3';
const organization = '2.5.4.10';
/** Kubernetes' attribute for the user's uid. */
const uid = '1.3.6.1.4.1.57683.2';

/** Reads the certificate's bytes: of duplicate names the last one counts, as in Go. */
export function clientCertificate({
  raw,
  fingerprint256,
}: Pick<PeerCertificate, 'raw' | 'fingerprint256'>): Pick<Connection, 'certificate' | 'certificateFault'> {
  let valuesOf: (type: string) => string[];
  let notAfterMs: number | undefined;
  try {
    const subject = certificateSubject(raw);
    notAfterMs = endOfCertificate(raw);
    valuesOf = (type) => subject.filter((attribute) => attribute.type === type).map(({ value }) => value);
  } catch (error) {
    return { certificateFault: (error as Error).message };
  }
  const uids = valuesOf(uid);
  if (uids.length > 1 || uids[0] === '') return { certificateFault: 'the certificate has no single uid' };
  return {
    certificate: {
      commonName: valuesOf(commonName).at(-1) ?? '',
      organizations: valuesOf(organization),
      ...(uids.length && { uid: uids[0] }),
      fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      ...(notAfterMs !== undefined && { notAfterMs }),
    },
  };
}
