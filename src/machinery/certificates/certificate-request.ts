// Requests for certificates: PKCS #10 (RFC 2986).

import { formatIp } from '../ip.ts';
import { binaryText } from '../text/base64.ts';
import {
  bitString,
  childrenOf,
  DerError,
  type DerValue,
  objectIdentifier,
  readAll,
  readOne,
  tags,
  text,
} from './der.ts';
import { decodePem } from './pem.ts';

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Every attribute of the subject, as object identifier and text, in its order. */
  readonly subject: readonly SubjectAttribute[];
  readonly dnsNames: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** Object identifier of the public key's algorithm. */
  readonly keyAlgorithm: string;
  /** The signed bytes. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** Object identifier of the signature's algorithm. */
  readonly signatureAlgorithm: string;
}

const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  extensionRequest: '1.2.840.113549.1.9.14',
  subjectAlternativeName: '2.5.29.17',
} as const;

/** Reads the first PEM block of `pem`; text before it is fine. Throws DerError with Go's words. */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const block = decodePem(pem);
  if (block?.type !== 'CERTIFICATE REQUEST') throw new DerError('PEM block type must be CERTIFICATE REQUEST');
  const [info, algorithm, signature, ...more] = childrenOf(readOne(block.bytes));
  if (!info || !algorithm || !signature || more.length) throw new DerError('asn1: structure error: sequence truncated');
  const [version, subject, publicKey, ...attributes] = childrenOf(info);
  if (version?.tag !== tags.integer || !subject || !publicKey)
    throw new DerError('asn1: structure error: sequence truncated');
  const names = subjectOf(subject);
  const valuesOf = (type: string) => names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    commonName: valuesOf(oids.commonName).at(-1) ?? '',
    organizations: valuesOf(oids.organization),
    subject: names,
    ...alternativeNames(attributes),
    publicKey: publicKey.whole,
    keyAlgorithm: objectIdentifier(childrenOf(childrenOf(publicKey)[0])[0]),
    signed: info.whole,
    signature: bitString(signature),
    signatureAlgorithm: objectIdentifier(childrenOf(algorithm)[0]),
  };
}

/** Skips attributes whose value is not a text, as Go does. */
function subjectOf(subject: DerValue | undefined): SubjectAttribute[] {
  return childrenOf(subject).flatMap((relative) =>
    childrenOf(relative, tags.set).flatMap((attribute) => {
      const [type, value] = childrenOf(attribute);
      if (!type || !value) throw new DerError('x509: invalid RDNSequence: invalid attribute');
      const read = text(value);
      return read === undefined ? [] : [{ type: objectIdentifier(type), value: read }];
    }),
  );
}

type Names = Pick<CertificateRequest, 'dnsNames' | 'emailAddresses' | 'ipAddresses' | 'uris'>;

function alternativeNames(attributes: readonly DerValue[]): Names {
  const found = {
    dnsNames: [] as string[],
    emailAddresses: [] as string[],
    ipAddresses: [] as string[],
    uris: [] as string[],
  };
  for (const extension of requestedExtensions(attributes)) {
    const parts = childrenOf(extension);
    if (!parts.length || objectIdentifier(parts[0]) !== oids.subjectAlternativeName) continue;
    const value = parts.at(-1) as DerValue; // behind the optional `critical`
    if (value.tag !== tags.octetString) throw new DerError('x509: invalid extension value field');
    for (const name of childrenOf(readOne(value.content))) addName(found, name);
  }
  return found;
}

function addName(found: Record<keyof Names, string[]>, { tag, content }: DerValue): void {
  if (tag === 0x81) found.emailAddresses.push(ia5(content, 'email address'));
  else if (tag === 0x82) found.dnsNames.push(ia5(content, 'DNS name'));
  else if (tag === 0x86) found.uris.push(ia5(content, 'URI'));
  else if (tag === 0x87) {
    if (content.length !== 4 && content.length !== 16)
      throw new DerError(`x509: cannot parse IP address of length ${content.length}`);
    found.ipAddresses.push(addressOf(content));
  }
}

function addressOf(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  return formatIp({ family: bytes.length === 4 ? 4 : 6, value });
}

function ia5(bytes: Uint8Array, label: string): string {
  if (bytes.some((byte) => byte > 0x7f)) throw new DerError(`x509: SAN ${label} is malformed`);
  return binaryText(bytes);
}

function requestedExtensions(attributes: readonly DerValue[]): DerValue[] {
  return attributes
    .filter(({ tag }) => tag === 0xa0)
    .flatMap(({ content }) => readAll(content))
    .flatMap((attribute) => {
      const [type, values] = childrenOf(attribute);
      if (!type || objectIdentifier(type) !== oids.extensionRequest) return [];
      const [extensions] = childrenOf(values, tags.set);
      return extensions ? childrenOf(extensions) : [];
    });
}

/** When the first certificate of `pem` ends, milliseconds since the epoch; undefined when that cannot be read. */
export function certificateEnd(pem: string): number | undefined {
  const block = decodePem(pem);
  if (block?.type !== 'CERTIFICATE') return undefined;
  try {
    return endOfCertificate(block.bytes);
  } catch {
    return undefined;
  }
}

/** The same of a certificate's DER. Throws DerError. */
export function endOfCertificate(der: Uint8Array): number | undefined {
  const fields = childrenOf(childrenOf(readOne(der))[0]);
  const [, end] = childrenOf(fields[fields[0].tag === 0xa0 ? 4 : 3]); // behind the version, which may be left out
  return end && timeOf(end);
}

interface SubjectAttribute {
  /** Object identifier. */
  readonly type: string;
  readonly value: string;
}

/** The subject of a certificate (DER). Throws DerError. */
export function certificateSubject(der: Uint8Array): readonly SubjectAttribute[] {
  const fields = childrenOf(childrenOf(readOne(der))[0]);
  return subjectOf(fields[fields[0].tag === 0xa0 ? 5 : 4]);
}

/** UTCTime has two digits of the year (RFC 5280, section 4.1.2.5.1), GeneralizedTime four. */
function timeOf({ tag, content }: DerValue): number | undefined {
  const digits = binaryText(content);
  const full = tag === 0x17 ? `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}` : digits;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
