// The difference between two objects, as three sets of field paths.

import { deepEqual } from '../collections/equal.ts';
import { setOwn } from '../collections/own.ts';
import { type Fields, fieldsIn, isEmpty, listIn } from '../parsed.ts';
import { listElementKey } from '../patches/list-map.ts';
import type { Schema } from '../schema.ts';
import {
  childSchema,
  emptySet,
  type FieldSet,
  isAssociative,
  isAtomicMap,
  isEmptySet,
  onlyThis,
  union,
} from './field-set.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

const nothing: Comparison = { added: emptySet, modified: emptySet, removed: emptySet };

/**
 * Containers that are added or removed are listed beside their content. `isExact`: empty lists and maps count, also those
 * that are not written.
 */
export function compareFields(
  before: unknown,
  after: unknown,
  schema: Schema | undefined,
  isExact = false,
): Comparison {
  if (before === after) return nothing;
  const inner = compareChildren(before, after, schema, isExact);
  if (inner === 'leaf') return compareLeaf(before, after, schema, isExact);
  if (isNil(before)) return { ...inner, added: { ...inner.added, member: true } };
  if (isNil(after)) return { ...inner, removed: { ...inner.removed, member: true } };
  return inner;
}

const isNil = (value: unknown) => value === undefined;

function compareLeaf(before: unknown, after: unknown, schema: Schema | undefined, isExact: boolean): Comparison {
  if (isNil(before)) return { ...nothing, added: onlyThis };
  if (isNil(after)) return { ...nothing, removed: onlyThis };
  const isSame = isExact ? deepEqual(before, after) : sameWritten(before, after, schema);
  return isSame ? nothing : { ...nothing, modified: onlyThis };
}

function compareChildren(
  before: unknown,
  after: unknown,
  schema: Schema | undefined,
  isExact: boolean,
): Comparison | 'leaf' {
  const shape = shapeOf(before) ?? shapeOf(after);
  const other = shapeOf(after) ?? shape;
  // Null on one side takes the other's shape; two different shapes are one changed value.
  if (shape === 'scalar' || other === 'scalar' || shape !== other) return 'leaf';
  if (sizeOf(before) === 0 && sizeOf(after) === 0) return 'leaf';
  if (shape === 'list')
    return isAssociative(schema) ? compareLists(listIn(before), listIn(after), schema, isExact) : 'leaf';
  return isAtomicMap(schema) ? 'leaf' : compareMaps(fieldsIn(before), fieldsIn(after), schema, isExact);
}

function shapeOf(value: unknown): 'list' | 'map' | 'scalar' | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' ? 'map' : 'scalar';
}

const sizeOf = (value: unknown) => (value ? (Array.isArray(value) ? value.length : Object.keys(value).length) : 0);

function compareMaps(
  before: Readonly<Fields>,
  after: Readonly<Fields>,
  schema: Schema | undefined,
  isExact: boolean,
): Comparison {
  const collected = new Collector();
  const given = isExact ? (value: unknown) => value : present;
  for (const name of Object.keys(before)) {
    const key = `f:${name}`;
    const below = childSchema(schema, key);
    collected.add(key, compareFields(given(before[name], below), given(after[name], below), below, isExact));
  }
  for (const name of Object.keys(after)) {
    if (Object.hasOwn(before, name)) continue;
    const key = `f:${name}`;
    const below = childSchema(schema, key);
    collected.add(key, compareFields(undefined, given(after[name], below), below, isExact));
  }
  return collected.done();
}

/** Whether both are the same without the empty lists and maps that are not written. */
export const sameWritten = (a: unknown, b: unknown, schema: Schema | undefined): boolean =>
  deepEqual(a, b) || deepEqual(writtenForm(a, schema), writtenForm(b, schema));

function writtenForm(value: unknown, schema: Schema | undefined): unknown {
  if (typeof value !== 'object' || value === null || !schema) return value;
  if (Array.isArray(value)) return value.map((item) => writtenForm(item, schema.items));
  const out: Fields = {};
  for (const [name, inner] of Object.entries(value)) {
    const below = childSchema(schema, `f:${name}`);
    const given = writtenForm(present(inner, below), below);
    if (given !== undefined) setOwn(out, name, given);
  }
  return out;
}

/** Empty lists and maps that are not written count as absent. */
export function present(value: unknown, schema: Schema | undefined): unknown {
  if (schema?.presence !== 'nonzero' || typeof value !== 'object' || value === null) return value;
  return isEmpty(value) ? undefined : value;
}

function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  schema: Schema,
  isExact: boolean,
): Comparison {
  const old = new Map(before.map((item) => [listElementKey(item, schema), item]));
  const now = new Map(after.map((item) => [listElementKey(item, schema), item]));
  const collected = new Collector();
  for (const [key, item] of old) collected.add(key, compareFields(item, now.get(key), schema.items, isExact));
  for (const [key, item] of now)
    if (!old.has(key)) collected.add(key, compareFields(undefined, item, schema.items, isExact));
  return collected.done();
}

class Collector {
  readonly #sets = {
    added: new Map<string, FieldSet>(),
    modified: new Map<string, FieldSet>(),
    removed: new Map<string, FieldSet>(),
  };

  add(key: string, comparison: Comparison): void {
    if (comparison === nothing) return;
    for (const kind of ['added', 'modified', 'removed'] as const) {
      const set = comparison[kind];
      if (isEmptySet(set)) continue;
      const mine = this.#sets[kind].get(key);
      this.#sets[kind].set(key, mine ? union(mine, set) : set);
    }
  }

  done(): Comparison {
    const { added, modified, removed } = this.#sets;
    if (added.size + modified.size + removed.size === 0) return nothing;
    return {
      added: { member: false, children: added },
      modified: { member: false, children: modified },
      removed: { member: false, children: removed },
    };
  }
}
