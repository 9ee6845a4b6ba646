// Certificate requests for tests, each with a new key.

import { webcrypto } from 'node:crypto';
import { x509 } from './certificate-authority.ts';

export interface RequestOptions {
  /** Such as [{ O: ['system:nodes'] }, { CN: ['system:node:a'] }]. */
  readonly subject: any;
  readonly names?: readonly { readonly type: 'dns' | 'ip' | 'email' | 'url'; readonly value: string }[];
  readonly key?: 'ec' | 'rsa' | 'ed25519';
}

const algorithms = {
  ec: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
  ed25519: { name: 'Ed25519' },
};

/** PEM. */
export async function certificateRequest({ subject, names = [], key = 'ec' }: RequestOptions): Promise<string> {
  const library = await x509();
  const keys = (await webcrypto.subtle.generateKey(algorithms[key] as any, true, ['sign', 'verify'])) as any;
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithms[key] as any,
    extensions: names.length ? [new library.SubjectAlternativeNameExtension([...names])] : [],
  });
  return `${request.toString('pem')}\n`;
}
