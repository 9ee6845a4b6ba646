// Strategic merge patch: a merge patch that merges some lists by key.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md

import { getOwn, setOwn } from '../collections/own.ts';
import { childSchema } from '../fields/field-set.ts';
import { type Fields, fieldsOf, isFields, isList } from '../parsed.ts';
import type { Schema } from '../schema.ts';
import { goFormat } from '../text/go-format.ts';
import { PatchError } from './patch-error.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const deleteMarker = '$deleteFromPrimitiveList';
const orderMarker = '$setElementOrder';

/** `target` with `patch` merged in; neither is changed. Throws PatchError. */
export const applyStrategicMergePatch = (target: unknown, patch: object, schema: Schema): Fields =>
  mergeMap(target, fieldsOf(patch), schema);

/** The name of a JSON value's type in Go, with which some messages are worded. */
function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : Number.isInteger(Number(value)) ? 'int64' : 'float64';
}

const unexpected = (value: unknown, expected: string) =>
  new PatchError('schema', `expected a ${expected}, but received a ${goTypeOf(value)}`);
const unknownDirective = (type: unknown, map: unknown) =>
  new PatchError('schema', `unknown patch type: ${goFormat(type)} in map: ${goFormat(map)}`);
const malformed = (entry: string) => new PatchError('malformed', `invalid patch format of ${entry}`);

function mergeMap(target: unknown, patch: Fields, schema: Schema | undefined): Fields {
  if (patch[directive] !== undefined) {
    const { [directive]: type, ...rest } = patch;
    if (type === 'replace') return rest;
    if (type === 'delete') return {};
    throw unknownDirective(type, patch);
  }
  const out = retained(isFields(target) ? target : {}, patch);
  const done = mergeOrderedLists(out, patch, schema);
  for (const [key, value] of Object.entries(patch)) {
    if (done.has(key)) continue;
    if (key.startsWith(deleteMarker)) removeFromList(out, key, value, schema);
    else if (value === null) delete out[key];
    else mergeField(out, key, value, childSchema(schema, `f:${key}`));
  }
  return out;
}

function mergeField(out: Fields, key: string, value: unknown, schema: Schema | undefined): void {
  const before = getOwn(out, key);
  if (isFields(before) && isFields(value))
    setOwn(out, key, strategiesOf(schema).includes('replace') ? value : mergeMap(before, value, schema));
  else if (Array.isArray(before) && Array.isArray(value)) setOwn(out, key, mergeList(before, value, schema));
  else {
    const added = withoutDirectives(withoutNulls(value));
    if (added === undefined) delete out[key];
    else setOwn(out, key, added);
  }
}

const strategiesOf = (schema: Schema | undefined) => schema?.patchStrategy?.split(',') ?? [];

/** The list's name in a directive's key, such as `$setElementOrder/containers`. */
function nameIn(key: string, marker: string, entry: string): string {
  if (key[marker.length] !== '/') throw malformed(entry);
  return key.slice(marker.length + 1);
}

function removeFromList(out: Fields, key: string, gone: unknown, schema: Schema | undefined): void {
  const name = nameIn(key, deleteMarker, 'primitive list');
  const before = getOwn(out, name);
  if (gone === null) delete out[name];
  if (!Array.isArray(before) || !Array.isArray(gone)) return;
  setOwn(
    out,
    name,
    isMapList(before, gone) ? mergeMaps(before, gone, childSchema(schema, `f:${name}`)) : without(before, gone),
  );
}

/** Merges the lists that have a `$setElementOrder`; returns the keys of the patch that this was all of. */
function mergeOrderedLists(out: Fields, patch: Fields, parent: Schema | undefined) {
  const done = new Set([retainKeys]);
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderMarker)) continue;
    if (!Array.isArray(order)) throw unexpected(order, '[]interface {}');
    const name = nameIn(key, orderMarker, 'setElementOrder list');
    const before = listOrNone(getOwn(out, name));
    const items = listOrNone(getOwn(patch, name));
    const schema = childSchema(parent, `f:${name}`);
    checkOrder(items ?? [], order, schema?.patchMergeKey);
    done.add(key).add(name);
    const merged =
      before && items
        ? mergeList(before, items, schema)
        : (before ?? items?.map(withoutDirectives).filter((item) => item !== undefined));
    if (merged === undefined) continue;
    checkTypes(before ?? [], items ?? []);
    setOwn(out, name, inOrder(merged, order, schema?.patchMergeKey, before));
  }
  return done;
}

function listOrNone(value: unknown): unknown[] | undefined {
  if (value === undefined || isList(value)) return value;
  throw unexpected(value, '[]interface {}');
}

/** The patch's items of a list must be in `$setElementOrder` too, in the same order. */
function checkOrder(items: readonly unknown[], order: readonly unknown[], key: string | undefined): void {
  if (!items.length || !order.length) return;
  const named = items.filter((item) => !isFields(item) || item[directive] === undefined);
  let next = 0;
  for (const item of order) {
    if (next === named.length) return;
    if (key ? mergeKeyOf(named[next], key) === mergeKeyOf(item, key) : named[next] === item) next++;
  }
  if (next === named.length) return;
  const [have, want] = [goFormat(items), goFormat(order)];
  throw new PatchError('schema', `The order in patch list:\n${have}\n doesn't match ${orderMarker} list:\n${want}\n`);
}

