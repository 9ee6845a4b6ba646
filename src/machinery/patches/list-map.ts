// Lists whose elements have an identity: listType map (some fields are the key) and set (the value is the key).

import { fieldsIn } from '../parsed.ts';
import type { Schema } from '../schema.ts';
import { parseExact } from '../text/exact-json.ts';
import { PatchError } from './patch-error.ts';

/**
 * The path element of a list item: `k:{"name":"x"}` or `v:"x"`. A key field that is left out counts with its default.
 * Throws PatchError when an item has none of its keys.
 */
export function listElementKey(item: unknown, schema: Schema): string {
  if (schema.listType === 'set') return `v:${JSON.stringify(item)}`;
  const names = schema.listMapKeys ?? [];
  const fields = fieldsIn(item);
  if (names.length === 1) {
    const value = fields[names[0]];
    if (typeof value === 'string') return `k:{"${names[0]}":${JSON.stringify(value)}}`;
  }
  const key: Record<string, unknown> = {};
  for (const name of [...names].sort()) {
    const value = fields[name] ?? schema.items?.properties?.[name]?.default;
    if (value === undefined) continue;
    key[name] = value;
  }
  return `k:${JSON.stringify(key)}`;
}

/** Index of a list's items by their keys. Throws PatchError on a duplicate. */
export function indexList(list: readonly unknown[], schema: Schema, path: string): Map<string, unknown> {
  const index = new Map<string, unknown>();
  for (const item of list) {
    const key = listElementKey(item, schema);
    if (index.has(key)) throw new PatchError('schema', `${path}: duplicate entries for key ${elementText(key)}`);
    index.set(key, item);
  }
  return index;
}

/** An element as messages print it: `[name="x"]` or `[="x"]`. */
export function elementText(key: string): string {
  if (key.startsWith('v:')) return `[=${key.slice(2)}]`;
  const entries = Object.entries(fieldsIn(parseExact(key.slice(2))));
  return `[${entries.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
}
