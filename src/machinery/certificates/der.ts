// Distinguished encoding rules (X.690): a reader for certificates and requests. Lengths are checked before reading, and
// nothing is copied.

import { binaryText } from '../text/base64.ts';

export class DerError extends Error {
  override readonly name = 'DerError';
}

export interface DerValue {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier, length and content. */
  readonly whole: Uint8Array;
}

export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

const truncated = () => new DerError('asn1: syntax error: data truncated');

/** The consecutive values in `bytes`. Throws DerError. */
export function readAll(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = readAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/** The only value in `bytes`. Throws DerError, also for trailing bytes. */
export function readOne(bytes: Uint8Array): DerValue {
  const value = readAt(bytes, 0);
  if (value.whole.length < bytes.length) throw new DerError('asn1: syntax error: trailing data');
  return value;
}

/** The values inside a constructed value. Throws DerError when it is of another sort. */
export function childrenOf(value: DerValue | undefined, tag: number = tags.sequence): DerValue[] {
  if (!value || value.tag !== tag) throw new DerError("asn1: structure error: tags don't match");
  return readAll(value.content);
}

function readAt(bytes: Uint8Array, start: number): DerValue {
  if (start + 2 > bytes.length) throw truncated();
  const tag = bytes[start];
  if ((tag & 0x1f) === 0x1f) throw new DerError('asn1: syntax error: high tag numbers are not supported');
  const { length, begin } = lengthAt(bytes, start + 1);
  if (begin + length > bytes.length) throw truncated();
  return { tag, content: bytes.subarray(begin, begin + length), whole: bytes.subarray(start, begin + length) };
}

function lengthAt(bytes: Uint8Array, at: number): { length: number; begin: number } {
  const first = bytes[at];
  if (first < 0x80) return { length: first, begin: at + 1 };
  const count = first & 0x7f;
  if (count === 0) throw new DerError('asn1: syntax error: indefinite length found (not DER)');
  if (count > 4) throw new DerError('asn1: structure error: length too large');
  if (at + 1 + count > bytes.length) throw truncated();
  let length = 0;
  for (let i = 1; i <= count; i++) length = length * 256 + bytes[at + i];
  if (length < 0x80 || bytes[at + 1] === 0) throw new DerError('asn1: structure error: non-minimal length');
  return { length, begin: at + 1 + count };
}

/** Such as 2.5.4.3. */
export function objectIdentifier({ tag, content }: DerValue): string {
  if (tag !== tags.objectIdentifier || !content.length)
    throw new DerError('asn1: structure error: not an object identifier');
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER / 128) throw new DerError('asn1: structure error: base 128 integer too large');
    if (byte & 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [head, ...tail] = numbers;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...tail].join('.');
}

/** The bytes of a bit string of whole octets. */
export function bitString({ tag, content }: DerValue): Uint8Array {
  if (tag !== tags.bitString || !content.length || content[0] !== 0)
    throw new DerError('asn1: structure error: not a bit string of whole octets');
  return content.subarray(1);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Text of any of the string types that names use; undefined for another type. Throws DerError for malformed text. */
export function text({ tag, content }: DerValue): string | undefined {
  switch (tag) {
    case 0x0c: // UTF8String
      try {
        return utf8.decode(content);
      } catch {
        throw new DerError('x509: invalid UTF-8 string');
      }
    case 0x12: // NumericString
    case 0x13: // PrintableString
    case 0x14: // T61String
    case 0x16: // IA5String
      return binaryText(content);
    case 0x1e: // BMPString
      return utf16(content);
    default:
      return undefined;
  }
}

function utf16(bytes: Uint8Array): string {
  if (bytes.length % 2) throw new DerError('x509: invalid BMPString');
  let out = '';
  for (let i = 0; i < bytes.length; i += 2) out += String.fromCharCode(bytes[i] * 256 + bytes[i + 1]);
  return out;
}
