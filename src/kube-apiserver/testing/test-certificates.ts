// Certificate authorities for tests.

import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface TestPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Usage {
  readonly purpose?: 'serverAuth' | 'clientAuth';
  /** From now; a year by default. */
  readonly validForMs?: number;
}

export interface TestAuthority {
  /** PEM. */
  readonly ca: string;
  /** `hosts`: DNS names, and IP addresses, of a server. `usage`: any by default. */
  issue(subject: string, hosts?: readonly string[], usage?: Usage): Promise<TestPair>;
}

type Keys = { readonly privateKey: any; readonly publicKey: any };

const hourMs = 3_600_000;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export async function testAuthority(name = 'CN=ca'): Promise<TestAuthority> {
  cryptoProvider.set(crypto);
  const own = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    name,
    keys: own,
    signingAlgorithm: algorithm,
    extensions: [new BasicConstraintsExtension(true)],
  });
  return {
    ca: root.toString('pem'),
    async issue(subject, hosts = [], { purpose, validForMs } = {}) {
      const keys = await newKeys();
      const names = hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }) as const);
      const cert: X509Certificate = await X509CertificateGenerator.create({
        subject,
        issuer: root.subjectName,
        publicKey: keys.publicKey,
        signingKey: own.privateKey,
        signingAlgorithm: algorithm,
        ...(validForMs !== undefined && {
          notBefore: new Date(Date.now() - hourMs),
          notAfter: new Date(Date.now() + validForMs),
        }),
        extensions: [
          ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
          ...(purpose ? [new ExtendedKeyUsageExtension([ExtendedKeyUsage[purpose]])] : []),
        ],
      });
      const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
      const key = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
      return { cert: cert.toString('pem'), key };
    },
  };
}

const newKeys = (): Promise<Keys> => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<Keys>;
