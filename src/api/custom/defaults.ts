// Defaults of custom resources.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting

import type { Fields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { finish, type Steps } from '../../machinery/time/steps.ts';
import { atOnce, Walks } from '../../machinery/time/walks.ts';
import { tooLarge } from '../errors.ts';

/** Characters of JSON that defaults may add: a list of a megabyte of `{}` could become a terabyte. */
const mostAdded = 3 << 20;

/**
 * Fills in defaults, in place. A null stays where it may be one, and gives way to the default elsewhere. Throws a 413 if
 * they are too large.
 */
export const applyDefaults = (schema: Schema, value: unknown): void =>
  finish(applyingDefaults(schema, value, new Filler(atOnce)));

/** The same in steps, for large objects. */
export function* applyingDefaults(schema: Schema, value: unknown, filler = new Filler(new Walks(true))): Steps<void> {
  filler.fill(schema, value);
  yield* filler.walks.rest();
  if (filler.isFull)
    throw tooLarge(`Request entity too large: defaults of its definition add more than ${mostAdded} bytes`);
}

/** The same for a stored object: defaults that came later, and are too large for it, are left out. */
export const applyDefaultsThatFit = (schema: Schema, value: unknown): void => new Filler(atOnce).fill(schema, value);

const sizes = new WeakMap<Schema, number>();

function sizeOf(schema: Schema): number {
  let size = sizes.get(schema);
  if (size === undefined) sizes.set(schema, (size = JSON.stringify(schema.default)?.length ?? 0));
  return size;
}

class Filler {
  /** Whether there is no more room: then nothing is added. */
  isFull = false;
  readonly walks: Walks;
  #added = 0;

  constructor(walks: Walks) {
    this.walks = walks;
  }

  fill(schema: Schema, value: unknown): void {
    this.walks.walked++;
    if (this.isFull || schema.hasDefaults === false || typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) this.#items(schema, value);
    else this.#fields(schema, value as Fields);
  }

  #fields(schema: Schema, value: Fields): void {
    const { properties = {}, additionalProperties } = schema;
    for (const key in properties) {
      const part = properties[key];
      if (schema.custom && isTypeField(key)) continue;
      if (part.default !== undefined && (value[key] === undefined || isEmptyNull(part, value[key]))) {
        if (!this.#hasRoom(key.length + sizeOf(part))) return;
        value[key] = copyOf(part.default);
      }
      if (value[key] !== undefined) this.fill(part, value[key]);
    }
    if (typeof additionalProperties !== 'object') return;
    const keys = Object.keys(value);
    this.walks.each(keys.length, (index) => {
      if (!properties[keys[index]]) this.#item(additionalProperties, value, keys[index]);
    });
  }

  #items({ items }: Schema, list: unknown[]): void {
    if (items) this.walks.each(list.length, (index) => this.#item(items, list, index));
  }

  #item<K extends string | number>(schema: Schema, all: Record<K, unknown>, key: K): void {
    if (isEmptyNull(schema, all[key])) {
      if (!this.#hasRoom(sizeOf(schema))) return;
      all[key] = copyOf(schema.default);
    }
    this.fill(schema, all[key]);
  }

  #hasRoom(size: number): boolean {
    this.#added += size;
    this.isFull ||= this.#added > mostAdded;
    return !this.isFull;
  }
}

const isTypeField = (key: string) => key === 'apiVersion' || key === 'kind' || key === 'metadata';
const isEmptyNull = (schema: Schema, value: unknown) => value === null && !schema.nullable;
const copyOf = (value: unknown) =>
  typeof value === 'object' && value !== null ? structuredClone(value) : (value ?? null);
