// A certificate authority: its key, and the certificates that it signs. Its subject's names are copied byte for byte
// into certificates: verifiers compare bytes (RFC 5280, section 7.1; Go does).

import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import type { JsonName, X509Certificate } from '@peculiar/x509';

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export type AlternativeName = { readonly type: 'dns' | 'ip' | 'email' | 'url'; readonly value: string };

interface CertificateTemplate {
  readonly subject: JsonName;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Names of bits (RFC 5280, section 4.2.1.3). */
  readonly keyUsages: readonly KeyUsage[];
  /** Object identifiers. */
  readonly extendedKeyUsages: readonly string[];
  readonly names: readonly AlternativeName[];
}

interface Authority {
  /** Expiry of the CA, milliseconds since the epoch. */
  readonly notAfterMs: number;
  /** Signs a certificate, PEM. */
  issue(template: CertificateTemplate): Promise<string>;
}

/** The library is loaded only to sign: loading it takes longer than reading existing certificates. */
export async function x509() {
  await import('reflect-metadata');
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto);
  return library;
}

/** A CA for signing, from a certificate and key that belong together. */
export async function openAuthority({ cert, key }: KeyPair): Promise<Authority> {
  const library = await x509();
  const certificate = new library.X509Certificate(cert);
  const signer = await signingKey(key);
  return {
    notAfterMs: certificate.notAfter.getTime(),
    issue: (template) => issue(certificate, signer, template),
  };
}

const keyUsageBits = {
  digitalSignature: 1,
  contentCommitment: 2,
  keyEncipherment: 4,
  dataEncipherment: 8,
  keyAgreement: 16,
  certSign: 32,
  crlSign: 64,
  encipherOnly: 128,
  decipherOnly: 256,
} as const;
export type KeyUsage = keyof typeof keyUsageBits;

export const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`;

async function issue(ca: X509Certificate, signer: Signer, template: CertificateTemplate): Promise<string> {
  const library = await x509();
  const { subject, names, notAfterMs, notBeforeMs } = template;
  const bits = template.keyUsages.reduce((sum, usage) => sum | keyUsageBits[usage], 0);
  const authorityKey = ca.getExtension(library.SubjectKeyIdentifierExtension)?.keyId;
  const certificate = await library.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: ca.subjectName,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(Math.min(notAfterMs, ca.notAfter.getTime())),
    signingAlgorithm: signer.algorithm,
    publicKey: new Uint8Array(template.publicKey),
    signingKey: signer.key,
    extensions: [
      ...(bits ? [new library.KeyUsagesExtension(bits, true)] : []),
      ...(template.extendedKeyUsages.length
        ? [new library.ExtendedKeyUsageExtension([...template.extendedKeyUsages])]
        : []),
      new library.BasicConstraintsExtension(false, undefined, true),
      ...(authorityKey ? [new library.AuthorityKeyIdentifierExtension(authorityKey)] : []),
      ...(names.length ? [new library.SubjectAlternativeNameExtension([...names], subject.length === 0)] : []),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

interface Signer {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: NonNullable<ReturnType<typeof algorithmOf>>;
}

const curves: Readonly<Record<string, { name: string; hash: string }>> = {
  prime256v1: { name: 'P-256', hash: 'SHA-256' },
  secp384r1: { name: 'P-384', hash: 'SHA-384' },
  secp521r1: { name: 'P-521', hash: 'SHA-512' },
};

/** Algorithm and hash as Go chooses them for a key; undefined for keys that cannot sign certificates here. */
export function algorithmOf(pem: string) {
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem);
  if (asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  if (asymmetricKeyType === 'ed25519') return { name: 'Ed25519' };
  const curve = asymmetricKeyType === 'ec' ? curves[asymmetricKeyDetails?.namedCurve ?? ''] : undefined;
  return curve && { name: 'ECDSA', namedCurve: curve.name, hash: curve.hash };
}

async function signingKey(pem: string): Promise<Signer> {
  const algorithm = algorithmOf(pem);
  if (!algorithm) throw new Error('the key is neither RSA, nor of a curve P-256, P-384 or P-521, nor Ed25519');
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return { algorithm, key: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']) };
}
