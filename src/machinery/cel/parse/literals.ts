// Literals and the escapes in them. https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values

import { shortInteger } from '../../text/digits.ts';
import { Uint, type Value } from '../values.ts';
import type { Token } from './lexer.ts';

const mostInt = 2n ** 63n - 1n;
const mostUint = 2n ** 64n - 1n;

export function literalOf({ type, text }: Token, negative: boolean): { value: Value } | { fault: string } {
  switch (type) {
    case "'true'":
      return { value: true };
    case "'false'":
      return { value: false };
    case "'null'":
      return { value: null };
    case 'NUM_INT': {
      const size = numberOf(text);
      const value = negative ? -size : size;
      return value > mostInt || value < -mostInt - 1n ? { fault: 'invalid int literal' } : { value };
    }
    case 'NUM_UINT': {
      const value = numberOf(text.slice(0, -1));
      return value > mostUint ? { fault: 'invalid uint literal' } : { value: new Uint(value) };
    }
    case 'NUM_FLOAT': {
      const value = negative ? -Number(text) : Number(text);
      return Number.isFinite(value) ? { value } : { fault: 'invalid double literal' };
    }
    case 'STRING':
      return unquote(text, false);
    default:
      return unquote(text.slice(1), true);
  }
}

/** Beyond 64 bits, any number that is too large. */
function numberOf(text: string): bigint {
  if (!text.startsWith('0x')) return shortInteger(text) ?? mostUint + 1n;
  const digits = text.slice(2).replace(/^0+(?=.)/, '');
  return digits.length > 16 ? mostUint + 1n : BigInt(`0x${digits}`);
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unquote(token: string, bytes: boolean): { value: Value } | { fault: string } {
  const raw = /^[rR]/.test(token);
  const quoted = raw ? token.slice(1) : token;
  const width = quoted.length >= 6 && (quoted.startsWith("'''") || quoted.startsWith('"""')) ? 3 : 1;
  const body = quoted.slice(width, -width).replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  const encoder = new TextEncoder();
  if (raw || !body.includes('\\')) return { value: bytes ? encoder.encode(body) : body };
  const parts: (string | number)[] = [];
  const pattern = /\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))|[^\\]+/g;
  for (const [all, hex, short, long, octal, single] of body.matchAll(pattern)) {
    if (single !== undefined) parts.push(simpleEscapes[single] ?? single);
    else if (!all.startsWith('\\')) parts.push(all);
    else {
      if (bytes && (short ?? long) !== undefined) return { fault: 'unable to unescape string' };
      const code =
        octal === undefined ? Number.parseInt((hex ?? short ?? long) as string, 16) : Number.parseInt(octal, 8);
      if (!bytes && (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)))
        return { fault: 'invalid unicode code point' };
      parts.push(bytes ? code : String.fromCodePoint(code));
    }
  }
  if (!bytes) return { value: parts.join('') };
  return {
    value: Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...encoder.encode(part)] : part))),
  };
}
