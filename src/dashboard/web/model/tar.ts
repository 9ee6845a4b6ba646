// Archives that `tar` in a container reads and writes. The content of a container is hostile: names that lead outside of
// the place where the archive is unpacked are refused, and so are links and devices.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06

export interface TarFile {
  /** Relative, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly modified: number;
}

export interface Archive {
  readonly files: readonly TarFile[];
  /** Entries that are left out, with the reason. */
  readonly refused: readonly { readonly name: string; readonly why: Refusal }[];
}

type Refusal = 'outside' | 'link' | 'special';

const block = 512;
const mostEntries = 50_000;
/** Of a long name, and of the attributes of one entry. */
const mostExtended = 64 << 10;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Throws for bytes that are no archive, and for one that ends early. */
export function readTar(bytes: Uint8Array<ArrayBuffer>): Archive {
  const files = new Map<string, TarFile>();
  const refused: { name: string; why: Refusal }[] = [];
  let longName = '';
  let entries = 0;
  for (let at = 0; at + block <= bytes.length; ) {
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) return { files: [...files.values()], refused };
    checkSum(header);
    if (++entries > mostEntries) throw new Error(`the archive has more than ${mostEntries} entries`);
    const size = numberIn(header, 124, 12);
    const content = bytes.subarray(at + block, at + block + size);
    if (content.length < size) throw new Error('the archive ends within a file');
    at += block + Math.ceil(size / block) * block;
    const type = String.fromCharCode(header[156] || 48);
    if ('LxgK'.includes(type)) {
      if (size > mostExtended) throw new Error('an entry of the archive has a name that is too long');
      if (type === 'L') longName = textOf(content);
      if (type === 'x') longName = pathIn(content) || longName;
      continue;
    }
    const name = longName || nameOf(header);
    longName = '';
    const safe = safeName(name);
    if (type === '5') continue;
    const why = safe === undefined ? 'outside' : refusalOf(type);
    if (why || safe === undefined) refused.push({ name, why: why ?? 'outside' });
    else
      files.set(safe, {
        name: safe,
        bytes: content,
        mode: numberIn(header, 100, 8) & 0o777,
        modified: numberIn(header, 136, 12),
      });
  }
  throw new Error('the archive ends early');
}

function refusalOf(type: string): Refusal | undefined {
  if (type === '0' || type === '7') return undefined;
  return type === '1' || type === '2' ? 'link' : 'special';
}

/** Undefined: the name is absolute, leads upwards, or has characters that a file's name cannot have everywhere. */
export function safeName(name: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
  if (name.startsWith('/') || /[\\\x00-\x1f\x7f]/.test(name) || /^[A-Za-z]:/.test(name)) return undefined;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length > 0 && !parts.includes('..') ? parts.join('/') : undefined;
}

/** The checksum counts its own field as spaces. */
function checkSum(header: Uint8Array): void {
  let sum = 0;
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  if (numberIn(header, 148, 8) !== sum) throw new Error('this is no tar archive');
}

const textOf = (bytes: Uint8Array): string => decoder.decode(bytes).replace(/\0.*$/s, '');

function nameOf(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const prefix = textOf(header.subarray(257, 262)) === 'ustar' ? textOf(header.subarray(345, 500)) : '';
  return prefix ? `${prefix}/${name}` : name;
}

/** Octal text, or GNU's binary form for large numbers. */
function numberIn(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if ((field[0] & 0x80) === 0) {
    const text = textOf(field).trim();
    if (text !== '' && !/^[0-7]+$/.test(text)) throw new Error('this is no tar archive');
    return text === '' ? 0 : Number.parseInt(text, 8);
  }
  const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (!Number.isSafeInteger(value)) throw new Error('a number in the archive is too large');
  return value;
}

/** The path in records of the form `LENGTH KEY=VALUE\n`. */
function pathIn(content: Uint8Array): string {
  let path = '';
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at);
    const length = Number(decoder.decode(content.subarray(at, space)));
    if (space < 0 || !(length > space - at) || at + length > content.length) return path;
    const [key, value = ''] = splitAt(decoder.decode(content.subarray(space + 1, at + length - 1)), '=');
    if (key === 'path') path = value;
    at += length;
  }
  return path;
}

function splitAt(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** An archive of files, in pieces. Long names are written as extended headers. */
export function writeTar(files: readonly TarFile[]): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const add = (name: string, type: string, { bytes, mode, modified }: Omit<TarFile, 'name'>) => {
    pieces.push(headerOf(name, type, { size: bytes.length, mode, modified }), bytes);
    const rest = bytes.length % block;
    if (rest > 0) pieces.push(new Uint8Array(block - rest));
  };
  for (const { name, ...file } of files) {
    const isLong = encoder.encode(name).length > 100;
    if (isLong) add('@PaxHeader', 'x', { bytes: record('path', name), mode: 0o644, modified: 0 });
    add(name, '0', file);
  }
  pieces.push(new Uint8Array(2 * block));
  return pieces;
}

function headerOf(
  name: string,
  type: string,
  { size, mode, modified }: { size: number; mode: number; modified: number },
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(block);
  const put = (text: string, at: number) => header.set(encoder.encode(text), at);
  const octal = (value: number, digits: number) => `${Math.floor(value).toString(8).padStart(digits, '0')}\0`;
  header.set(encoder.encode(name).subarray(0, 100), 0);
  put(octal(mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(Math.max(0, modified), 11), 136);
  put('        ', 148);
  put(type, 156);
  put('ustar\x0000', 257);
  put(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  );
  return header;
}

/** Its length counts itself. */
function record(key: string, value: string): Uint8Array<ArrayBuffer> {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return encoder.encode(`${length} ${key}=${value}\n`);
}
