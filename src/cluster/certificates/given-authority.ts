// The CA in DATA/pki: one that was brought there before the first start is used, if it can be.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { childrenOf, objectIdentifier, readOne } from '../../machinery/certificates/der.ts';
import { decodePemAll } from '../../machinery/certificates/pem.ts';
import { algorithmOf, type KeyPair } from './certificate-authority.ts';

/** The fault of provided CA files, and the remedy. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** Undefined without files. Throws CertificateError for unusable ones: they are never overwritten. */
export async function readAuthority(directory: string, nowMs: number): Promise<KeyPair | undefined> {
  const files = { cert: path.join(directory, 'ca.crt'), key: path.join(directory, 'ca.key') };
  const [cert, key] = await Promise.all([read(files.cert), read(files.key)]);
  if (cert === undefined && key === undefined) return undefined;
  if (key === undefined)
    throw new CertificateError(
      `${files.cert} has no key beside it: put its private key into ${files.key}, or remove ${files.cert} to get a new CA`,
    );
  if (cert === undefined)
    throw new CertificateError(
      `${files.key} has no certificate beside it: put the CA's certificate into ${files.cert}, or remove ${files.key} to get a new CA`,
    );
  const [certificate, ...above] = readCertificates(files.cert, cert);
  checkAuthority(files.cert, certificate, nowMs);
  checkChain(files.cert, certificate, above);
  checkKey(files, key, certificate);
  await chmod(files.key, 0o600).catch(() => {}); // owned by another user: the directory is closed anyway
  return { cert: normalized(cert), key: normalized(key) };
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CertificateError(`${file} cannot be read (${code ?? message}): make it a file that this user may read`);
  }
}

/** Text around the blocks and Windows' line ends are ignored. */
function normalized(pem: string): string {
  const blocks = pem.replaceAll('\r\n', '\n').match(/^-----BEGIN ([^-]+)-----\n[\s\S]*?^-----END \1-----/gm) ?? [];
  return `${blocks.filter((block) => !block.startsWith('-----BEGIN EC PARAMETERS')).join('\n')}\n`;
}

function readCertificates(file: string, pem: string): X509Certificate[] {
  const blocks = [...decodePemAll(pem)].filter(({ type }) => type === 'CERTIFICATE');
  if (!blocks.length)
    throw new CertificateError(
      `${file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----): convert it, for example with "openssl x509 -inform DER -in FILE"`,
    );
  try {
    return blocks.map(({ bytes }) => new X509Certificate(bytes));
  } catch (error) {
    throw new CertificateError(`${file} holds a certificate that cannot be read: ${(error as Error).message}`);
  }
}

/** An intermediate CA needs its ancestors: Node's TLS only trusts chains that end in a self-signed CA. */
function checkChain(file: string, certificate: X509Certificate, above: readonly X509Certificate[]): void {
  let last = certificate;
  for (let steps = 0; !last.checkIssued(last) && steps <= above.length; steps++) {
    const issuer = above.find((candidate) => last.checkIssued(candidate) && last.verify(candidate.publicKey));
    if (!issuer)
      throw new CertificateError(
        `${file} is issued by another CA (${last.issuer.replaceAll('\n', ', ')}): append the certificates above it, up to one that is self-signed`,
      );
    last = issuer;
  }
}

function checkAuthority(file: string, certificate: X509Certificate, nowMs: number): void {
  const refuse = (why: string) =>
    new CertificateError(`${file} cannot be the cluster's CA: ${why}. Put another certificate and its key there.`);
  if (!maySign(certificate)) throw refuse('its keyUsage does not allow keyCertSign');
  if (!certificate.ca) throw refuse('it is not a CA certificate (basicConstraints lacks CA:TRUE)');
  if (Date.parse(certificate.validTo) <= nowMs) throw refuse(`it expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > nowMs) throw refuse(`it is not valid before ${certificate.validFrom}`);
}

const keyUsage = '2.5.29.15';
const extensionsTag = 0xa3;
const certSignBit = 0x04;

/** Without a keyUsage a certificate may be used for everything. */
function maySign({ raw }: X509Certificate): boolean {
  const [body] = childrenOf(readOne(raw));
  const field = childrenOf(body).find(({ tag }) => tag === extensionsTag);
  if (!field) return true;
  for (const extension of childrenOf(readOne(field.content))) {
    const parts = childrenOf(extension);
    if (objectIdentifier(parts[0]) !== keyUsage) continue;
    const bits = readOne(parts[parts.length - 1].content).content; // unused bits, then the bits
    return ((bits[1] ?? 0) & certSignBit) !== 0;
  }
  return true;
}

function checkKey(files: { cert: string; key: string }, pem: string, certificate: X509Certificate): void {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem))
    throw new CertificateError(
      `${files.key} is encrypted: decrypt it, for example with "openssl pkey -in ${files.key} -out ${files.key}"`,
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(normalized(pem));
  } catch (error) {
    throw new CertificateError(
      `${files.key} holds no private key in PEM form (PKCS #1, PKCS #8 or SEC 1): ${(error as Error).message}`,
    );
  }
  if (!certificate.checkPrivateKey(key))
    throw new CertificateError(`${files.key} is not the key of ${files.cert}: put the two that belong together there`);
  if (!algorithmOf(normalized(pem)))
    throw new CertificateError(
      `${files.key} is of a kind that cannot sign here (${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType}): use RSA, a curve P-256, P-384 or P-521, or Ed25519`,
    );
  if ((key.asymmetricKeyDetails?.modulusLength ?? 2_048) < 2_048)
    throw new CertificateError(
      `${files.key} is an RSA key of ${key.asymmetricKeyDetails?.modulusLength} bits: TLS clients refuse less than 2048`,
    );
}
