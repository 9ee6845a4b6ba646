// 'text %s'.format([value]): its clauses, and the faults that a literal format shows before evaluation.
// https://pkg.go.dev/github.com/google/cel-go/ext#Strings

import { compareText } from '../collections/in-order.ts';
import { doubleFromText, doubleText, fixedText } from './numbers.ts';
import type { Call, Node } from './parse/ast.ts';
import type { Fault } from './parse/source.ts';
import { formatDuration, formatTimestamp } from './time.ts';
import { dynType, isDyn, type Type } from './types.ts';
import {
  CelList,
  CelMap,
  CostExceeded,
  Duration,
  EvaluationFault,
  fail,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from './values.ts';

interface Clause {
  readonly verb: string;
  readonly precision: number | undefined;
}

const defaultPrecision = 6;
const mostPrecision = 10_000;

/** Splits a format into its text and clauses; `clause` makes the text of each. Throws EvaluationFault. */
function interpolate(format: string, count: number, clause: (clause: Clause, index: number) => string): string {
  let out = '';
  let index = 0;
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf('%', at);
    if (percent < 0) return out + format.slice(at);
    out += format.slice(at, percent);
    if (format[percent + 1] === '%') {
      out += '%';
      at = percent + 2;
      continue;
    }
    if (index >= count) fail(`index ${index} out of range`);
    if (percent + 1 >= format.length) fail('unexpected end of string');
    const read = clauseAt(format, percent + 1);
    out += clause(read, index++);
    at = read.end;
  }
  return out;
}

function clauseAt(format: string, at: number): Clause & { end: number } {
  const wrong = (why: string) => fail(`could not parse formatting clause: ${why}`);
  let precision: number | undefined;
  let position = at;
  if (format[position] === '.') {
    const digits = /[0-9]*/y;
    digits.lastIndex = position + 1;
    const text = digits.exec(format)?.[0] ?? '';
    position += 1 + text.length;
    if (position >= format.length) wrong('error while parsing precision: could not find end of precision specifier');
    if (!text)
      wrong(
        'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax',
      );
    precision = Number(text);
    // Such a number would be mostly zeros; the call is rejected instead.
    if (precision > mostPrecision) throw new CostExceeded();
  }
  const verb = String.fromCodePoint(format.codePointAt(position) as number);
  if (!'sdfebxXo'.includes(verb)) wrong(`unrecognized formatting clause "${verb}"`);
  return { verb, precision, end: position + verb.length };
}

export function formatValues(format: string, args: CelList): string {
  return interpolate(format, args.size, (clause, index) => {
    try {
      return clauseText(clause, args.at(index));
    } catch (error) {
      if (error instanceof EvaluationFault) fail(`error during formatting: ${error.message}`);
      throw error;
    }
  });
}

const misuse: Readonly<Record<string, string>> = {
  s: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
  d: 'decimal clause can only be used on integers',
  f: 'fixed-point clause can only be used on doubles',
  e: 'scientific clause can only be used on doubles',
  b: 'only integers and bools can be formatted as binary',
  x: 'only integers, byte buffers, and strings can be formatted as hex',
  X: 'only integers, byte buffers, and strings can be formatted as hex',
  o: 'octal clause can only be used on integers',
};

const wrongType = (verb: string, typeName: string): string => `${misuse[verb]}, was given ${typeName}`;

function clauseText({ verb, precision = defaultPrecision }: Clause, value: Value): string {
  const refuse = () => fail(wrongType(verb, typeNameOf(value)));
  const integer = typeof value === 'bigint' ? value : value instanceof Uint ? value.value : undefined;
  switch (verb) {
    case 's':
      return plainText(value);
    case 'd':
      return integer === undefined ? refuse() : String(integer);
    case 'f':
      return localized(doubleOf(value) ?? refuse(), (number) => grouped(fixedText(number, precision)));
    case 'e':
      return localized(doubleOf(value) ?? refuse(), (number) => scientific(number, precision));
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return integer === undefined ? refuse() : integer.toString(2);
    case 'o':
      return integer === undefined ? refuse() : integer.toString(8);
    default: {
      const text = integer === undefined ? hexOf(value) : integer.toString(16);
      return text === undefined ? refuse() : verb === 'X' ? text.toUpperCase() : text;
    }
  }
}

function hexOf(value: Value): string | undefined {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return bytes instanceof Uint8Array
    ? [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    : undefined;
}

function doubleOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? doubleFromText(value) : undefined;
}

function localized(value: number, write: (value: number) => string): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? write(value) : value > 0 ? '∞' : '-∞';
}

