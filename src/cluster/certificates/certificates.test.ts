import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf, readOne } from '../../machinery/certificates/der.ts';
import { x509 } from './certificate-authority.ts';
import { type CertificateRequest, ensureCertificates, ensureSigningKey } from './certificates.ts';

const dayMs = 86_400_000;
const now = Date.now();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'pki-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const requests: CertificateRequest[] = [
  { name: 'server', commonName: 'kube-apiserver', usage: 'server', hosts: ['localhost', '127.0.0.1', '::1'] },
  { name: 'client', commonName: 'jane', organizations: ['one', 'two'], usage: 'client' },
];

type KeyForm = 'pkcs1' | 'pkcs8' | 'sec1';
interface Given {
  readonly key?: 'rsa' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519';
  readonly form?: KeyForm;
  readonly name?: any;
  readonly ca?: boolean;
  readonly usage?: number;
  readonly from?: number;
  readonly until?: number;
}

const algorithms = {
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  Ed25519: { name: 'Ed25519' },
};

/** A custom CA. */
async function authority(given: Given = {}) {
  const { key: type = 'P-256', form = 'pkcs8', name = 'CN=given', ca = true, usage = 6 << 4 } = given;
  const library = await x509();
  const algorithm = algorithms[type];
  const keys = (await webcrypto.subtle.generateKey(algorithm as any, true, ['sign', 'verify'])) as any;
  const der = typeof name === 'string' && name.startsWith('DER:') && Buffer.from(name.slice(4), 'hex');
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    name: der ? new library.Name(der) : name,
    notBefore: new Date(given.from ?? now - dayMs),
    notAfter: new Date(given.until ?? now + 1_000 * dayMs),
    signingAlgorithm: algorithm as any,
    keys,
    extensions: [
      new library.BasicConstraintsExtension(ca, undefined, true),
      ...(usage ? [new library.KeyUsagesExtension(usage, true)] : []),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return { cert: certificate.toString('pem'), key: key.export({ type: form as any, format: 'pem' }) as string };
}

let count = 0;
async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = path.join(root, String(count++));
  await mkdir(directory, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
  return directory;
}

const field = (pem: string, index: number): string => {
  const parts = childrenOf(childrenOf(readOne(new X509Certificate(pem).raw))[0]);
  return Buffer.from(parts[index].whole).toString('hex');
};
const issuer = (pem: string) => field(pem, 3);
const subject = (pem: string) => field(pem, 5);

describe('a CA that was brought', () => {
  test.each<[string, Given]>([
    ['P-256 in PKCS #8', {}],
    ['P-256 in SEC 1', { form: 'sec1' }],
    ['P-384', { key: 'P-384' }],
    ['P-521', { key: 'P-521', form: 'sec1' }],
    ['RSA in PKCS #1', { key: 'rsa', form: 'pkcs1' }],
    ['RSA in PKCS #8', { key: 'rsa' }],
    ['Ed25519', { key: 'Ed25519' }],
    ['no keyUsage', { usage: 0 }],
    ['a UTF8String', { name: [{ CN: [{ utf8String: 'plain' }] }] }],
    ['a PrintableString', { name: [{ CN: [{ printableString: 'plain' }] }] }],
    ['a BMPString', { name: [{ CN: [{ bmpString: 'b' }] }] }],
    ['a T61String', { name: 'DER:300c310a3008060355040a140161' }],
    ['several values in one set', { name: [{ O: ['b', 'a'], OU: ['c'] }, { CN: ['x'] }] }],
    ['letters beyond ASCII', { name: [{ O: ['Müller & Söhne'] }, { CN: ['日本'] }] }],
    ['an e-mail address', { name: [{ E: [{ ia5String: 'a@b.test' }] }, { CN: ['x'] }] }],
  ])('%s: signs, and its subject is copied byte for byte', async (_, given) => {
    const ca = await authority(given);
    const directory = await directoryWith({ 'ca.crt': ca.cert, 'ca.key': ca.key });
    const made = await ensureCertificates(directory, requests, now);
    expect(made.ca.cert.trim()).toBe(ca.cert.trim());
    for (const { cert } of made.certificates.values()) {
      expect(issuer(cert)).toBe(subject(ca.cert));
      expect(new X509Certificate(cert).verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
    }
    expect(await handshake(made.ca.cert, made.certificates)).toMatchObject({ CN: 'jane', O: ['one', 'two'] });
    const again = await ensureCertificates(directory, requests, now);
    expect(again.certificates.get('server')?.cert).toBe(made.certificates.get('server')?.cert);
    expect((await stat(path.join(directory, 'ca.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  test('may have text around it, parameters before its key, and Windows’ line ends', async () => {
    const ca = await authority({ form: 'sec1' });
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const directory = await directoryWith({
      'ca.crt': `Certificate:\n  Data: x\n${ca.cert}\n`.replaceAll('\n', '\r\n'),
      'ca.key': parameters + ca.key,
    });
    const made = await ensureCertificates(directory, requests, now);
    expect(await handshake(made.ca.cert, made.certificates)).toMatchObject({ CN: 'jane' });
  });

  test('may be an intermediate CA, followed by its issuer', async () => {
    const library = await x509();
    const make = async () => (await webcrypto.subtle.generateKey(algorithms['P-256'], true, ['sign', 'verify'])) as any;
    const [keys, above] = [await make(), await make()];
    const certificate = (name: string, publicKey: any) =>
      library.X509CertificateGenerator.create({
        subject: name,
        issuer: 'CN=root',
        notBefore: new Date(now - dayMs),
        notAfter: new Date(now + 1_000 * dayMs),
        signingAlgorithm: algorithms['P-256'] as any,
        publicKey,
        signingKey: above.privateKey,
        extensions: [new library.BasicConstraintsExtension(true, undefined, true)],
      });
    const own = (await certificate('CN=intermediate', keys.publicKey)).toString('pem');
    const root = (await certificate('CN=root', above.publicKey)).toString('pem');
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
    const alone = await directoryWith({ 'ca.crt': own, 'ca.key': key as string });
    await expect(ensureCertificates(alone, requests, now)).rejects.toThrow(
      /ca\.crt is issued by another CA \(CN=root\): append the certificates above it/,
    );
    const directory = await directoryWith({ 'ca.crt': `${own}\n${root}`, 'ca.key': key as string });
    const made = await ensureCertificates(directory, requests, now);
    expect(await handshake(made.ca.cert, made.certificates)).toMatchObject({ CN: 'jane' });
  });

  test('that ends soon makes certificates that end with it', async () => {
    const until = now + 30 * dayMs;
    const ca = await authority({ until });
    const directory = await directoryWith({ 'ca.crt': ca.cert, 'ca.key': ca.key });
    const { certificates } = await ensureCertificates(directory, requests, now);
    const { validTo } = new X509Certificate(certificates.get('server')!.cert);
    expect(Math.abs(Date.parse(validTo) - until)).toBeLessThan(1_000);
  });

  test('of the same name replaces the previous one: its certificates are made again', async () => {
    const [one, two] = [await authority(), await authority()];
    const directory = await directoryWith({ 'ca.crt': one.cert, 'ca.key': one.key });
    await ensureCertificates(directory, requests, now);
    await writeFile(path.join(directory, 'ca.crt'), two.cert);
    await writeFile(path.join(directory, 'ca.key'), two.key);
    const made = await ensureCertificates(directory, requests, now);
    expect(await handshake(made.ca.cert, made.certificates)).toMatchObject({ CN: 'jane' });
  });
});

test.each<[string, () => Promise<Record<string, string>>, RegExp]>([
  [
    'no key',
    async () => ({ 'ca.crt': (await authority()).cert }),
    /ca\.crt has no key beside it: put its private key into .*ca\.key/,
  ],
  ['no certificate', async () => ({ 'ca.key': (await authority()).key }), /ca\.key has no certificate beside it/],
  [
    'another’s key',
    async () => ({ 'ca.crt': (await authority()).cert, 'ca.key': (await authority()).key }),
    /ca\.key is not the key of .*ca\.crt/,
  ],
  ['no CA', async () => both(await authority({ ca: false })), /it is not a CA certificate/],
  [
    'a CA that may not sign',
    async () => both(await authority({ usage: 1 })),
    /its keyUsage does not allow keyCertSign/,
  ],
  ['an expired CA', async () => both(await authority({ until: now - 1_000 })), /it expired on/],
  ['a CA of the future', async () => both(await authority({ from: now + dayMs })), /it is not valid before/],
  [
    'an encrypted key',
    async () => ({ 'ca.crt': (await authority()).cert, 'ca.key': encrypted() }),
    /ca\.key is encrypted: decrypt it, for example with "openssl pkey/,
  ],
  ['an empty key', async () => ({ 'ca.crt': (await authority()).cert, 'ca.key': '' }), /ca\.key holds no private key/],
  [
    'a certificate as DER',
    async () => ({ 'ca.crt': '0\u0082\u0001', 'ca.key': (await authority()).key }),
    /ca\.crt holds no certificate in PEM form/,
  ],
  [
    'a damaged certificate',
    async () => ({
      ...both(await authority()),
      'ca.crt': '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n',
    }),
    /holds a certificate that cannot be read/,
  ],
])('a CA with %s is refused, and no file is written', async (_, files, message) => {
  const directory = await directoryWith(await files());
  const before = await readdir(directory);
  await expect(ensureCertificates(directory, requests, now)).rejects.toThrow(message);
  expect(await readdir(directory)).toEqual(before);
});

const both = ({ cert, key }: { cert: string; key: string }) => ({ 'ca.crt': cert, 'ca.key': key });
const encrypted = () =>
  generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  }).privateKey;

test('without one, a CA is made, and kept', async () => {
  const directory = await directoryWith({});
  const made = await ensureCertificates(directory, requests, now);
  expect(await handshake(made.ca.cert, made.certificates)).toMatchObject({ CN: 'jane' });
  expect((await ensureCertificates(directory, requests, now)).ca).toEqual(made.ca);
});

test('a certificate with other groups than the requested ones is made again', async () => {
  const directory = await directoryWith({});
  const before = await ensureCertificates(directory, requests, now);
  const fewer = requests.map((request) =>
    request.name === 'client' ? { ...request, organizations: ['one'] } : request,
  );
  const after = await ensureCertificates(directory, fewer, now);
  expect(new X509Certificate(after.certificates.get('client')!.cert).subject).toBe('O=one\nCN=jane');
  expect(after.certificates.get('server')).toEqual(before.certificates.get('server'));
});

test.each<[string, string, boolean]>([
  ['RSA', 'rsa', true],
  ['P-384', 'P-384', true],
  ['no key', '', false],
  ['Ed25519', 'Ed25519', false],
])('a key for tokens that was brought: %s', async (_, type, usable) => {
  const pem = type ? (await authority({ key: type as 'rsa' })).key : 'rubbish';
  const directory = await directoryWith({ 'sa.key': pem });
  if (usable) expect(await ensureSigningKey(directory)).toBe(pem);
  else await expect(ensureSigningKey(directory)).rejects.toThrow(/sa\.key .*: put an RSA key of 2048 bits or more/);
  expect(await readFile(path.join(directory, 'sa.key'), 'utf8')).toBe(pem);
  if (!usable) return;
  const publicKey = createPublicKey(await readFile(path.join(directory, 'sa.pub'), 'utf8'));
  expect(publicKey.equals(createPublicKey(pem))).toBe(true);
});

/** The subject that a server sees of a client, over real TLS. */
function handshake(ca: string, certificates: ReadonlyMap<string, { cert: string; key: string }>): Promise<any> {
  const options = { ca };
  return new Promise((resolve, reject) => {
    const server = createServer({
      ...certificates.get('server')!,
      ...options,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const done = (act: () => void) => {
      server.close();
      act();
    };
    server.on('secureConnection', (socket: TLSSocket) => {
      const { subject } = socket.getPeerCertificate();
      socket.end();
      done(() => resolve({ ...subject }));
    });
    server.on('tlsClientError', (error) => done(() => reject(error)));
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      const client = connect({ port, host: '127.0.0.1', ...certificates.get('client')!, ...options });
      client.on('error', (error) => done(() => reject(error)));
    });
  });
}