/** `$retainKeys` names the keys that stay; those of the patch must be among them. */
function retained(target: Fields, patch: Fields): Fields {
  const keys = patch[retainKeys];
  if (keys === undefined) return { ...target };
  if (!Array.isArray(keys)) throw malformed('retainKeys');
  const names = new Set(keys).add(retainKeys);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || key.startsWith(deleteMarker) || key.startsWith(orderMarker)) continue;
    if (!names.has(key)) throw malformed('retainKeys');
  }
  return Object.fromEntries(Object.entries(target).filter(([key]) => names.has(key)));
}

/** All elements of both lists are of one type, and not lists. */
function checkTypes(before: readonly unknown[], items: readonly unknown[]): void {
  const all = [...before, ...items];
  if (!all.length) throw new PatchError('schema', 'no elements in any of the given slices');
  if (Array.isArray(all[0])) throw new PatchError('unappliable', 'lists of lists are not supported');
  const type = goTypeOf(all[0]);
  if (type !== 'nil' && all.every((item) => goTypeOf(item) === type)) return;
  throw new PatchError('schema', `list element types are not identical: ${goFormat([before, items])}`);
}

function isMapList(before: readonly unknown[], items: readonly unknown[]): boolean {
  if (!before.length && !items.length) return false;
  checkTypes(before, items);
  return isFields(before[0] ?? items[0]);
}

function mergeList(before: readonly unknown[], items: readonly unknown[], schema: Schema | undefined): unknown[] {
  if (!strategiesOf(schema).includes('merge')) return [...items];
  if (isMapList(before, items)) return mergeMaps(before, items, schema);
  return inOrder([...new Set([...before, ...items])], items, undefined, before);
}

function mergeMaps(before: readonly unknown[], items: readonly unknown[], schema: Schema | undefined): unknown[] {
  const key = schema?.patchMergeKey;
  if (!key) throw new PatchError('schema', `cannot merge lists without merge key for ${goKindOf(schema?.items)}`);
  const { merged, rest } = mergeByKey(before, items, key, schema);
  return inOrder(merged, rest, key, before);
}

const goKindOf = (schema: Schema | undefined) => (schema?.type === 'object' || !schema?.type ? 'struct' : schema.type);

/** Items of `list` that are not in `gone`. */
function without(list: readonly unknown[], gone: readonly unknown[]): unknown[] {
  const values = new Set(gone);
  return list.filter((value) => !values.has(value));
}

function mergeByKey(before: readonly unknown[], items: readonly unknown[], key: string, schema: Schema | undefined) {
  const gone = new Set<unknown>();
  const rest: unknown[] = [];
  let replaces = false;
  for (const item of items) {
    const type = mapIn(item)[directive];
    if (type === undefined) rest.push(item);
    else if (type === 'delete') gone.add(mergeKeyOf(item, key));
    else if (type === 'replace') replaces = true;
    else if (type === 'merge') throw new PatchError('schema', 'merging lists cannot yet be specified in the patch');
    else throw unknownDirective(type, item);
  }
  if (replaces) return { merged: rest, rest: [] };
  // Places of the items by their keys: the first of equal ones counts.
  const places = new Map<unknown, number>();
  const merged = before.filter((have) => !gone.has(mergeKeyOf(have, key)));
  for (const [index, have] of merged.entries()) {
    const value = mergeKeyOf(have, key);
    if (!places.has(value)) places.set(value, index);
  }
  for (const item of rest) {
    const index = places.get(mergeKeyOf(item, key));
    if (index !== undefined) merged[index] = mergeMap(merged[index], mapIn(item), schema?.items);
    else places.set(mergeKeyOf(item, key), merged.push(item) - 1);
  }
  return { merged, rest };
}

function mergeKeyOf(item: unknown, key: string): unknown {
  const value = mapIn(item)[key];
  if (value === undefined)
    throw new PatchError('schema', `map: ${goFormat(item)} does not contain declared merge key: ${key}`);
  return value;
}

function mapIn(item: unknown): Fields {
  if (!isFields(item)) throw unexpected(item, 'map[string]interface {}');
  return item;
}

/**
 * `order`, the patch's list or `$setElementOrder`, orders the items that it names. Items only on the server stay before
 * their successor.
 */
function inOrder(
  list: unknown[],
  order: readonly unknown[],
  key: string | undefined,
  target: readonly unknown[] = [],
): unknown[] {
  const identity = (item: unknown) => (key ? mergeKeyOf(item, key) : item);
  const places = (items: readonly unknown[]) => {
    const found = new Map<unknown, number>();
    for (const [index, item] of items.entries()) if (!found.has(identity(item))) found.set(identity(item), index);
    return found;
  };
  const rank = places(order);
  const rankOf = (item: unknown) => rank.get(identity(item)) ?? 0;
  const named = list.filter((item) => rank.has(identity(item))).sort((a, b) => rankOf(a) - rankOf(b));
  const others = list.filter((item) => !rank.has(identity(item)));
  const place = places(target);
  const out: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const at = place.get(identity(item));
    if (at !== undefined)
      while (next < others.length && (place.get(identity(others[next])) ?? at) < at) out.push(others[next++]);
    out.push(item);
  }
  return [...out, ...others.slice(next)];
}

/** As the object gets it that had no such value: without maps that are directives. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isFields(value)) return value;
  if (value[directive] !== undefined) return undefined;
  return mapValues(value, withoutDirectives);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  return isFields(value) ? mapValues(value, (inner) => (inner === null ? undefined : withoutNulls(inner))) : value;
}

function mapValues(map: Fields, change: (value: unknown) => unknown): Fields {
  const out: Fields = {};
  for (const [key, value] of Object.entries(map)) {
    const changed = change(value);
    if (changed !== undefined) setOwn(out, key, changed);
  }
  return out;
}
