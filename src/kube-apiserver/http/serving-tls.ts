// TLS of a listener: its certificates, and the authorities of its clients. All of them may be replaced while it runs.

import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureVersion, type TLSSocket } from 'node:tls';
import type { Random } from '../../machinery/random.ts';

export interface CertifiedName {
  /** Host names, `*.` for one label. Left out: those in the certificate. */
  readonly names?: readonly string[];
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsOptions {
  /** PEM */
  readonly cert: string;
  readonly key: string;
  /** Certificates for clients that request a host by one of their names. */
  readonly named?: readonly CertifiedName[];
  /** PEM: the CA of client certificates; without one, no certificate is accepted. */
  readonly clientCa?: string;
  readonly minVersion?: SecureVersion;
  /** OpenSSL's names, separated by colons; for TLS 1.2 only. */
  readonly ciphers?: string;
}

/** Parts that may change. */
export type TlsChange = Partial<Pick<TlsOptions, 'cert' | 'key' | 'named' | 'clientCa'>>;

export class ServingTls {
  #options: TlsOptions;
  readonly #frontProxyCa: () => string | undefined;
  readonly #random: Random;
  /** PEM, one certificate each. */
  #authorities: readonly string[];
  #named: ReadonlyMap<string, SecureContext>;
  /** Increases whenever the authorities change: then connections are judged again. */
  generation = 0;

  constructor(options: TlsOptions, frontProxyCa: () => string | undefined, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#frontProxyCa = frontProxyCa;
    this.#authorities = this.#currentAuthorities();
    this.#named = this.#contexts();
  }

  get takesCertificates(): boolean {
    return this.#authorities.length > 0;
  }

  /** Of the certificate for clients without a matching name. */
  secureContext() {
    return this.#secured(this.#options);
  }

  /** Undefined: the common certificate. */
  contextFor(host: string): SecureContext | undefined {
    const name = host.toLowerCase().replace(/\.$/, '');
    return this.#named.get(name) ?? this.#named.get(name.replace(/^[^.]*/, '*'));
  }

  /** The options for tls.Server.setSecureContext. Throws, without any change, if they are invalid. */
  replace(change: TlsChange) {
    const previous = this.#options;
    const previousAuthorities = this.#authorities;
    this.#options = { ...previous, ...change };
    this.#authorities = this.#currentAuthorities();
    try {
      createSecureContext(this.secureContext());
      this.#named = this.#contexts();
    } catch (error) {
      this.#options = previous;
      this.#authorities = previousAuthorities;
      throw error;
    }
    const isSame = this.#authorities.join() === previousAuthorities.join();
    if (!isSame) this.generation++;
    // A resumed session keeps the verdict of its first handshake: new keys end old sessions.
    return { ...this.secureContext(), ...(!isSame && { ticketKeys: Buffer.from(this.#random.bytes(48)) }) };
  }

  /** Whether a trusted authority signed the client's certificate, also after a change of the authorities. */
  trusts(socket: TLSSocket, nowMs: number): boolean {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate || !isValidAt(certificate, nowMs)) return false;
    if (socket.authorized && this.generation === 0) return true;
    const authorities = this.#authorities
      .map((pem) => new X509Certificate(pem))
      .filter((authority) => isValidAt(authority, nowMs));
    if (socket.authorized) return isSignedByAny(certificate, authorities);
    // OpenSSL tries one of several authorities of the same name, and only those of the handshake.
    return (
      isForClients(certificate) && authorities.some((authority) => authority.ca && hasSigned(authority, certificate))
    );
  }

  #currentAuthorities(): readonly string[] {
    return [this.#options.clientCa ?? [], this.#frontProxyCa() ?? []].flat().flatMap(certificatesIn);
  }

  #secured({ cert, key }: Pick<TlsOptions, 'cert' | 'key'>) {
    // Without one of them, OpenSSL makes a context that no client can use.
    if (!cert || !key) throw new Error('a certificate and its key must be given');
    const { minVersion, ciphers } = this.#options;
    return { cert, key, ...(minVersion && { minVersion }), ...(ciphers && { ciphers }), ca: [...this.#authorities] };
  }

  /** The first certificate of a name counts; given names go before those in certificates. */
  #contexts(): ReadonlyMap<string, SecureContext> {
    const contexts = new Map<string, SecureContext>();
    const { named = [] } = this.#options;
    const inOrder = [...named.filter(({ names }) => names), ...named.filter(({ names }) => !names)];
    for (const entry of inOrder) {
      const context = createSecureContext(this.#secured(entry));
      for (const name of entry.names ?? namesIn(entry.cert))
        if (!contexts.has(name.toLowerCase())) contexts.set(name.toLowerCase(), context);
    }
    return contexts;
  }
}

const hostName = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/i;
const address = /^[\d.]+$|:/;

/** Its common name, if that is a host's, and its alternative names. Addresses are no names in TLS. */
function namesIn(pem: string): string[] {
  const { subject, subjectAltName = '' } = new X509Certificate(pem);
  const commonName = /^CN=(.*)$/m.exec(subject)?.[1] ?? '';
  const names = subjectAltName.split(', ').filter((entry) => entry.startsWith('DNS:'));
  return [
    ...((hostName.test(commonName) || commonName === '*') && !address.test(commonName) ? [commonName] : []),
    ...names.map((entry) => entry.slice('DNS:'.length)),
  ];
}

const isValidAt = ({ validFrom, validTo }: X509Certificate, nowMs: number): boolean =>
  Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);

/** RFC 5280, section 4.2.1.12: any purpose, and the authentication of clients. */
const clientPurposes = ['2.5.29.37.0', '1.3.6.1.5.5.7.3.2'];

const isForClients = ({ keyUsage }: X509Certificate): boolean =>
  (keyUsage as readonly string[] | undefined)?.some((purpose) => clientPurposes.includes(purpose)) ?? true;

/** Follows the certificates that the client sent up to an authority. */
function isSignedByAny(presented: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  const seen = new Set<string>();
  let current: X509Certificate | undefined = presented;
  while (current && !seen.has(current.fingerprint256)) {
    const certificate: X509Certificate = current;
    seen.add(certificate.fingerprint256);
    if (authorities.some((authority) => hasSigned(authority, certificate))) return true;
    const next: X509Certificate | undefined = certificate.issuerCertificate;
    current = next?.ca && hasSigned(next, certificate) ? next : undefined;
  }
  return false;
}

const hasSigned = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

/** The certificates of a bundle, each in PEM. */
const certificatesIn = (bundle: string): string[] =>
  bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];

/** `bundle`: one CA or several, in PEM. */
export function isIssuedBy(certificate: Buffer, bundle: string): boolean {
  const issued = new X509Certificate(certificate);
  return certificatesIn(bundle).some((pem) => hasSigned(new X509Certificate(pem), issued));
}
