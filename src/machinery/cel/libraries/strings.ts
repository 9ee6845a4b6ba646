// Functions on strings, version 2. https://pkg.go.dev/github.com/google/cel-go/ext#Strings

import { boundCharacters } from '../cost/bounds.ts';
import {
  type AstSize,
  add,
  type CallEstimate,
  type CostRange,
  type Estimator,
  elementsOf,
  fixed,
  mostCost,
  multiply,
  scale,
  sizeEstimate,
  stringFactor,
} from '../cost/cost-range.ts';
import { type CallEstimator, type FunctionDeclaration, global, type Library, member } from '../declarations.ts';
import { formatValues, quotedCharacters } from '../format.ts';
import { dynType, intType, listType, stringType } from '../types.ts';
import { ArrayList, type CelList, fail, sizeOf, stringSize, type Value } from '../values.ts';

const text = stringType;
const strings = listType(stringType);

const ascii = /^\p{ASCII}*$/u;
/** Characters are code points; plain ASCII is not split. */
const characters = (value: string): string | string[] => (ascii.test(value) ? value : [...value]);
const joined = (part: string | string[]): string => (typeof part === 'string' ? part : part.join(''));
const outOfRange = (index: bigint): never => fail(`index out of range: ${index}`);

function charAt(value: string, index: bigint): string {
  const all = characters(value);
  if (index < 0n || index > BigInt(all.length)) return outOfRange(index);
  return all[Number(index)] ?? '';
}

function indexOf(value: string, part: string, from = 0n): bigint {
  if (part === '') return from;
  if (from < 0n) return outOfRange(from);
  const all = characters(value);
  if (from >= BigInt(all.length)) return -1n;
  if (typeof all === 'string') return BigInt(all.indexOf(part, Number(from)));
  const found = all.slice(Number(from)).join('').indexOf(part);
  return found < 0 ? -1n : from + BigInt(stringSize(all.slice(Number(from)).join('').slice(0, found)));
}

function lastIndexOf(value: string, part: string, from?: bigint): bigint {
  const size = BigInt(stringSize(value));
  if (part === '') return from ?? size;
  if (from === undefined && value.length < part.length) return -1n;
  const start = from ?? size - 1n;
  if (start < 0n) return outOfRange(start);
  if (start >= size) return -1n;
  const all = characters(value);
  if (typeof all === 'string') return BigInt(all.lastIndexOf(part, Number(start)));
  const limit = all.slice(0, Number(start)).join('').length;
  const found = value.lastIndexOf(part, limit);
  return found < 0 ? -1n : BigInt(stringSize(value.slice(0, found)));
}

function substring(value: string, start: bigint, end?: bigint): string {
  const all = characters(value);
  const size = BigInt(all.length);
  if (end !== undefined && start > end) return fail(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > size) return outOfRange(start);
  if (end !== undefined && (end < 0n || end > size)) return outOfRange(end);
  return joined(all.slice(Number(start), end === undefined ? undefined : Number(end)));
}

function replace(value: string, old: string, by: string, limit = -1n): string {
  const most = limit < 0n ? Number.POSITIVE_INFINITY : Number(limit);
  const parts = old === '' ? ['', ...value, ''] : value.split(old);
  const count = Math.min(parts.length - 1, most);
  boundCharacters(value.length + count * by.length);
  if (count === 0) return value;
  return `${parts.slice(0, count + 1).join(by)}${parts.length > count + 1 ? old + parts.slice(count + 1).join(old) : ''}`;
}

function split(value: string, separator: string, limit = -1n): CelList {
  if (limit === 0n) return new ArrayList([]);
  const parts = separator === '' ? [...value] : value.split(separator);
  if (limit < 0n || BigInt(parts.length) <= limit) return new ArrayList(parts);
  const kept = Number(limit) - 1;
  return new ArrayList([...parts.slice(0, kept), parts.slice(kept).join(separator)]);
}

function join(list: CelList, separator = ''): string {
  const parts: string[] = [];
  let length = 0;
  for (const item of list) {
    if (typeof item !== 'string') return fail(`join: invalid input: ${String(item)}`);
    length += item.length + separator.length;
    boundCharacters(length);
    parts.push(item);
  }
  return parts.join(separator);
}
const quote = (value: string): string =>
  `"${[...value].map((character) => quotedCharacters[character] ?? character).join('')}"`;

const lower = (value: string): string => value.replace(/[A-Z]+/g, (part) => part.toLowerCase());
const upper = (value: string): string => value.replace(/[a-z]+/g, (part) => part.toUpperCase());
/** Go's white space: JavaScript's without the byte order mark, and with U+0085. */
const trim = (value: string): string => value.replace(/^(?:(?!\ufeff)\s|\x85)+|(?:(?!\ufeff)\s|\x85)+$/g, '');

/** So many passes over the text that it is called on. */
const traversal = (passes: number) => (args: readonly Value[]) =>
  Math.ceil((sizeOf(args[0] as Value) ?? 1) * passes * stringFactor);

const sameSize: CallEstimator = ({ target }, estimator) => {
  if (!target) return undefined;
  const size = sizeEstimate(target, estimator);
  return { cost: scale(size, stringFactor), size };
};

