// Defaults of custom resources.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting

import type { Fields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { tooLarge } from '../errors.ts';

/** Characters of JSON that defaults may add: a list of a megabyte of `{}` could become a terabyte. */
const mostAdded = 3 << 20;

/**
 * Fills in defaults, in place. A null stays where it may be one, and gives way to the default elsewhere. Throws a 413 if
 * they are too large.
 */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (!new Filler().fill(schema, value))
    throw tooLarge(`Request entity too large: defaults of its definition add more than ${mostAdded} bytes`);
}

/** The same for a stored object: defaults that came later, and are too large for it, are left out. */
export const applyDefaultsThatFit = (schema: Schema, value: unknown): void => void new Filler().fill(schema, value);

const sizes = new WeakMap<Schema, number>();

function sizeOf(schema: Schema): number {
  let size = sizes.get(schema);
  if (size === undefined) sizes.set(schema, (size = JSON.stringify(schema.default)?.length ?? 0));
  return size;
}

class Filler {
  #added = 0;

  /** False when there is no more room. */
  fill(schema: Schema, value: unknown): boolean {
    if (schema.hasDefaults === false || typeof value !== 'object' || value === null) return true;
    return Array.isArray(value) ? this.#items(schema, value) : this.#fields(schema, value as Fields);
  }

  #fields(schema: Schema, value: Fields): boolean {
    const { properties = {}, additionalProperties } = schema;
    for (const key in properties) {
      const part = properties[key];
      if (schema.custom && isTypeField(key)) continue;
      if (part.default !== undefined && (value[key] === undefined || isEmptyNull(part, value[key]))) {
        if (!this.#hasRoom(key.length + sizeOf(part))) return false;
        value[key] = copyOf(part.default);
      }
      if (value[key] !== undefined && !this.fill(part, value[key])) return false;
    }
    if (typeof additionalProperties !== 'object') return true;
    for (const key of Object.keys(value)) {
      if (properties[key]) continue;
      if (isEmptyNull(additionalProperties, value[key])) {
        if (!this.#hasRoom(sizeOf(additionalProperties))) return false;
        value[key] = copyOf(additionalProperties.default);
      }
      if (!this.fill(additionalProperties, value[key])) return false;
    }
    return true;
  }

  #items({ items }: Schema, list: unknown[]): boolean {
    if (!items) return true;
    for (const [index, item] of list.entries()) {
      if (isEmptyNull(items, item)) {
        if (!this.#hasRoom(sizeOf(items))) return false;
        list[index] = copyOf(items.default);
      }
      if (!this.fill(items, list[index])) return false;
    }
    return true;
  }

  #hasRoom(size: number): boolean {
    this.#added += size;
    return this.#added <= mostAdded;
  }
}

const isTypeField = (key: string) => key === 'apiVersion' || key === 'kind' || key === 'metadata';
const isEmptyNull = (schema: Schema, value: unknown) => value === null && !schema.nullable;
const copyOf = (value: unknown) =>
  typeof value === 'object' && value !== null ? structuredClone(value) : (value ?? null);
