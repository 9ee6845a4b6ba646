// The cluster's own certificate authority and the certificates of its parts. Made once, kept in <data dir>/pki.
// https://kubernetes.io/docs/setup/best-practices/certificates/

import { createPrivateKey, generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

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
/** A certificate is made anew when less than this is left of its life. */
const renewBeforeMs = 90 * dayMs;
/** Clocks differ: a certificate is valid from a little before it was made. */
const backdateMs = 300_000;

/** The CA and the certificates that were asked for, from `directory` or made now. `nowMs` is the time of the epoch. */
export async function ensureCertificates(
  directory: string,
  requests: readonly CertificateRequest[],
  nowMs: number,
): Promise<{ ca: KeyPair; certificates: ReadonlyMap<string, KeyPair> }> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = await readPair(directory, 'ca');
  const ca = known ?? (await makeAuthority(nowMs));
  if (!known) await writePair(directory, 'ca', ca);
  const certificates = new Map<string, KeyPair>();
  await Promise.all(
    requests.map(async (request) => {
      const existing = await readPair(directory, request.name);
      const usable = existing && isUsable(existing, ca, request, nowMs);
      const pair = usable ? existing : await issue(ca, request, nowMs);
      if (!usable) await writePair(directory, request.name, pair);
      certificates.set(request.name, pair);
    }),
  );
  return { ca, certificates };
}

/** The key that signs service account tokens, PEM. */
export async function ensureSigningKey(directory: string): Promise<string> {
  const file = path.join(directory, 'sa.key');
  const existing = await readFile(file, 'utf8').catch(() => undefined);
  if (existing) return existing;
  const key = makeSigningKey();
  await writeFile(file, key, { mode: 0o600 });
  return key;
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
    writeFile(path.join(directory, `${name}.crt`), cert, { mode: 0o644 }),
    writeFile(path.join(directory, `${name}.key`), key, { mode: 0o600 }),
  ]);
}

function isUsable(pair: KeyPair, ca: KeyPair, request: CertificateRequest, nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pair.cert);
    const fresh = Date.parse(certificate.validTo) - nowMs > renewBeforeMs;
    const ours =
      certificate.checkIssued(new X509Certificate(ca.cert)) && certificate.checkPrivateKey(createPrivateKey(pair.key));
    const hosts = (request.hosts ?? []).every((host) =>
      isAddress(host) ? certificate.checkIP(host) : certificate.checkHost(host, { partialWildcards: false }),
    );
    return fresh && ours && hosts && certificate.subject.includes(`CN=${request.commonName}`);
  } catch {
    return false; // damaged: made anew
  }
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(':');

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** The library is loaded only when something has to be made: it costs more than reading what is there. */
async function library() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as any);
  return x509;
}

async function newKeys() {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
  return { keys, key };
}

const serialNumber = () => `01${randomBytes(15).toString('hex')}`;

async function makeAuthority(nowMs: number): Promise<KeyPair> {
  const x509 = await library();
  const { keys, key } = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=kubernetes',
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + caLifeMs),
    signingAlgorithm: algorithm,
    keys: keys as any,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as any),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

/** Signs a certificate for the request with a key of its own. */
export async function issue(ca: KeyPair, request: CertificateRequest, nowMs: number): Promise<KeyPair> {
  const x509 = await library();
  const { keys, key } = await newKeys();
  const usages = {
    server: [x509.ExtendedKeyUsage.serverAuth],
    client: [x509.ExtendedKeyUsage.clientAuth],
    both: [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
  };
  const issuer = new x509.X509Certificate(ca.cert);
  const names = (request.hosts ?? []).map((value) => ({
    type: isAddress(value) ? ('ip' as const) : ('dns' as const),
    value,
  }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...(request.organizations ?? []).map((o) => ({ O: [o] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + certificateLifeMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey as any,
    signingKey: (await importKey(ca.key)) as any,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(usages[request.usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key };
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}
