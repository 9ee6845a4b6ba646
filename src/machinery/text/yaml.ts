// YAML as Kubernetes decodes it: go-yaml's types (YAML 1.1), the first document, and bounds on expanded aliases.
// The text becomes flat events first; objects are built from them here, so that the bounds always apply.

import {
  type AliasEvent,
  EVENT_ID,
  type Event,
  getScalarValue,
  type MappingEvent,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  type SequenceEvent,
  YAMLException,
} from 'js-yaml';
import { setOwn } from '../collections/own.ts';
import { type Fields, isFields } from '../parsed.ts';
import { mostNested, shallow } from './depth.ts';
import { exact } from './exact-json.ts';

/** The text is not YAML; go-yaml defines `message`, with a line if available. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

interface ParsedYaml {
  /** undefined for an empty text. */
  readonly value: unknown;
  /** Duplicate keys of one map, in go-yaml's wording; the last value counts. */
  readonly duplicates: readonly string[];
}

/** Throws YamlError. */
export function parseYaml(source: string): ParsedYaml {
  const text = firstDocument(source);
  const events = eventsOf(text, shallow);
  const builder = new Builder(text, events);
  const value = events.length > 0 ? builder.document() : undefined;
  return { value, duplicates: builder.duplicates };
}

/** A line of three dashes or dots ends a document in any context. */
function firstDocument(source: string): string {
  const start = /^(?:﻿)?(?:[ \t]*(?:#[^\n]*)?\n|%[^\n]*\n)*(?:---(?=\s|$))?/.exec(source)?.[0].length ?? 0;
  const end = /\n(?:---|\.\.\.)(?=\s|$)/g;
  end.lastIndex = start;
  const found = end.exec(source);
  return found ? source.slice(0, found.index + 1) : source;
}

/** go-yaml's messages for frequent errors; rare ones keep this parser's. */
const words: readonly (readonly [RegExp, string])[] = [
  [/^unexpected end of the stream within a flow collection/, 'did not find expected node content'],
  [/^missed comma/, "did not find expected ',' or ']'"],
  [/^tab characters/, 'found character that cannot start any token'],
  [/^can not read a block mapping entry/, "could not find expected ':'"],
  [/^bad indentation of a mapping entry/, 'mapping values are not allowed in this context'],
  [/^bad indentation of a sequence entry/, "did not find expected '-' indicator"],
  [/^(deficient indentation|expected the node content)/, 'did not find expected node content'],
  [/^unexpected end of the (stream|document) within a/, 'found unexpected end of stream'],
  [/^unknown escape/, 'found unknown escape character'],
  [/^end of the stream or a document/, 'did not find expected <document start>'],
];

function eventsOf(text: string, maxDepth: number): Event[] {
  try {
    return parseEvents(text, { maxDepth });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    if (maxDepth === shallow && isNesting(error)) return eventsOf(text, mostNested());
    throw syntaxError(error);
  }
}

const isNesting = ({ reason }: YAMLException): boolean => reason.startsWith('nesting exceeded');

function syntaxError(error: YAMLException): YamlError {
  const { reason, mark } = error;
  const why = isNesting(error)
    ? `exceeded max depth of ${mostNested()}`
    : (words.find(([pattern]) => pattern.test(reason))?.[1] ?? reason);
  return new YamlError(`yaml: line ${Math.max(1, mark?.line ?? 1)}: ${why}`);
}

/** Maximum size that aliases may add to a document, in nodes and characters: the content of the largest request. */
const mostExpandedNodes = 400_000;
const mostExpandedText = 3 << 20;

interface Anchored {
  readonly value: unknown;
  readonly nodes: number;
  readonly text: number;
}

class Builder {
  readonly duplicates: string[] = [];
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #anchors = new Map<string, Anchored>();
  readonly #open = new Set<string>();
  #at = 0;
  /** Nodes and characters so far, aliases expanded; and the number of nodes from aliases. */
  #nodes = 0;
  #size = 0;
  #aliased = 0;
  #line = { number: 1, at: 0 };

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  document(): unknown {
    this.#at = 1;
    return this.#events[1].type === EVENT_ID.POP ? undefined : this.#node();
  }

  #node(): unknown {
    const event = this.#events[this.#at++];
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event as AliasEvent).value;
    const { anchorStart, anchorEnd, tagStart } = event as ScalarEvent;
    this.#nodes++;
    if (anchorStart >= 0) return this.#anchored(event, this.#text.slice(anchorStart, anchorEnd));
    if (tagStart >= 0 && event.type !== EVENT_ID.SCALAR) this.#checkTag(event as MappingEvent | SequenceEvent);
    return this.#value(event);
  }

  #value(event: Event): unknown {
    if (event.type === EVENT_ID.MAPPING) return this.#map();
    return event.type === EVENT_ID.SEQUENCE ? this.#list() : this.#scalar(event as ScalarEvent);
  }

  #anchored(event: Event, anchor: string): unknown {
    const [nodes, size] = [this.#nodes - 1, this.#size];
    this.#open.add(anchor);
    const value = this.#value(event);
    this.#open.delete(anchor);
    this.#anchors.set(anchor, { value, nodes: this.#nodes - nodes, text: this.#size - size });
    return value;
  }

  #alias({ anchorStart, anchorEnd }: AliasEvent): Anchored {
    const name = this.#text.slice(anchorStart, anchorEnd);
    if (this.#open.has(name)) throw new YamlError(`yaml: anchor '${name}' value contains itself`);
    const anchored = this.#anchors.get(name);
    if (!anchored) throw new YamlError(`yaml: unknown anchor '${name}' referenced`);
    this.#nodes += anchored.nodes;
    this.#size += anchored.text;
    this.#aliased += anchored.nodes;
    if (this.#aliased > mostExpandedNodes || (this.#aliased > 100 && this.#size > mostExpandedText))
      throw new YamlError('yaml: document contains excessive aliasing');
    return anchored;
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    while (this.#events[this.#at].type !== EVENT_ID.POP) list.push(this.#node());
    this.#at++;
    return list;
  }

  #map(): Fields {
    const map: Fields = {};
    const own = new Set<string>();
    while (this.#events[this.#at].type !== EVENT_ID.POP) {
      const keyEvent = this.#events[this.#at] as ScalarEvent;
      if (this.#isMerge(keyEvent)) {
        this.#at++;
        this.#merge(map);
        continue;
      }
      const key = this.#key(this.#node());
      const value = this.#node();
      if (own.has(key)) this.#duplicate(keyEvent, key);
      own.add(key);
      setOwn(map, key, value);
    }
    this.#at++;
    return map;
  }

  #isMerge(event: Event): boolean {
    if (event.type !== EVENT_ID.SCALAR) return false;
    const { style, valueStart, valueEnd, tagStart } = event as ScalarEvent;
    return style === SCALAR_STYLE.PLAIN && tagStart < 0 && this.#text.slice(valueStart, valueEnd) === '<<';
  }

  /** `<<`: merges the fields of a map or of a list of maps; earlier ones win. */
  #merge(map: Fields): void {
    const wanted = () => new YamlError('yaml: map merge requires map or sequence of maps as the value');
    const value = this.#node();
    for (const part of Array.isArray(value) ? [...value].reverse() : [value]) {
      if (!isFields(part)) throw wanted();
      for (const [key, inner] of Object.entries(part)) {
        if (++this.#nodes > mostExpandedNodes * 8) throw new YamlError('yaml: document contains excessive aliasing');
        setOwn(map, key, inner);
      }
    }
  }

  #key(value: unknown): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
    const type =
      value === null ? '%!s(<nil>)' : Array.isArray(value) ? '[]interface {}' : 'map[interface {}]interface {}';
    throw new YamlError(`error converting YAML to JSON: unsupported map key of type: ${type}`);
  }

  /** Kubernetes reports at most a hundred. */
  #duplicate({ valueStart }: ScalarEvent, key: string): void {
    if (this.duplicates.length >= 100) return;
    // Maps end in any order: counting starts again where one began earlier.
    if (valueStart < this.#line.at) this.#line = { number: 1, at: 0 };
    for (let at = this.#text.indexOf('\n', this.#line.at); at >= 0 && at < valueStart; ) {
      this.#line = { number: this.#line.number + 1, at: at + 1 };
      at = this.#text.indexOf('\n', at + 1);
    }
    this.duplicates.push(`line ${this.#line.number}: key ${JSON.stringify(key)} already set in map`);
  }

  #scalar(event: ScalarEvent): unknown {
    const text = getScalarValue(this.#text, event);
    this.#size += text.length;
    const tag = this.#tagOf(event);
    if (tag === '!!str' || tag === '!' || (event.style !== SCALAR_STYLE.PLAIN && tag === '')) return text;
    if (tag === '!!binary') return binary(text);
    return resolve(text, tag);
  }

  #tagOf({ tagStart, tagEnd }: { tagStart: number; tagEnd: number }): string {
    if (tagStart < 0) return '';
    return this.#text
      .slice(tagStart, tagEnd)
      .replace(/^!<(.*)>$/, '$1')
      .replace(/^tag:yaml\.org,2002:/, '!!');
  }

  #checkTag(event: MappingEvent | SequenceEvent): void {
    const tag = this.#tagOf(event);
    if (scalarTags.has(tag)) throw new YamlError(`yaml: cannot decode a collection as a ${tag}`);
  }
}

