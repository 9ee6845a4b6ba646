// Values in a form that is not cached, such as YAML: written and sent in pieces, with turns of other requests in
// between, so that neither a large object nor a slow reader takes more than one piece.

import { stringify } from 'yaml';
import { ownTurn } from '../../machinery/time/turn.ts';
import type { Accepted } from './media-type.ts';

/** Characters written in one turn of the event loop, and sent in one piece. */
const pieceLength = 128 << 10;
/** Values with at most this many values in them are written at once: one part. */
const shortValues = 50;
const partsInTurn = 40;
/** Characters of a string that YAML writes as it writes short ones: its search for the best form is slow. */
const longText = 16 << 10;

/** Bodies that are being written. */
let writing = 0;

/** A list whose items are made when they are written. */
export class LazyList {
  readonly length: number;
  readonly at: (index: number) => object;

  constructor(length: number, at: (index: number) => object) {
    this.length = length;
    this.at = at;
  }

  *[Symbol.iterator](): Generator<object> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}

/** A list or an object that is written item by item. */
interface Level {
  readonly isList: boolean;
  /** Keys of a list are undefined. */
  readonly entries: Iterator<readonly [key: string | undefined, value: unknown]>;
  readonly depth: number;
  /** No entry is written yet. */
  isEmpty: boolean;
}

interface Form {
  /** The end of the text. */
  readonly end: string;
  readonly isShort: (value: object) => boolean;
  /** Text before the entries of a level, between two, and after the last. */
  readonly open: (level: Level) => string;
  readonly comma: string;
  readonly close: (level: Level) => string;
  /** An entry with its whole value, or only the text before a long value. */
  entry(level: Level, key: string | undefined, value: unknown): string;
  before(level: Level, key: string | undefined, value: object): string;
}

const compact: Form = {
  end: '\n',
  isShort: (value) => !(value instanceof LazyList),
  open: ({ isList }) => (isList ? '[' : '{'),
  comma: ',',
  close: ({ isList }) => (isList ? ']' : '}'),
  entry: (level, key, value) => `${compact.before(level, key, noValue)}${JSON.stringify(value) ?? 'null'}`,
  before: (_, key) => (key === undefined ? '' : `${JSON.stringify(key)}:`),
};

const noValue = {};
const indent = (depth: number) => '  '.repeat(depth);

const pretty: Form = {
  end: '',
  isShort,
  open: ({ isList }) => (isList ? '[\n' : '{\n'),
  comma: ',\n',
  close: ({ isList, depth }) => `\n${indent(depth)}${isList ? ']' : '}'}`,
  entry(level, key, value) {
    const text = JSON.stringify(value, undefined, 2) ?? 'null';
    return `${pretty.before(level, key, noValue)}${text.replaceAll('\n', `\n${indent(level.depth + 1)}`)}`;
  },
  before: ({ depth }, key) => `${indent(depth + 1)}${key === undefined ? '' : `${JSON.stringify(key)}: `}`,
};

const yamlOf = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
const isLongText = (value: unknown): value is string => typeof value === 'string' && value.length > longText;

/** A quoted string of JSON, without the characters that YAML excludes. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(/[\u007f-\u009f\ufeff\ufffe\uffff]/g, (unprintable) => {
    return `\\u${unprintable.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });

function yamlEntry(key: string | undefined, value: unknown): string {
  if (isLongText(value)) return `${yamlBefore(key).trimEnd()} ${quoted(value)}\n`;
  if (isLongText(key)) return `${yamlBefore(key).trimEnd()} ${JSON.stringify(value)}\n`;
  return yamlOf(key === undefined ? [value] : { [key]: value });
}

function yamlBefore(key: string | undefined): string {
  if (key === undefined) return '- ';
  if (isLongText(key)) return `? ${quoted(key)}\n:\n`;
  return `${yamlOf({ [key]: noValue }).slice(0, -' {}\n'.length)}\n`;
}

/** The first entry of a list's item is on the line of its dash: the depth is negative. */
function indented({ depth, isEmpty }: Level, text: string): string {
  const space = indent(Math.abs(depth));
  return `${isEmpty && depth < 0 ? '' : space}${text.replace(/\n(?=[^\n])/g, `\n${space}`)}`;
}

const yaml: Form = {
  end: '',
  isShort,
  open: () => '',
  comma: '',
  close: () => '',
  entry: (level, key, value) => indented(level, yamlEntry(key, value)),
  before: (level, key) => indented(level, yamlBefore(key)),
};

function isShort(value: object): boolean {
  const todo: object[] = [value];
  let left = shortValues;
  for (let next = todo.pop(); next; next = todo.pop()) {
    if (next instanceof LazyList) return next.length === 0;
    for (const key in next) {
      const child = (next as Record<string, unknown>)[key];
      if (--left < 0 || isLongText(child) || isLongText(key)) return false;
      if (child !== null && typeof child === 'object') todo.push(child);
    }
  }
  return true;
}

function* entriesOf(value: object): Generator<readonly [string | undefined, unknown]> {
  if (Array.isArray(value) || value instanceof LazyList) for (const item of value) yield [undefined, item];
  else for (const entry of Object.entries(value)) if (entry[1] !== undefined) yield entry;
}

const isList = (value: object) => Array.isArray(value) || value instanceof LazyList;

export class TextBody {
  readonly #value: object;
  readonly #form: Form;

  /** Lists in `value` may be lazy. */
  constructor(value: object, { format, pretty: isPretty }: Accepted) {
    this.#value = value;
    this.#form = format === 'yaml' ? yaml : isPretty ? pretty : compact;
  }

  async *pieces(): AsyncGenerator<string> {
    if (writing > 0) await ownTurn();
    writing++;
    try {
      let piece = '';
      let parts = 0;
      for (const part of this.#parts()) {
        piece += part;
        if (++parts % partsInTurn === 0) await ownTurn();
        if (piece.length < pieceLength) continue;
        yield piece;
        piece = '';
        await ownTurn();
      }
      if (piece) yield piece;
    } finally {
      writing--;
    }
  }

  /** With an explicit stack: objects may be thousands of levels deep. */
  *#parts(): Generator<string> {
    const form = this.#form;
    const level = (value: object, depth: number): Level => ({
      isList: isList(value),
      entries: entriesOf(value),
      depth,
      isEmpty: true,
    });
    const stack = [level(this.#value, 0)];
    yield form.open(stack[0]);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const { value: entry, done } = top.entries.next();
      if (done) {
        yield form.close(top);
        stack.pop();
        continue;
      }
      if (!top.isEmpty) yield form.comma;
      const [key, value] = entry;
      const isLong = value !== null && typeof value === 'object' && !form.isShort(value);
      yield isLong ? form.before(top, key, value) : form.entry(top, key, value instanceof LazyList ? [] : value);
      top.isEmpty = false;
      if (!isLong) continue;
      const depth = Math.abs(top.depth) + 1;
      stack.push(level(value, form === yaml && top.isList ? -depth : depth));
      yield form.open(stack[stack.length - 1]);
    }
    yield form.end;
  }
}
