// Sets of field paths, the content of managedFields in server-side apply (fieldsType FieldsV1).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management

import { inOrder } from '../collections/in-order.ts';
import { must } from '../must.ts';
import { type Fields, fieldsIn } from '../parsed.ts';
import { elementText, listElementKey } from '../patches/list-map.ts';
import type { Schema } from '../schema.ts';
import { parseExact } from '../text/exact-json.ts';

/**
 * A set of paths as a tree. `member`: the path to this node is itself in the set. A child's key is a path element as
 * FieldsV1 writes it: `f:name`, `k:{"name":"x"}`, `v:"x"` or `i:0`.
 */
export interface FieldSet {
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const emptySet: FieldSet = { member: false, children: new Map() };
export const onlyThis: FieldSet = { member: true, children: new Map() };

export const isEmptySet = (set: FieldSet): boolean => !set.member && set.children.size === 0;

/** Whether a set has at most `most` paths; stops counting above that. */
export function hasAtMost(set: FieldSet, most: number): boolean {
  let left = most;
  const count = ({ children }: FieldSet): boolean => {
    left -= children.size;
    if (left < 0) return false;
    for (const child of children.values()) if (child.children.size > 0 && !count(child)) return false;
    return true;
  };
  return count(set);
}

function make(member: boolean, children: Map<string, FieldSet>): FieldSet {
  for (const [key, child] of children) if (isEmptySet(child)) children.delete(key);
  return { member, children };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  const children = new Map(a.children);
  for (const [key, child] of b.children) {
    const mine = children.get(key);
    children.set(key, mine ? union(mine, child) : child);
  }
  return { member: a.member || b.member, children };
}

/** The union of many sets, each of which is walked once. */
export function unionOf(sets: readonly FieldSet[]): FieldSet {
  if (sets.length < 2) return sets[0] ?? emptySet;
  const below = new Map<string, FieldSet[]>();
  let member = false;
  for (const set of sets) {
    member ||= set.member;
    for (const [key, child] of set.children) {
      const found = below.get(key);
      if (found) found.push(child);
      else below.set(key, [child]);
    }
  }
  const children = new Map<string, FieldSet>();
  for (const [key, found] of below) children.set(key, unionOf(found));
  return { member, children };
}

/** Paths of `a` that are not in `b`; a path in `b` does not remove the paths below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return emptySet;
  if (isEmptySet(b)) return a;
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    children.set(key, other ? difference(child, other) : child);
  }
  return make(a.member && !b.member, children);
}

/** Paths of `a` that are neither in `b` nor below a path in `b`. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.member) return emptySet;
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    children.set(key, other ? differenceBelow(child, other) : child);
  }
  return make(a.member, children);
}

/** The members at a path and below; `*` is any list item or key. */
export function below(set: FieldSet, [name, ...rest]: readonly string[]): FieldSet {
  if (name === undefined) return set;
  const children = new Map<string, FieldSet>();
  for (const [key, child] of set.children)
    if (name === '*' || key === `f:${name}`) children.set(key, below(child, rest));
  return make(false, children);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other) children.set(key, intersection(child, other));
  }
  return make(a.member && b.member, children);
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (!other || !sameSet(child, other)) return false;
  }
  return true;
}

/** Adds the parents of members that are named fields of the schema: removing a field removes its content. */
export function withNamedParents(set: FieldSet, schema: Schema | undefined): FieldSet {
  if (set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [key, child] of set.children) {
    const named = key.startsWith('f:') && schema?.properties?.[key.slice(2)] !== undefined;
    const inner = withNamedParents(child, childSchema(schema, key));
    children.set(key, named && !inner.member ? { ...inner, member: true } : inner);
  }
  return { member: set.member, children };
}

