// URLs as Go's net/url reads them, with its error messages.

import { goQuote } from '../format.ts';

export interface ParsedUrl {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

class NotAUrl {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const refuse = (message: string): never => {
  throw new NotAUrl(message);
};

/** As the target of a request: absolute, or a path from the root. Gives why not as a text. */
export function parseRequestUrl(text: string): ParsedUrl | string {
  try {
    read(text, true);
    return read(text.split('#', 1)[0] as string, false);
  } catch (error) {
    if (!(error instanceof NotAUrl)) throw error;
    return `parse ${goQuote(text)}: ${error.message}`;
  }
}

function read(text: string, request: boolean): ParsedUrl {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the check rejects control characters
  if (/[\x00-\x1f\x7f]/.test(text)) refuse('net/url: invalid control character in URL');
  if (!text && request) refuse('empty url');
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' };
  const { scheme, rest: afterScheme } = splitScheme(text);
  const mark = afterScheme.indexOf('?');
  const rest = mark < 0 ? afterScheme : afterScheme.slice(0, mark);
  const query = mark < 0 ? '' : afterScheme.slice(mark + 1);
  if (!rest.startsWith('/')) {
    if (scheme) return { scheme, host: '', path: '', query };
    if (request) refuse('invalid URI for request');
    if ((rest.split('/', 1)[0] as string).includes(':')) refuse('first path segment in URL cannot contain colon');
  }
  let host = '';
  let path = rest;
  if ((scheme || (!request && !rest.startsWith('///'))) && rest.startsWith('//')) {
    const slash = rest.indexOf('/', 2);
    host = readAuthority(slash < 0 ? rest.slice(2) : rest.slice(2, slash));
    path = slash < 0 ? '' : rest.slice(slash);
  }
  const sequence = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(path)?.[0];
  if (sequence) refuse(`invalid URL sequence ${goQuote(sequence)}`);
  return { scheme, host, path, query };
}

function splitScheme(text: string): { scheme: string; rest: string } {
  if (text.startsWith(':')) refuse('missing protocol scheme');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1];
  return scheme ? { scheme: scheme.toLowerCase(), rest: text.slice(scheme.length + 1) } : { scheme: '', rest: text };
}

function readAuthority(authority: string): string {
  const sign = authority.lastIndexOf('@');
  const host = readHost(authority.slice(sign + 1));
  if (sign >= 0 && !/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(authority.slice(0, sign)))
    refuse('net/url: invalid userinfo');
  const sequence = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(authority.slice(0, Math.max(sign, 0)))?.[0];
  return sequence ? refuse(`invalid URL sequence ${goQuote(sequence)}`) : host;
}

const validPort = (text: string): boolean => text === '' || /^:\d*$/.test(text);

function readHost(host: string): string {
  const bracketed = host.startsWith('[');
  const end = host.lastIndexOf(']');
  if (bracketed && end < 0) refuse("missing ']' in host");
  const colon = host.lastIndexOf(':');
  const port = bracketed ? host.slice(end + 1) : colon < 0 ? '' : host.slice(colon);
  if (!validPort(port)) refuse(`invalid port ${goQuote(port)} after host`);
  let out = '';
  for (let at = 0; at < host.length; at++) {
    const character = host[at] as string;
    if (character === '%') {
      const sequence = host.slice(at, at + 3);
      if (
        !/^%[0-9a-fA-F]{2}$/.test(sequence) ||
        ((sequence[1] as string) < '8' && /\d/.test(sequence[1] as string) && sequence !== '%25')
      )
        refuse(`invalid URL sequence ${goQuote(sequence)}`);
      out += sequence === '%25' ? '%' : sequence;
      at += 2;
    } else {
      if (character < '\x80' && !/[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/.test(character))
        refuse(`invalid character ${goQuote(character)} in host name`);
      out += character;
    }
  }
  return out;
}

/** The host without its port, and the port. */
export function splitPort(host: string): { name: string; port: string } {
  const colon = host.lastIndexOf(':');
  const hasPort = colon >= 0 && validPort(host.slice(colon));
  const name = hasPort ? host.slice(0, colon) : host;
  const port = hasPort ? host.slice(colon + 1) : '';
  return { name: name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name, port };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The original path if it was escaped correctly, otherwise the path escaped again. */
export function escapedPath(path: string): string {
  if (/^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/.test(path)) return path;
  const bytes = unescapeBytes(path, false);
  return [...bytes]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9\-_.~$&+,/:;=@]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function unescapeBytes(text: string, plusIsSpace: boolean): Uint8Array {
  const bytes = encoder.encode(plusIsSpace ? text.replaceAll('+', ' ') : text);
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== 0x25) out.push(byte);
    else {
      out.push(Number.parseInt(String.fromCharCode(bytes[at + 1] as number, bytes[at + 2] as number), 16));
      at += 2;
    }
  }
  return Uint8Array.from(out);
}

/** Values by key; parts that cannot be read are left out. */
export function parseQuery(query: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const part of query.split('&')) {
    if (!part || part.includes(';') || /%(?![0-9a-fA-F]{2})/.test(part)) continue;
    const equals = part.indexOf('=');
    const [key, value] = (equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]).map((text) =>
      decoder.decode(unescapeBytes(text, true)),
    ) as [string, string];
    const values = found.get(key);
    if (values) values.push(value);
    else found.set(key, [value]);
  }
  return found;
}
