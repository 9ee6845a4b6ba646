// JSON text, decoded as Kubernetes does: duplicate fields are found, integers have 64 bits, nesting is bounded, and
// syntax errors have Go's messages.

import { must } from '../must.ts';
import type { Fields } from '../parsed.ts';
import { isTooDeepAt, tooDeep } from './depth.ts';
import { parseWithIntegers } from './exact-json.ts';

/** The text is no JSON; `message` is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

export interface ParsedJson {
  readonly value: unknown;
  /** Paths of fields that stood twice in one object, such as `spec.replicas`; the last value counts. */
  readonly duplicates: readonly string[];
  /** Offsets of the fields in the text, by path; a duplicate has the offset of its repetition. */
  readonly places?: ReadonlyMap<string, number>;
}

/** Throws JsonSyntaxError. */
export function parseJson(text: string): ParsedJson {
  // Much nesting costs the parser much memory: a large text is looked at before it is parsed.
  const before = text.length > largeText ? shapeOf(text) : undefined;
  if (before && isTooDeepAt(before.depth)) throw new JsonSyntaxError(tooDeep);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonSyntaxError(new Scanner(text).fault());
  }
  const { colons, depth, unsafe } = before ?? shapeOf(text);
  if (isTooDeepAt(depth)) throw new JsonSyntaxError(tooDeep);
  // The parser drops duplicates silently: as many fields as colons means that there are none.
  const exact = unsafe ? parseWithIntegers(text) : value;
  if (countFields(value) === colons) return { value: exact, duplicates: [] };
  const scanner = new Scanner(text);
  scanner.fault();
  return { value: exact, duplicates: scanner.duplicates, places: scanner.places };
}

function countFields(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) for (const item of value) count += countFields(item);
  else {
    const fields = value as Fields;
    for (const key in fields) count += 1 + countFields(fields[key]);
  }
  return count;
}

const largeText = 100_000;

interface Shape {
  /** The number of fields in the text. */
  readonly colons: number;
  readonly depth: number;
  /** Whether it may have an integer beyond 2^53: one of sixteen digits. */
  readonly unsafe: boolean;
}

/** Scans a text once; the result is also defined for invalid JSON. */
function shapeOf(text: string): Shape {
  let colons = 0;
  let depth = 0;
  let level = 0;
  let unsafe = false;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 48 && code <= 57) {
      if (++digits === 16) unsafe = true;
      continue;
    }
    digits = 0;
    if (code === 58) colons++;
    else if (code === 34) i = endOfString(text, i);
    else if (code === 123 || code === 91) {
      if (++level > depth) depth = level;
      if (isTooDeepAt(depth)) break;
    } else if (code === 125 || code === 93) level--;
  }
  return { colons, depth, unsafe };
}

/** The position of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text.charCodeAt(i) !== 34) i += text.charCodeAt(i) === 92 ? 2 : 1;
  return i;
}

/** Kubernetes reports at most a hundred. */
const mostDuplicates = 100;

/** Limits on fields and path lengths for the recorded offsets. */
const mostPlaces = 100_000;
const longestPath = 1_000;

/** Walks the text once, only when something is wrong with it. */
class Scanner {
  readonly duplicates: string[] = [];
  readonly places = new Map<string, number>();
  readonly #told = new Set<string>();
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Go's description of the first fault, empty when there is none. */
  fault(): string {
    try {
      this.#value('');
      this.#space();
      if (this.#at < this.#text.length) this.#fail('after top-level value');
      return '';
    } catch (error) {
      if (error instanceof JsonSyntaxError) return error.message;
      throw error;
    }
  }

  #fail(where: string): never {
    if (this.#at >= this.#text.length) throw new JsonSyntaxError('unexpected end of JSON input');
    const character = String.fromCodePoint(must(this.#text.codePointAt(this.#at), 'character'));
    const quoted =
      character === "'" ? `'\\''` : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`;
    throw new JsonSyntaxError(`invalid character ${quoted} ${where}`);
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #value(path: string): void {
    this.#space();
    const character = this.#text[this.#at];
    if (character === '{' || character === '[') {
      if (isTooDeepAt(++this.#depth)) throw new JsonSyntaxError(tooDeep);
      if (character === '{') this.#object(path);
      else this.#array(path);
      this.#depth--;
    } else if (character === '"') this.#string();
    else if (character !== undefined && /[-0-9]/.test(character)) this.#number();
    else if (character === 't') this.#literal('true');
    else if (character === 'f') this.#literal('false');
    else if (character === 'n') this.#literal('null');
    else this.#fail('looking for beginning of value');
  }

  #object(path: string): void {
    const seen = new Set<string>();
    const repeated = new Set<string>();
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return;
    }
    while (true) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string');
      const key = this.#string();
      const inner = path ? `${path}.${key}` : key;
      if (seen.has(key)) {
        if (!repeated.has(key)) this.#duplicate(inner);
        repeated.add(key);
      } else if (inner.length <= longestPath && this.places.size < mostPlaces) this.places.set(inner, this.#at);
      seen.add(key);
      this.#space();
      if (this.#text[this.#at] !== ':') this.#fail('after object key');
      this.#at++;
      this.#value(inner);
      this.#space();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== '}') this.#fail('after object key:value pair');
      this.#at++;
      if (next === '}') return;
    }
  }

  #duplicate(path: string): void {
    if (this.duplicates.length >= mostDuplicates) return;
    // Looking up a long path takes as long as copying it.
    if (path.length <= longestPath) {
      if (this.#told.has(path)) return;
      this.#told.add(path);
      this.places.set(path, this.#at);
    }
    this.duplicates.push(path);
  }

  #array(path: string): void {
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return;
    }
    for (let index = 0; ; index++) {
      this.#value(`${path}[${index}]`);
      this.#space();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== ']') this.#fail('after array element');
      this.#at++;
      if (next === ']') return;
    }
  }

  #string(): string {
    const start = this.#at++;
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length || this.#text.charCodeAt(this.#at) < 0x20) this.#fail('in string literal');
      if (this.#text[this.#at] === '\\') {
        this.#at++;
        if (!/["\\/bfnrtu]/.test(this.#text[this.#at] ?? '')) this.#fail('in string escape code');
      }
      this.#at++;
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #number(): void {
    const match = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text);
    if (!found) {
      this.#at++;
      this.#fail('in numeric literal');
    }
    this.#at += found[0].length;
  }

  #literal(word: string): void {
    for (const [index, letter] of [...word].entries()) {
      if (this.#text[this.#at] !== letter) this.#fail(`in literal ${word} (expecting '${word[index]}')`);
      this.#at++;
    }
  }
}