/** Thousands are set apart, as in English. */
const grouped = (text: string): string =>
  text.replace(/^(-?)(\d+)/, (_, sign, digits) => sign + digits.replace(/\B(?=(\d{3})+$)/g, ','));

function scientific(value: number, precision: number): string {
  const [mantissa, exponent] = value.toExponential(Math.min(precision, 100)).split('e') as [string, string];
  const sign = exponent.startsWith('-') ? '⁻' : '';
  const digits = exponent.replace(/[+-]/, '').padStart(2, '0');
  return `${mantissa}×10${sign}${[...digits].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('')}`;
}

/** %s, and string() of values with a text form. */
function plainText(value: Value): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      return doubleText(value);
  }
  if (value === null) return 'null';
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof Uint8Array) return textOf(value) ?? fail('could not convert argument to string');
  if (value instanceof CelList) return `[${[...value].map(nestedText).join(', ')}]`;
  if (value instanceof CelMap) return mapText(value);
  return fail(wrongType('s', typeNameOf(value)));
}

function mapText(map: CelMap): string {
  const entries = [...map.keys()].map((key) => {
    if (!['string', 'boolean', 'bigint'].includes(typeof key) && !(key instanceof Uint))
      fail(`no formatting function for map key of type ${typeNameOf(key)}`);
    return [nestedText(key), nestedText(map.find(key) as Value)] as const;
  });
  entries.sort(([a], [b]) => compareText(a, b));
  return `{${entries.map(([key, value]) => `${key}:${value}`).join(', ')}}`;
}

/** In a list or a map, texts are quoted and times carry their type. */
function nestedText(value: Value): string {
  if (typeof value === 'string') return goQuote(value);
  if (value instanceof Uint8Array) return `b${goQuote(plainText(value))}`;
  if (value instanceof Timestamp) return `timestamp(${goQuote(plainText(value))})`;
  if (value instanceof Duration) return `duration(${goQuote(plainText(value))})`;
  if (typeof value !== 'number') return plainText(value);
  return Number.isFinite(value) ? fixedText(value, defaultPrecision) : goQuote(doubleText(value));
}

/** Undefined for bytes that are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Escapes in quoted texts. */
export const quotedCharacters: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Go's %q. */
export function goQuote(text: string): string {
  const quoted = [...text].map((character) => {
    const simple = quotedCharacters[character];
    if (simple) return simple;
    if (/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) return character;
    const code = character.codePointAt(0) as number;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${quoted.join('')}"`;
}

const accepts: Readonly<Record<string, readonly string[]>> = {
  d: ['int', 'uint'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  b: ['int', 'uint', 'bool'],
  x: ['int', 'uint', 'string', 'bytes'],
  X: ['int', 'uint', 'string', 'bytes'],
  o: ['int', 'uint'],
};
const printable = [
  'list',
  'map',
  'int',
  'uint',
  'double',
  'bool',
  'string',
  'timestamp',
  'bytes',
  'duration',
  'type',
  'null',
];

const typeOf = (node: Node): Type => node.type ?? dynType;

/** Checks a format whose text and arguments are literals. */
export function checkFormat({ name, target, args, at }: Call): Fault[] {
  const list = args[0];
  if (name !== 'format' || target?.kind !== 'literal' || typeof target.value !== 'string' || list?.kind !== 'list')
    return [];
  let used = 0;
  let place = at;
  try {
    interpolate(target.value, list.items.length, ({ verb }, index) => {
      used++;
      const wrong = wrongArgument(verb, list.items[index] as Node);
      if (wrong) {
        place = wrong.at;
        fail(`error during formatting: ${wrongType(verb, typeOf(wrong).name)}`);
      }
      return '';
    });
  } catch (error) {
    if (error instanceof EvaluationFault) return [{ at: place, message: error.message }];
    // A run exceeds the cost limit there, and not before.
    if (error instanceof CostExceeded) return [];
    throw error;
  }
  return list.items.length > used
    ? [{ at, message: `too many arguments supplied to string.format (expected ${used}, got ${list.items.length})` }]
    : [];
}

/** The node, or the one in it, that the clause cannot take. */
function wrongArgument(verb: string, node: Node): Node | undefined {
  const type = typeOf(node);
  if (isDyn(type)) return undefined;
  if (verb !== 's') return accepts[verb]?.includes(type.kind) ? undefined : node;
  if (!printable.includes(type.kind)) return node;
  const inner =
    node.kind === 'list' ? node.items : node.kind === 'map' ? node.entries.flatMap((e) => [e.key, e.value]) : [];
  for (const part of inner) {
    const wrong = wrongArgument('s', part);
    if (wrong) return wrong;
  }
  return undefined;
}
