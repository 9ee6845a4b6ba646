// The two halves of server-side apply on values: merging an applied configuration in, and taking fields out.

import { getOwn, setOwn } from '../collections/own.ts';
import { type Fields, isFields } from '../parsed.ts';
import { elementText, indexList, listElementKey } from '../patches/list-map.ts';
import { PatchError } from '../patches/patch-error.ts';
import type { Schema } from '../schema.ts';
import { goFormat } from '../text/go-format.ts';
import { childSchema, type FieldSet, isAssociative, isAtomicMap, isEmptySet } from './field-set.ts';

/**
 * `live` with all fields of `applied`. Throws PatchError('schema') if `applied` has a field that is not in the schema,
 * a value of another shape, or two list items with one key.
 */
export function mergeFields(live: unknown, applied: unknown, schema: Schema | undefined, path = ''): unknown {
  checkShape(applied, schema, path);
  if (Array.isArray(applied)) {
    if (!isAssociative(schema)) return applied;
    return mergeLists(Array.isArray(live) ? live : [], applied, schema, path);
  }
  // Null clears a value that has one owner, and leaves one whose parts have owners.
  if (applied === null && hasParts(live, schema)) return live;
  if (!isFields(applied)) return applied;
  const under = isFields(live) ? live : {};
  if (isAtomicMap(schema)) {
    mergeMaps({}, applied, schema, path); // for its checks alone
    return applied;
  }
  return mergeMaps(under, applied, schema, path);
}

function hasParts(value: unknown, schema: Schema | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0 && isAssociative(schema);
  return isFields(value) && Object.keys(value).length > 0 && !isAtomicMap(schema);
}

function mergeMaps(live: Fields, applied: Fields, schema: Schema | undefined, path: string): Fields {
  const out: Fields = { ...live };
  for (const [name, value] of Object.entries(applied)) {
    const fieldSchema = childSchema(schema, `f:${name}`);
    if (!fieldSchema && isClosed(schema))
      throw new PatchError('schema', `${path}.${name}: field not declared in schema`);
    setOwn(out, name, mergeFields(getOwn(live, name), value, fieldSchema, `${path}.${name}`));
  }
  return out;
}

/** Whether the schema lists all fields that there are. */
const isClosed = (schema: Schema | undefined) =>
  schema?.properties !== undefined &&
  !schema.additionalProperties &&
  !schema.preserveUnknownFields &&
  !schema.embeddedResource;

function checkShape(value: unknown, schema: Schema | undefined, path: string): void {
  if (!schema?.type || value === null || schema.intOrString) return;
  // Formatted on demand: an object may be large, or define toString.
  const got = { toString: () => `got &{${goFormat(value)}}` };
  if (schema.type === 'array' && !Array.isArray(value))
    throw new PatchError('schema', `${path}: expected list, ${got}`);
  if (schema.type === 'object' && (typeof value !== 'object' || Array.isArray(value)))
    throw new PatchError('schema', `${path}: expected map, ${got}`);
  const scalar = schema.type !== 'object' && schema.type !== 'array' ? schema.type : undefined;
  if (scalar && (typeof value === 'object' || !isScalarOf(scalar, value)))
    throw new PatchError('schema', `${path}: expected ${scalarName[scalar]}, ${got}`);
}

const scalarName = {
  string: 'string',
  boolean: 'boolean',
  integer: 'numeric (int or float)',
  number: 'numeric (int or float)',
};

function isScalarOf(type: 'string' | 'boolean' | 'integer' | 'number', value: unknown): boolean {
  if (type === 'string') return typeof value === 'string' || typeof value === 'number'; // quantities may be numbers
  if (type === 'boolean') return typeof value === 'boolean';
  return typeof value === 'number' || typeof value === 'bigint';
}

/** The applied order wins; items only in `live` stay after the same predecessor. */
function mergeLists(live: unknown[], applied: unknown[], schema: Schema, path: string): unknown[] {
  const mine = indexList(applied, schema, path);
  const merged = (key: string, old: unknown) =>
    mergeFields(old, mine.get(key), schema.items, `${path}${elementText(key)}`);
  const old = new Map(live.map((item) => [listElementKey(item, schema), item]));
  const out: unknown[] = [];
  const placed = new Set<string>();
  const shared = [...mine.keys()].filter((key) => old.has(key));
  let waiting = 0;
  const order = [...mine.keys()];
  let next = 0;
  const placeUpTo = (key: string) => {
    for (; next < order.length; next++) {
      const candidate = order[next];
      if (!placed.has(candidate)) {
        out.push(merged(candidate, old.get(candidate)));
        placed.add(candidate);
      }
      if (candidate === key) {
        next++;
        return;
      }
    }
  };
  for (const [key, item] of old) {
    if (!mine.has(key)) out.push(item);
    else if (key === shared[waiting]) {
      placeUpTo(key);
      waiting++;
      while (waiting < shared.length && placed.has(shared[waiting])) waiting++;
    }
  }
  placeUpTo('');
  return out;
}

/** `value` without the fields of `set`; a container that becomes empty stays. */
export function removeFields(value: unknown, set: FieldSet, schema: Schema | undefined): unknown {
  if (isEmptySet(set) || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    if (!isAssociative(schema)) return value;
    return value.flatMap((item) => {
      const child = set.children.get(listElementKey(item, schema));
      if (!child) return [item];
      return child.member ? [] : [removeFields(item, child, schema.items)];
    });
  }
  if (isAtomicMap(schema)) return value;
  const out: Fields = {};
  for (const [name, inner] of Object.entries(value)) {
    const child = set.children.get(`f:${name}`);
    if (!child) setOwn(out, name, inner);
    else if (!child.member) setOwn(out, name, removeFields(inner, child, childSchema(schema, `f:${name}`)));
  }
  return out;
}