/** indexOf and its like: one pass, comparing strings where they are the elements of a list. */
export const searchEstimate: CallEstimator = ({ target }, estimator) => {
  if (!target) return undefined;
  const elements = elementsOf(target);
  const size = sizeEstimate(target, estimator);
  if (!elements) return { cost: scale(size, stringFactor) };
  const { kind } = elements.type;
  const each =
    kind === 'string' || kind === 'bytes'
      ? add(fixed(1), scale(sizeEstimate(elements, estimator), stringFactor))
      : fixed(1);
  return { cost: multiply(size, each) };
};

/** How large the result of replacing can be: from as few to as many replacements as can be. */
const replaceEstimate: CallEstimator = ({ target, args }, estimator) => {
  if (!target || args.length < 2) return undefined;
  const size = sizeEstimate(target, estimator);
  const old = sizeEstimate(args[0] as AstSize, estimator);
  const by = sizeEstimate(args[1] as AstSize, estimator);
  const many = old.min === 0 ? size.max + 1 : by.max <= old.min ? 0 : Math.ceil(size.max / old.min);
  const few = old.max === 0 ? size.min + 1 : old.max <= by.min ? 0 : Math.ceil(size.min / old.max);
  const kept: CostRange = {
    min: old.max === 0 || old.max <= by.min ? size.min : 0,
    max: old.min === 0 || by.max <= old.min ? size.max : 0,
  };
  const count = { min: Math.min(few, mostCost), max: Math.min(many, mostCost) };
  return { cost: scale(size, 2 * stringFactor), size: add(multiply(count, by), kept) };
};

const splitEstimate: CallEstimator = ({ target, args }, estimator) => {
  if (!target) return undefined;
  const size = sizeEstimate(target, estimator);
  const limit = args[1]?.node?.kind === 'literal' ? args[1].node.value : undefined;
  // A negative limit is none, and counts as the largest number there is.
  const max = typeof limit === 'bigint' ? (limit < 0n ? mostCost : Number(limit)) : size.max;
  return { cost: scale(size, 2 * stringFactor), size: { min: 0, max } };
};

const joinEstimate: CallEstimator = ({ target, args }, estimator): CallEstimate | undefined => {
  if (!target) return undefined;
  const count = sizeEstimate(target, estimator);
  const elements = elementsOf(target);
  let size = elements ? multiply(count, sizeEstimate(elements, estimator)) : fixed(0);
  if (args[0]) size = add(size, multiply(sizeEstimate(args[0], estimator), lessOne(count)));
  return { cost: scale(size, stringFactor), size };
};

const lessOne = ({ min, max }: CostRange): CostRange => ({ min: Math.max(0, min - 1), max: Math.max(0, max - 1) });

export type { Estimator };

const functions: readonly FunctionDeclaration[] = [
  { name: 'charAt', overloads: [member('string_char_at_int', [text, intType], text, charAt)] },
  {
    name: 'indexOf',
    overloads: [
      member('string_index_of_string', [text, text], intType, indexOf),
      member('string_index_of_string_int', [text, text, intType], intType, indexOf),
    ],
  },
  {
    name: 'lastIndexOf',
    overloads: [
      member('string_last_index_of_string', [text, text], intType, lastIndexOf),
      member('string_last_index_of_string_int', [text, text, intType], intType, lastIndexOf),
    ],
  },
  {
    name: 'lowerAscii',
    overloads: [member('string_lower_ascii', [text], text, lower)],
    cost: traversal(1),
    estimate: sameSize,
  },
  {
    name: 'upperAscii',
    overloads: [member('string_upper_ascii', [text], text, upper)],
    cost: traversal(1),
    estimate: sameSize,
  },
  { name: 'trim', overloads: [member('string_trim', [text], text, trim)], cost: traversal(1), estimate: sameSize },
  {
    name: 'substring',
    overloads: [
      member('string_substring_int', [text, intType], text, substring),
      member('string_substring_int_int', [text, intType, intType], text, substring),
    ],
    cost: traversal(1),
    estimate: sameSize,
  },
  {
    name: 'replace',
    overloads: [
      member('string_replace_string_string', [text, text, text], text, replace),
      member('string_replace_string_string_int', [text, text, text, intType], text, replace),
    ],
    cost: traversal(2),
    estimate: replaceEstimate,
  },
  {
    name: 'split',
    overloads: [
      member('string_split_string', [text, text], strings, split),
      member('string_split_string_int', [text, text, intType], strings, split),
    ],
    cost: traversal(2),
    estimate: splitEstimate,
  },
  {
    name: 'join',
    overloads: [member('list_join', [strings], text, join), member('list_join_string', [strings, text], text, join)],
    cost: (_, result) => Math.ceil((sizeOf(result) ?? 1) * 2 * stringFactor),
    estimate: joinEstimate,
  },
  {
    name: 'format',
    overloads: [member('string_format', [text, listType(dynType)], text, formatValues)],
  },
  { name: 'strings.quote', overloads: [global('strings_quote', [text], text, quote)] },
];

export const stringFunctions: Library = { functions };
