// Errors of connections in the words of Go's net and crypto/tls: users know them, and some clients match them.

/** As far as Node's errors have it. */
interface ConnectionError extends Error {
  readonly code?: string;
  /** The name that the certificate should have. */
  readonly host?: string;
  /** The certificate that does not name the host, as `DNS:a.example, IP Address:192.0.2.1`. */
  readonly cert?: { readonly subjectaltname?: string };
}

const unverified = 'tls: failed to verify certificate: x509: ';

const bySystemCall: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
};

const unknownAuthority = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

/** An error of the connection to a TCP address; others are returned unchanged. */
export function connectionError(error: Error, host: string, port: number): Error {
  const { code = '', cert, host: wanted = host } = error as ConnectionError;
  const call = bySystemCall[code];
  if (call) return new Error(`dial tcp ${host.includes(':') ? `[${host}]` : host}:${port}: connect: ${call}`);
  if (code === 'ENOTFOUND') return new Error(`dial tcp: lookup ${host}: no such host`);
  if (unknownAuthority.includes(code)) return new Error(`${unverified}certificate signed by unknown authority`);
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return new Error(`${unverified}certificate has expired or is not yet valid`);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new Error(unverified + wrongName(wanted, cert?.subjectaltname ?? ''));
  return error;
}

function wrongName(host: string, names: string): string {
  const isAddress = /^[\d.]+$|:/.test(host);
  const prefix = isAddress ? 'IP Address:' : 'DNS:';
  const valid = names
    .split(', ')
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  if (valid.length > 0) return `certificate is valid for ${valid.join(', ')}, not ${host}`;
  return isAddress
    ? `cannot validate certificate for ${host} because it doesn't contain any IP SANs`
    : `certificate is not valid for any names, but wanted to match ${host}`;
}
