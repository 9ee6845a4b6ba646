// JSON in parts: a long value is written and read in steps of about a millisecond, and so goes from one thread to
// another without delaying other work of either.

import { setOwn } from '../collections/own.ts';
import { type Fields, fieldsIn, fieldsOf, listIn } from '../parsed.ts';
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
export const splitSteps = (value: unknown): Steps<SplitJson> => new Splitter().split(value, deepest);

class Splitter {
  /** The keys of objects with many: listing them takes long. */
  readonly #keys = new Map<object, readonly string[]>();

  *split(value: unknown, levels: number): Steps<SplitJson> {
    if (levels === 0 || !this.#isLong(value)) return JSON.stringify(value);
    yield;
    return Array.isArray(value)
      ? yield* this.#splitList(value, levels - 1)
      : yield* this.#splitFields(fieldsOf(value), levels - 1);
  }

  *#splitList(list: readonly unknown[], levels: number): Steps<LongList> {
    const parts: SplitJson[] = [];
    let from = 0;
    let size = 0;
    const write = (to: number) => {
      if (to > from) parts.push(JSON.stringify(list.slice(from, to)));
      from = to;
      size = 0;
    };
    for (const [index, item] of list.entries()) {
      const itemSize = this.#sizeOf(item, stepSize);
      size += itemSize;
      if (itemSize >= stepSize && typeof item === 'object') {
        write(index);
        const part = yield* this.split(item, levels);
        parts.push(typeof part === 'string' ? `[${part}]` : part);
        from = index + 1;
      } else if (size >= stepSize) {
        write(index + 1);
        yield;
      }
    }
    write(list.length);
    return { type: 'list', parts };
  }

  *#splitFields(fields: Readonly<Fields>, levels: number): Steps<LongFields> {
    const parts: LongFields['parts'][number][] = [];
    let some: Fields = {};
    let size = 0;
    const write = () => {
      if (size > 0) parts.push(JSON.stringify(some));
      some = {};
      size = 0;
    };
    for (const key of this.#keysOf(fields)) {
      const item = fields[key];
      const itemSize = this.#sizeOf(item, stepSize);
      if (itemSize >= stepSize && typeof item === 'object') {
        write();
        parts.push({ key, value: yield* this.split(item, levels) });
        continue;
      }
      setOwn(some, key, item);
      size += 1 + itemSize;
      if (size < stepSize) continue;
      write();
      yield;
    }
    write();
    return { type: 'fields', parts };
  }

  #isLong(value: unknown): value is object {
    return typeof value === 'object' && value !== null && this.#sizeOf(value, stepSize) >= stepSize;
  }

  #keysOf(fields: Readonly<Fields>): readonly string[] {
    const cached = this.#keys.get(fields);
    if (cached) return cached;
    const keys = Object.keys(fields);
    if (keys.length >= stepSize) this.#keys.set(fields, keys);
    return keys;
  }

  /** Of values up to `most`. */
  #sizeOf(value: unknown, most: number): number {
    if (typeof value === 'string') return 1 + value.length / charactersPerSize;
    if (typeof value !== 'object' || value === null) return 1;
    let size = 1;
    if (Array.isArray(value)) {
      if (value.length >= most) return most;
      for (const item of value) {
        size += this.#sizeOf(item, most - size);
        if (size >= most) break;
      }
      return size;
    }
    const fields = fieldsOf(value);
    const keys = this.#keysOf(fields);
    if (keys.length >= most) return most;
    for (const key of keys) {
      size += 1 + this.#sizeOf(fields[key], most - size);
      if (size >= most) break;
    }
    return size;
  }
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
