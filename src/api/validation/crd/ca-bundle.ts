// Bundles of certificates for webhooks: Go must be able to read one of them.

import { endOfCertificate } from '../../../machinery/certificates/certificate-request.ts';
import { decodePem } from '../../../machinery/certificates/pem.ts';

/** Go's error for a base64 bundle without a readable certificate. */
export function bundleFault(bundle: string): string | undefined {
  let unreadable: string | undefined;
  for (let rest = atob(bundle); rest; ) {
    const block = decodePem(rest);
    if (!block) return unreadable ?? 'unable to parse bytes as PEM block';
    rest = block.rest;
    if (block.type !== 'CERTIFICATE' || Object.keys(block.headers).length) continue;
    if (isReadable(block.bytes)) return undefined;
    unreadable ??= 'failed to parse certificate: x509: malformed certificate';
  }
  return unreadable ?? 'no valid certificate authority data seen';
}

function isReadable(der: Uint8Array): boolean {
  try {
    return endOfCertificate(der) !== undefined;
  } catch {
    return false;
  }
}