export function childSchema(schema: Schema | undefined, key: string): Schema | undefined {
  if (!schema) return undefined;
  if (!key.startsWith('f:')) return schema.items;
  const named = schema.properties?.[key.slice(2)];
  // A field may be called as something that every object inherits.
  if (typeof named === 'object') return named;
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

/** All paths in the set, each as its path elements. */
export function* paths(set: FieldSet, at: readonly string[] = []): Generator<readonly string[]> {
  if (set.member) yield at;
  for (const [key, child] of set.children) yield* paths(child, [...at, key]);
}

/** As conflicts print it: `.spec.containers[name="box"].image`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((element) => {
      if (element.startsWith('f:')) return `.${element.slice(2)}`;
      return element.startsWith('i:') ? `[${element.slice(2)}]` : elementText(element);
    })
    .join('');
}

/** Whether every key is a path element and every value an object of such. */
export function isFieldsV1(json: unknown): boolean {
  if (json === undefined) return true;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
  return Object.entries(json).every(([key, value]) => (key === '.' || isPathElement(key)) && isFieldsV1(value));
}

function isPathElement(key: string): boolean {
  const rest = key.slice(2);
  if (key.startsWith('f:')) return true;
  if (key.startsWith('i:')) return /^\d{1,9}$/.test(rest);
  if (!key.startsWith('k:') && !key.startsWith('v:')) return false;
  try {
    const value = parseExact(rest);
    return key.startsWith('v:') || (typeof value === 'object' && value !== null && !Array.isArray(value));
  } catch {
    return false;
  }
}

export function fromFieldsV1(json: unknown): FieldSet {
  const children = new Map<string, FieldSet>();
  let member = false;
  for (const [key, value] of Object.entries(fieldsIn(json))) {
    if (key === '.') member = true;
    else children.set(key, Object.keys(value ?? {}).length === 0 ? onlyThis : fromFieldsV1(value));
  }
  return { member, children };
}

/** A field without children. All sets share it: caches are immutable, and most of FieldsV1 is these. */
export const fieldsV1Leaf: Record<string, never> = Object.freeze({});

/** Keys are sorted, so that equal sets have equal text. */
export function toFieldsV1(set: FieldSet): Fields {
  if (set.children.size === 0) return fieldsV1Leaf;
  const out: Fields = {};
  for (const key of inOrder([...set.children.keys()])) {
    const child = must(set.children.get(key), key);
    const inner = toFieldsV1(child);
    out[key] = child.member && child.children.size > 0 ? { '.': fieldsV1Leaf, ...inner } : inner;
  }
  return out;
}

/** The paths in an applied configuration, which its manager will own. */
export function fieldsOf(value: unknown, schema: Schema | undefined): FieldSet {
  if (Array.isArray(value)) return fieldsOfList(value, schema);
  if (value === null || typeof value !== 'object') return onlyThis;
  if (isAtomicMap(schema)) return onlyThis;
  const children = new Map<string, FieldSet>();
  for (const [name, inner] of Object.entries(value)) {
    const key = `f:${name}`;
    const set = fieldsOf(inner, childSchema(schema, key));
    const empty =
      inner === null || (typeof inner === 'object' && !Array.isArray(inner) && Object.keys(inner).length === 0);
    // Entries of a free map are members themselves; named fields only through their content.
    const asMember = empty || !schema?.properties?.[name];
    children.set(key, asMember && !set.member ? { ...set, member: true } : set);
  }
  return make(false, children);
}

function fieldsOfList(list: unknown[], schema: Schema | undefined): FieldSet {
  if (!isAssociative(schema)) return onlyThis;
  const children = new Map<string, FieldSet>();
  for (const item of list) {
    const set = fieldsOf(item, schema.items);
    children.set(listElementKey(item, schema), set.member ? set : { ...set, member: true });
  }
  return { member: false, children };
}

const rawExtension = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

/** A map that has one owner as a whole: one that is declared so, or data of any form inside a built-in kind. */
export const isAtomicMap = (schema: Schema | undefined): boolean =>
  schema?.mapType === 'atomic' || schema?.name === rawExtension;

export const isAssociative = (schema: Schema | undefined): schema is Schema =>
  schema?.listType === 'map' || schema?.listType === 'set';
