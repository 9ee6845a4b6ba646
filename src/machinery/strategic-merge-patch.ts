// Strategic merge patch: a merge patch that knows which lists are merged by key.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md

import { childSchema } from './field-set.ts';
import { goFormat } from './go-format.ts';
import { getOwn, setOwn } from './own.ts';
import { PatchError } from './patch-error.ts';
import type { Schema } from './schema.ts';

const directive = '$patch';
const retainKeys = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

/** `target` with `patch` merged in; neither is changed. Throws PatchError. */
export function applyStrategicMergePatch(target: any, patch: any, schema: Schema): any {
  return mergeMap(target, patch, schema);
}

const isMap = (value: any): value is Record<string, any> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function mergeMap(target: any, patch: Record<string, any>, schema: Schema | undefined): any {
  switch (patch[directive]) {
    case undefined:
    case 'merge':
      break;
    case 'replace':
      return withoutDirectives(patch);
    case 'delete':
      return {};
    default:
      throw new PatchError('malformed', `unknown patch type: ${patch[directive]}`);
  }
  const out = retained(isMap(target) ? target : {}, patch);
  const parallel = parallelLists(patch);
  for (const name of parallel) {
    const list = mergeNamedList(getOwn(out, name), name, patch, schema);
    if (list === undefined) delete out[name];
    else setOwn(out, name, list);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$') || parallel.has(key)) continue;
    if (value === null) delete out[key];
    else if (isMap(value)) setOwn(out, key, mergeMap(getOwn(out, key), value, childSchema(schema, `f:${key}`)));
    else setOwn(out, key, value);
  }
  return out;
}

/** Names of lists that the patch touches, directly or through a directive beside them. */
function parallelLists(patch: Record<string, any>): Set<string> {
  const names = new Set<string>();
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(deletePrefix)) names.add(key.slice(deletePrefix.length));
    else if (key.startsWith(orderPrefix)) names.add(key.slice(orderPrefix.length));
    else if (Array.isArray(value)) names.add(key);
  }
  names.delete(retainKeys);
  return names;
}

/** `$retainKeys` names the keys that stay; those of the patch must be among them. */
function retained(target: Record<string, any>, patch: Record<string, any>): Record<string, any> {
  const keys = patch[retainKeys];
  if (keys === undefined) return { ...target };
  if (!Array.isArray(keys)) throw new PatchError('malformed', `invalid patch format of ${retainKeys}`);
  const names = new Set(keys);
  for (const key of Object.keys(patch))
    if (!key.startsWith('$') && !names.has(key))
      throw new PatchError('malformed', `${retainKeys} list doesn't contain ${key}`.replace(retainKeys, 'retainKeys'));
  return Object.fromEntries(Object.entries(target).filter(([key]) => names.has(key)));
}

function mergeNamedList(
  target: any,
  name: string,
  patch: Record<string, any>,
  parent: Schema | undefined,
): any[] | undefined {
  const schema = childSchema(parent, `f:${name}`);
  const removed = patch[deletePrefix + name];
  const order = patch[orderPrefix + name];
  const items = patch[name];
  const merges = schema?.patchStrategy?.split(',').includes('merge') ?? false;
  let list: any[] | undefined = Array.isArray(target) ? target : undefined;
  if (items === null) list = undefined;
  else if (Array.isArray(items)) {
    if (!merges) return items;
    const before = list ?? [];
    list = schema?.patchMergeKey ? mergeKeyedList(before, items, schema) : mergeValues(before, items);
    list = inOrder(list, items, schema, target);
  }
  if (Array.isArray(removed) && list) list = without(list, removed);
  if (Array.isArray(order) && list) list = inOrder(list, order, schema, target);
  return list;
}

const mergeValues = (target: readonly any[], items: readonly any[]) => [...target, ...without(items, target)];

/** Those of `list` that are not among `gone`; the order of an object's fields does not matter. */
function without(list: readonly any[], gone: readonly any[]): any[] {
  const texts = new Set(gone.map(textOf));
  return list.filter((value) => !texts.has(textOf(value)));
}

/** The same text for equal values. */
function textOf(value: any): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  const fields = Object.keys(value).sort();
  return `{${fields.map((name) => `${JSON.stringify(name)}:${textOf(value[name])}`).join(',')}}`;
}

function mergeKeyedList(target: readonly any[], items: readonly any[], schema: Schema): any[] {
  const key = schema.patchMergeKey!;
  if (items.some((item) => isMap(item) && item[directive] === 'replace'))
    return items.filter((item) => item?.[directive] !== 'replace').map(withoutDirectives);
  // Places of the items by their keys: the first of equal ones counts. A removed one leaves a hole until the end.
  const places = new Map<unknown, number>();
  for (const [index, have] of target.entries()) {
    const id = mergeKeyOf(have, key);
    if (!places.has(id)) places.set(id, index);
  }
  const out: any[] = [...target];
  for (const item of items) {
    const id = mergeKeyOf(item, key);
    const index = places.get(id);
    if (item[directive] === 'delete') {
      if (index !== undefined) out[index] = undefined;
      places.delete(id);
    } else if (index !== undefined) out[index] = mergeMap(out[index], item, schema.items);
    else {
      places.set(id, out.length);
      out.push(mergeMap({}, item, schema.items));
    }
  }
  return out.filter((item) => item !== undefined);
}

function mergeKeyOf(item: any, key: string): unknown {
  if (!isMap(item) || item[key] === undefined)
    throw new PatchError('schema', `map: ${goFormat(item)} does not contain declared merge key: ${key}`);
  return item[key];
}

/**
 * `order`, the patch's own list or `$setElementOrder`, gives the order of the items that it names. The others, which
 * only the server has, keep their place before the items that they stood before.
 */
function inOrder(list: any[], order: readonly any[], schema: Schema | undefined, target: any): any[] {
  const key = schema?.patchMergeKey;
  const identity = (item: any) => JSON.stringify(key ? item?.[key] : item);
  const rank = new Map(order.map((item, index) => [identity(item), index]));
  const named = list
    .filter((item) => rank.has(identity(item)))
    .sort((a, b) => rank.get(identity(a))! - rank.get(identity(b))!);
  const others = list.filter((item) => !rank.has(identity(item)));
  const place = new Map((Array.isArray(target) ? target : []).map((item, index) => [identity(item), index]));
  const out: any[] = [];
  let next = 0;
  for (const item of named) {
    const at = place.get(identity(item));
    if (at !== undefined)
      while (next < others.length && (place.get(identity(others[next])) ?? at) < at) out.push(others[next++]);
    out.push(item);
  }
  return [...out, ...others.slice(next)];
}

function withoutDirectives(value: any): any {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => !key.startsWith('$') && inner !== null)
      .map(([key, inner]) => [key, withoutDirectives(inner)]),
  );
}
