// JSON in parts: a long value is written and read in steps of about a millisecond, and so goes from one thread to
// another without delaying other work of either.

import { setOwn } from '../collections/own.ts';
import { type Fields, fieldsIn, fieldsOf, isFields, listIn } from '../parsed.ts';
import type { Steps } from '../time/steps.ts';
import { parseExact } from './exact-json.ts';

/** A value as its JSON text, or in parts if it is long. */
export type SplitJson = string | LongList | LongFields;

interface LongList {
  readonly type: 'list';
  /** JSON lists of some items, and items that are long. */
  readonly parts: readonly SplitJson[];
}

interface LongFields {
  readonly type: 'fields';
  /** JSON objects of some fields, and fields that are long. */
  readonly parts: readonly (string | { readonly key: string; readonly value: SplitJson })[];
}

/** The size of a step: values, and characters of text. */
const stepSize = 4_096;
const charactersPerSize = 64;
/** A step takes time for each level: values below are not divided. */
const deepest = 64;

/** Writes a value that JSON.stringify can write. */
export const splitSteps = (value: unknown): Steps<SplitJson> => split(value, deepest);

function* split(value: unknown, levels: number): Steps<SplitJson> {
  if (levels === 0 || !isLong(value)) return JSON.stringify(value);
  yield;
  return Array.isArray(value) ? yield* splitList(value, levels - 1) : yield* splitFields(fieldsOf(value), levels - 1);
}

function* splitList(list: readonly unknown[], levels: number): Steps<LongList> {
  const parts: SplitJson[] = [];
  let from = 0;
  let size = 0;
  const write = (to: number) => {
    if (to > from) parts.push(JSON.stringify(list.slice(from, to)));
    from = to;
    size = 0;
  };
  for (const [index, item] of list.entries()) {
    if (isLong(item)) {
      write(index);
      const part = yield* split(item, levels);
      parts.push(typeof part === 'string' ? `[${part}]` : part);
      from = index + 1;
    } else if ((size += sizeOf(item, stepSize)) >= stepSize) {
      write(index + 1);
      yield;
    }
  }
  write(list.length);
  return { type: 'list', parts };
}

function* splitFields(fields: Readonly<Fields>, levels: number): Steps<LongFields> {
  const parts: LongFields['parts'][number][] = [];
  let some: Fields = {};
  let size = 0;
  const write = () => {
    if (size > 0) parts.push(JSON.stringify(some));
    some = {};
    size = 0;
  };
  for (const key of Object.keys(fields)) {
    const item = fields[key];
    if (isLong(item)) {
      write();
      parts.push({ key, value: yield* split(item, levels) });
      continue;
    }
    setOwn(some, key, item);
    if ((size += 1 + sizeOf(item, stepSize)) < stepSize) continue;
    write();
    yield;
  }
  write();
  return { type: 'fields', parts };
}

const isLong = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && sizeOf(value, stepSize) >= stepSize;

/** Of values up to `most`. */
function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return 1 + value.length / charactersPerSize;
  let size = 1;
  if (isFields(value))
    for (const key of Object.keys(value)) {
      size += 1 + sizeOf(value[key], most - size);
      if (size >= most) break;
    }
  else
    for (const item of listIn(value)) {
      size += sizeOf(item, most - size);
      if (size >= most) break;
    }
  return size;
}

/** JSON.stringify in steps. */
export function* writingJson(value: unknown): Steps<string> {
  return textOf(yield* splitSteps(value));
}

function textOf(json: SplitJson): string {
  if (typeof json === 'string') return json;
  if (json.type === 'list')
    return `[${json.parts.map((part) => (typeof part === 'string' ? part.slice(1, -1) : textOf(part))).join()}]`;
  const fields = json.parts.map((part) =>
    typeof part === 'string' ? part.slice(1, -1) : `${JSON.stringify(part.key)}:${textOf(part.value)}`,
  );
  // Fields may have no JSON.
  return `{${fields.filter((text) => text !== '').join()}}`;
}

/** Characters of the value's JSON. */
export function lengthOf(parts: SplitJson): number {
  if (typeof parts === 'string') return parts.length;
  return parts.parts.reduce<number>(
    (sum, part) => sum + (typeof part === 'object' && 'key' in part ? lengthOf(part.value) : lengthOf(part)),
    0,
  );
}

/** Reads the value. Its integers are exact. */
export function* joinSteps(parts: SplitJson): Steps<unknown> {
  if (typeof parts === 'string') return parseExact(parts);
  return parts.type === 'list' ? yield* joinList(parts) : yield* joinFields(parts);
}

function* joinList({ parts }: LongList): Steps<unknown[]> {
  const joined: unknown[] = [];
  for (const part of parts) {
    if (typeof part === 'string') for (const item of listIn(parseExact(part))) joined.push(item);
    else joined.push(yield* joinSteps(part));
    yield;
  }
  return joined;
}

function* joinFields({ parts }: LongFields): Steps<Fields> {
  const joined: Fields = {};
  for (const part of parts) {
    if (typeof part !== 'string') setOwn(joined, part.key, yield* joinSteps(part.value));
    else {
      const some = fieldsIn(parseExact(part));
      for (const key in some) setOwn(joined, key, some[key]);
    }
    yield;
  }
  return joined;
}
