// The cluster's certificate authority and the certificates of its parts. Made once, stored in <data dir>/pki.
// https://kubernetes.io/docs/setup/best-practices/certificates/

import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeWhole } from '../write-whole.ts';
import { type KeyPair, openAuthority, serialNumber, x509 } from './certificate-authority.ts';
import { CertificateError, readAuthority } from './given-authority.ts';

export type { KeyPair };

export interface CertificateRequest {
  /** File name, without ending. */
  readonly name: string;
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usage: 'server' | 'client' | 'both';
  /** DNS names and IP addresses of a server. */
  readonly hosts?: readonly string[];
}

const dayMs = 86_400_000;
const caLifeMs = 3650 * dayMs;
const certificateLifeMs = 365 * dayMs;
/** A certificate with a shorter remaining life is renewed. */
const renewBeforeMs = 90 * dayMs;
/** Clocks differ: a certificate is valid from a little before it was made. */
const backdateMs = 300_000;

/** The CA and the requested certificates, from `directory` or new. `nowMs` is the time since the epoch. */
export async function ensureCertificates(
  directory: string,
  requests: readonly CertificateRequest[],
  nowMs: number,
): Promise<{ ca: KeyPair; certificates: ReadonlyMap<string, KeyPair> }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const existing = await readAuthority(directory, nowMs);
  const ca = existing ?? (await makeAuthority(nowMs));
  if (!existing) await writePair(directory, 'ca', ca);
  const certificates = new Map<string, KeyPair>();
  await Promise.all(
    requests.map(async (request) =>
      certificates.set(request.name, await ensureCertificate(directory, ca, request, nowMs)),
    ),
  );
  return { ca, certificates };
}

/** The certificate from `directory`, or a new one when it is absent, damaged, of another CA or about to expire. */
export async function ensureCertificate(
  directory: string,
  ca: KeyPair,
  request: CertificateRequest,
  nowMs: number,
): Promise<KeyPair> {
  const existing = await readPair(directory, request.name);
  if (existing && isUsable(existing, ca, request, nowMs)) return existing;
  const pair = await issue(ca, request, nowMs);
  await writePair(directory, request.name, pair);
  return pair;
}

/**
 * The CA and the client certificate that identify the API server to extension API servers: a separate CA, because its
 * certificates may name any user.
 */
export async function ensureFrontProxy(directory: string, nowMs: number): Promise<{ ca: KeyPair; client: KeyPair }> {
  const ca = await ensureAuthority(directory, 'front-proxy-ca', nowMs);
  const request: CertificateRequest = {
    name: 'front-proxy-client',
    commonName: frontProxyName,
    usage: 'client',
  };
  return { ca, client: await ensureCertificate(directory, ca, request, nowMs) };
}

/** A CA for another purpose, from `directory` or new. */
export async function ensureAuthority(directory: string, name: string, nowMs: number): Promise<KeyPair> {
  const existing = await readPair(directory, name);
  if (existing) return existing;
  const made = await makeAuthority(nowMs, name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writePair(directory, name, made);
  return made;
}

/** The user as which the API server calls kubelets. */
export const kubeletClientName = 'kube-apiserver-kubelet-client';
/** The common name of the front proxy's certificate. */
export const frontProxyName = 'front-proxy-client';

/**
 * The key that signs service account tokens, PEM. One that was brought is used, if it can be. `sa.pub` beside it is for
 * other API servers, which verify tokens by it.
 */
export async function ensureSigningKey(directory: string): Promise<string> {
  const file = path.join(directory, 'sa.key');
  const existing = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CertificateError(`${file} cannot be read (${error.code}): make it a file that this user may read`);
  });
  if (existing !== undefined) checkSigningKey(file, existing);
  const key = existing ?? makeSigningKey();
  if (existing === undefined) await writeWhole(file, key, 0o600);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const publicFile = path.join(directory, 'sa.pub');
  if ((await readFile(publicFile, 'utf8').catch(() => '')) !== publicKey)
    await writeWhole(publicFile, publicKey, 0o644);
  return key;
}

const tokenCurves = ['prime256v1', 'secp384r1', 'secp521r1'];

function checkSigningKey(file: string, pem: string): void {
  const wanted = 'an RSA key of 2048 bits or more, or one of a curve P-256, P-384 or P-521, in PEM form';
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new CertificateError(
      `${file} holds no private key that can be read (${(error as Error).message}): put ${wanted} there`,
    );
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  const fits =
    asymmetricKeyType === 'rsa'
      ? (asymmetricKeyDetails?.modulusLength ?? 0) >= 2_048
      : asymmetricKeyType === 'ec' && tokenCurves.includes(asymmetricKeyDetails?.namedCurve ?? '');
  if (!fits) throw new CertificateError(`${file} cannot sign tokens: put ${wanted} there`);
}

export const makeSigningKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  const read = (ending: string) => readFile(path.join(directory, `${name}.${ending}`), 'utf8').catch(() => undefined);
  const [cert, key] = await Promise.all([read('crt'), read('key')]);
  return cert && key ? { cert, key } : undefined;
}

async function writePair(directory: string, name: string, { cert, key }: KeyPair): Promise<void> {
  await Promise.all([
    writeWhole(path.join(directory, `${name}.crt`), cert, 0o644),
    writeWhole(path.join(directory, `${name}.key`), key, 0o600),
  ]);
}

function isUsable(pair: KeyPair, ca: KeyPair, request: CertificateRequest, nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pair.cert);
    const fresh = Date.parse(certificate.validTo) - nowMs > renewBeforeMs;
    const authority = new X509Certificate(ca.cert);
    // Also by the signature: another CA may have the same name.
    const ours =
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey) &&
      certificate.checkPrivateKey(createPrivateKey(pair.key));
    const hosts = (request.hosts ?? []).every((host) =>
      isAddress(host) ? certificate.checkIP(host) : certificate.checkHost(host, { partialWildcards: false }),
    );
    const subject = [...(request.organizations ?? []).map((name) => `O=${name}`), `CN=${request.commonName}`];
    return fresh && ours && hosts && certificate.subject.split('\n').sort().join() === subject.sort().join();
  } catch {
    return false; // damaged: made again
  }
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(':');

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function newKeys() {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
  return { keys, key };
}

/** A new CA. */
export async function makeAuthority(nowMs: number, commonName = 'kubernetes'): Promise<KeyPair> {
  const library = await x509();
  const { keys, key } = await newKeys();
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${commonName}`,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + caLifeMs),
    signingAlgorithm: algorithm,
    keys: keys,
    extensions: [
      new library.BasicConstraintsExtension(true, undefined, true),
      new library.KeyUsagesExtension(
        library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.digitalSignature | library.KeyUsageFlags.cRLSign,
        true,
      ),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

const usages = {
  server: ['1.3.6.1.5.5.7.3.1'],
  client: ['1.3.6.1.5.5.7.3.2'],
  both: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
} as const;

/** Signs a certificate for the request with a new key. */
export async function issue(ca: KeyPair, request: CertificateRequest, nowMs: number): Promise<KeyPair> {
  const authority = await openAuthority(ca);
  const { key } = await newKeys();
  const cert = await authority.issue({
    subject: [...(request.organizations ?? []).map((o) => ({ O: [o] })), { CN: [request.commonName] }],
    publicKey: createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' }),
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + certificateLifeMs,
    keyUsages: ['digitalSignature', 'keyEncipherment'],
    extendedKeyUsages: usages[request.usage],
    names: (request.hosts ?? []).map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value })),
  });
  return { cert, key };
}
