// The fields that the creator of an object owns, as FieldsV1: this shortcut makes no sets.

import { compareText, inOrder } from '../collections/in-order.ts';
import { sortSteps } from '../collections/sort-steps.ts';
import { TextCache } from '../collections/text-cache.ts';
import { must } from '../must.ts';
import { type Fields, fieldsIn, isEmpty, listIn } from '../parsed.ts';
import { listElementKey } from '../patches/list-map.ts';
import type { Schema } from '../schema.ts';
import type { Steps } from '../time/steps.ts';
import { present, sameWritten } from './compare-fields.ts';
import { fieldsV1Leaf, isAssociative, isAtomicMap } from './field-set.ts';

type FieldsV1 = { [key: string]: FieldsV1 };

const leaf: FieldsV1 = fieldsV1Leaf;

/**
 * The fields of `value` that differ from `zero`, an empty object of the type; undefined if there are none. Equals
 * `toFieldsV1` of the fields that `compareFields(zero, value)` reports as added or modified.
 */
function createdFields(zero: unknown, value: unknown, schema: Schema | undefined): FieldsV1 | undefined {
  if (zero === value) return undefined;
  const isList = Array.isArray(value);
  if (isLeaf(zero, value, isList, schema))
    return zero !== undefined && sameWritten(zero, value, schema) ? undefined : leaf;
  const fields: FieldsV1 = zero === undefined ? { '.': leaf } : {};
  const found = isList
    ? ofList(fields, listIn(zero), value, must(schema, 'schema'))
    : ofMap(fields, fieldsIn(zero), fieldsIn(value), schema);
  return found || zero === undefined ? fields : undefined;
}

/** Keys of a map in one step. */
const keysInStep = 4_096;
const itemsInStep = 1_024;
/**
 * Long maps are usually at the top or one level below it: deeper ones are done in one step, unless the object is large.
 */
const usualLevels = 2;
const levelsOfLarge = 12;

/** The same in steps. */
export const creatingFields = (zero: unknown, value: unknown, schema: Schema | undefined, isLarge = false) =>
  inLevels(zero, value, schema, isLarge ? levelsOfLarge : usualLevels);

function* inLevels(
  zero: unknown,
  value: unknown,
  schema: Schema | undefined,
  levels: number,
): Steps<FieldsV1 | undefined> {
  const isList = Array.isArray(value);
  // Of an object that is not large, lists are short.
  const isShort = isList && levels <= usualLevels;
  if (zero === value || isShort || isLeaf(zero, value, isList, schema)) return createdFields(zero, value, schema);
  const fields: FieldsV1 = zero === undefined ? { '.': leaf } : {};
  const found = isList
    ? yield* listInLevels(fields, listIn(zero), value, must(schema, 'schema'), levels)
    : yield* mapInLevels(fields, fieldsIn(zero), fieldsIn(value), schema, levels);
  return found || zero === undefined ? fields : undefined;
}

function* mapInLevels(
  into: FieldsV1,
  zero: Readonly<Fields>,
  value: Readonly<Fields>,
  schema: Schema | undefined,
  levels: number,
): Steps<boolean> {
  let found = false;
  const names = inOrder(Object.keys(value));
  if (names.length > keysInStep) yield;
  for (const [index, name] of names.entries()) {
    if (index % keysInStep === keysInStep - 1) yield;
    const schemaBelow = schemaOf(schema, name);
    const below = [zero[name], present(value[name], schemaBelow), schemaBelow] as const;
    const inner = levels > 1 ? yield* inLevels(...below, levels - 1) : createdFields(...below);
    if (!inner) continue;
    into[elements.get(name)] = inner;
    found = true;
  }
  return found;
}

function* listInLevels(
  into: FieldsV1,
  zero: readonly unknown[],
  value: readonly unknown[],
  schema: Schema,
  levels: number,
): Steps<boolean> {
  const zeroItems = new Map(zero.map((item) => [listElementKey(item, schema), item] as const));
  const items: (readonly [string, unknown])[] = [];
  for (const [index, item] of value.entries()) {
    if (index % itemsInStep === itemsInStep - 1) yield;
    items.push([listElementKey(item, schema), item]);
  }
  let found = false;
  for (const [index, [key, item]] of (yield* sortSteps(items, byKey)).entries()) {
    if (index % itemsInStep === itemsInStep - 1) yield;
    const inner = yield* inLevels(zeroItems.get(key), item, schema.items, levels - 1);
    if (!inner) continue;
    into[key] = inner;
    found = true;
  }
  return found;
}

const schemaOf = (schema: Schema | undefined, name: string): Schema | undefined =>
  schema?.properties?.[name] ??
  (typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined);

function isLeaf(zero: unknown, value: unknown, isList: boolean, schema: Schema | undefined): boolean {
  if (typeof value !== 'object' || value === null) return true;
  const none = zero === undefined || zero === null;
  if (!none && (typeof zero !== 'object' || Array.isArray(zero) !== isList)) return true;
  if (isEmpty(value) && (none || isEmpty(zero))) return true;
  return isList ? !isAssociative(schema) : isAtomicMap(schema);
}

function ofMap(into: FieldsV1, zero: Readonly<Fields>, value: Readonly<Fields>, schema: Schema | undefined): boolean {
  let found = false;
  const properties = schema?.properties;
  const other = typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  for (const name of inOrder(Object.keys(value))) {
    const below = properties?.[name] ?? other;
    const inner = createdFields(zero[name], present(value[name], below), below);
    if (!inner) continue;
    into[elements.get(name)] = inner;
    found = true;
  }
  return found;
}

/** Field names are few: a string that was a key before is a key much faster than one that was just put together. */
const elements = new TextCache((name) => `f:${name}`, { most: 8_192 });

function ofList(into: FieldsV1, zero: readonly unknown[], value: readonly unknown[], schema: Schema): boolean {
  const zeroItems = zero.length
    ? new Map(zero.map((item) => [listElementKey(item, schema), item] as const))
    : undefined;
  const items = value.map((item) => [listElementKey(item, schema), item] as const);
  let found = false;
  for (const [key, item] of items.length > 1 ? items.sort(byKey) : items) {
    const inner = createdFields(zeroItems?.get(key), item, schema.items);
    if (!inner) continue;
    into[key] = inner;
    found = true;
  }
  return found;
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => compareText(a, b);
