// The text form of certificates, keys and requests (RFC 7468), read as leniently as Go's encoding/pem reads it.

import { toBase64 } from '../text/base64.ts';

interface PemBlock {
  /** Such as CERTIFICATE. */
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** The text behind the block. */
  readonly rest: string;
}

const begin = '-----BEGIN ';
const dashes = '-----';

/** Each try may scan the whole text. */
const mostTries = 32;

/** The first block of the text; leading text and the first few unreadable blocks are skipped. */
export function decodePem(text: string): PemBlock | undefined {
  let at = startOfBlock(text, 0);
  for (let tries = 0; at >= 0 && tries < mostTries; tries++) {
    const block = blockAt(text, at);
    if (block) return block;
    at = startOfBlock(text, at + begin.length);
  }
  return undefined;
}

/** Every block of the text, in its order. */
export function* decodePemAll(text: string): Generator<PemBlock> {
  for (let block = decodePem(text); block; block = decodePem(block.rest)) yield block;
}

export function encodePem(type: string, bytes: Uint8Array): string {
  const lines = toBase64(bytes).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ''].join('\n');
}

/** A block begins at the beginning of a line. */
function startOfBlock(text: string, from: number): number {
  if (from === 0 && text.startsWith(begin)) return 0;
  const found = text.indexOf(`\n${begin}`, Math.max(0, from - 1));
  return found < 0 ? -1 : found + 1;
}

function blockAt(text: string, start: number): PemBlock | undefined {
  const endOfLine = text.indexOf('\n', start);
  if (endOfLine < 0) return undefined;
  const line = text.slice(start, endOfLine).trimEnd();
  if (!line.endsWith(dashes) || line.length < begin.length + dashes.length) return undefined;
  const type = line.slice(begin.length, -dashes.length);
  const { headers, body } = headersAt(text, endOfLine + 1);
  const closing = `-----END ${type}${dashes}`;
  const end = text.startsWith(closing, body) ? body : text.indexOf(`\n${closing}`, body - 1);
  if (end < 0) return undefined;
  const behind = text.indexOf(closing, end) + closing.length;
  const lineBreak = text.indexOf('\n', behind);
  const tail = lineBreak < 0 ? text.slice(behind) : text.slice(behind, lineBreak);
  const bytes = tail.trim() === '' ? fromBase64(text.slice(body, Math.max(body, end))) : undefined;
  return bytes && { type, headers, bytes, rest: lineBreak < 0 ? '' : text.slice(lineBreak + 1) };
}

/** Header lines (with a colon) precede the data. */
function headersAt(text: string, start: number): { headers: Record<string, string>; body: number } {
  const headers: Record<string, string> = {};
  let body = start;
  for (;;) {
    const end = text.indexOf('\n', body);
    const line = end < 0 ? '' : text.slice(body, end);
    const colon = line.indexOf(':');
    if (colon < 0) return { headers, body };
    headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
    body = end + 1;
  }
}

function fromBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/[ \t\r\n]/g, '');
  if (compact.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  return Uint8Array.from(atob(compact), (character) => character.charCodeAt(0));
}