const scalarTags = new Set(['!!str', '!!int', '!!float', '!!bool', '!!null', '!!binary', '!!timestamp']);

function binary(text: string): string {
  const plain = text.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) throw new YamlError('yaml: !!binary value contains invalid base64 data');
  return atob(plain);
}

declare function atob(text: string): string;

const constants = new Map<string, unknown>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
]);
const notJson = /^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$/;

/** A plain scalar's value, by go-yaml's rules. */
function resolve(text: string, tag: string): unknown {
  if (constants.has(text)) return constants.get(text);
  if (notJson.test(text))
    throw new YamlError(`json: unsupported value: ${text.replace(/^\+?\./, '+').replace('-.', '-')}`);
  if (!/^[-+.0-9]/.test(text)) return checked(text, tag);
  const plain = text.replaceAll('_', '');
  const integer = integerOf(plain);
  if (integer !== undefined) return integer;
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(plain)) {
    const value = Number(plain);
    if (Number.isFinite(value)) return value;
  }
  return checked(text, tag);
}

function checked(text: string, tag: string): string {
  if (tag === '!!int' || tag === '!!float' || tag === '!!bool' || tag === '!!null')
    throw new YamlError(`yaml: cannot decode !!str \`${text.slice(0, 40)}\` as a ${tag}`);
  return text;
}

/** As Go's ParseInt reads it with base 0: 0x, 0o and 0b, and a leading zero means octal. At most 64 bits. */
function integerOf(text: string): number | bigint | undefined {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9]\d*)$/.exec(text);
  if (!match || match[2].length > 70) return undefined;
  const digits = /^0[0-7]/.test(match[2]) ? `0o${match[2].slice(1)}` : match[2];
  const size = BigInt(digits);
  const value = match[1] === '-' ? -size : size;
  return exact(value) ?? (value > 0n && size < 1n << 64n ? Number(size) : undefined);
}
