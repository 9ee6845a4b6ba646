// The signature of a certificate request: its sender has the key that it names (RFC 2986, section 4.2).

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { CertificateRequest } from '../../machinery/certificates/certificate-request.ts';

/** Hash and kind of key by the signature's algorithm. SHA-1 is accepted here, as in Go: it only proves possession. */
const algorithms: Readonly<Record<string, { readonly key: string; readonly hash: string | null }>> = {
  '1.2.840.113549.1.1.5': { key: 'rsa', hash: 'sha1' },
  '1.2.840.113549.1.1.11': { key: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.1': { key: 'ec', hash: 'sha1' },
  '1.2.840.10045.4.3.2': { key: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', hash: 'sha512' },
  '1.3.101.112': { key: 'ed25519', hash: null },
};

const goTypes: Readonly<Record<string, string>> = {
  rsa: '*rsa.PublicKey',
  ec: '*ecdsa.PublicKey',
  ed25519: 'ed25519.PublicKey',
};
const names: Readonly<Record<string, string>> = { rsa: 'RSA', ec: 'ECDSA', ed25519: 'Ed25519' };
/** Checking a signature takes the square of the key's size and more, times the length of the exponent. */
const mostRsaBits = 8_192;
const leastRsaBits = 1_024;
const largestExponent = 2n ** 31n - 1n;

/** Why the signature is not that of the request's key, in Go's words. */
export function verifyRequest(request: CertificateRequest): string | undefined {
  const algorithm = algorithms[request.signatureAlgorithm];
  const key = keyOf(request.publicKey);
  const type = key?.asymmetricKeyType ?? '';
  if (!algorithm || !key || !goTypes[type]) return 'x509: cannot verify signature: algorithm unimplemented';
  if (algorithm.key !== type)
    return `x509: signature algorithm specifies an ${names[algorithm.key]} public key, but have public key of type ${goTypes[type]}`;
  const fault = sizeFault(key);
  if (fault) return fault;
  if (verify(algorithm.hash, request.signed, key, request.signature)) return undefined;
  return type === 'rsa' ? 'crypto/rsa: verification error' : `x509: ${names[type]} verification failure`;
}

function sizeFault({ asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength: bits, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  if (bits === undefined) return undefined;
  if (publicExponent > largestExponent) return 'crypto/rsa: public exponent too large';
  if (bits > mostRsaBits) return `crypto/rsa: keys larger than ${mostRsaBits} bits are not supported`;
  return bits < leastRsaBits
    ? `crypto/rsa: ${bits}-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)`
    : undefined;
}

function keyOf(der: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
