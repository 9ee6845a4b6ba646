// The two halves of server-side apply on values: merging an applied configuration in, and taking fields out.

import { getOwn, setOwn } from '../collections/own.ts';
import { type Fields, isFields } from '../parsed.ts';
import { elementText, indexList, listElementKey } from '../patches/list-map.ts';
import type { Schema } from '../schema.ts';
import { childSchema, type FieldSet, isAssociative, isAtomicMap, isEmptySet } from './field-set.ts';

/** `live` with all fields of `applied`, which `checkApplied` accepts. */
export function mergeFields(live: unknown, applied: unknown, schema: Schema | undefined, path = ''): unknown {
  if (Array.isArray(applied)) {
    if (!isAssociative(schema)) return applied;
    return mergeLists(Array.isArray(live) ? live : [], applied, schema, path);
  }
  // Null clears a value that has one owner, and leaves one whose parts have owners.
  if (applied === null && hasParts(live, schema)) return live;
  if (!isFields(applied)) return applied;
  const under = isFields(live) ? live : {};
  if (isAtomicMap(schema)) return applied;
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
    setOwn(out, name, mergeFields(getOwn(live, name), value, fieldSchema, `${path}.${name}`));
  }
  return out;
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
