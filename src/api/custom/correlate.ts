// Finds the old value of each part of a new object: only unchanged parts may stay invalid (KEP-4008).

import { fieldsIn, isFields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { sameValue } from '../fields.ts';

/** A new value, its old value, and the schema that correlates their parts. */
export interface Correlated {
  readonly schema: Schema;
  readonly value: unknown;
  readonly old: unknown;
  /** Old items of a keyed list, indexed on demand. */
  byKey?: Map<string, unknown>;
  unchanged?: boolean;
}

export const correlate = (schema: Schema, value: unknown, old: unknown): Correlated => ({ schema, value, old });

/** Undefined without an old value. */
export function fieldOf(pair: Correlated | undefined, name: string): Correlated | undefined {
  if (!pair || !isFields(pair.old) || !isFields(pair.value)) return undefined;
  if (!Object.hasOwn(pair.old, name) || !Object.hasOwn(pair.value, name)) return undefined;
  const { properties, additionalProperties } = pair.schema;
  const schema = properties?.[name] ?? additionalProperties;
  return typeof schema === 'object' ? correlate(schema, pair.value[name], pair.old[name]) : undefined;
}

/** Only items of keyed lists correlate. */
export function itemOf(pair: Correlated | undefined, index: number): Correlated | undefined {
  if (pair?.schema.listType !== 'map' || !pair.schema.items) return undefined;
  if (!Array.isArray(pair.old) || !Array.isArray(pair.value)) return undefined;
  const keyOf = (item: unknown) => JSON.stringify(pair.schema.listMapKeys?.map((key) => fieldsIn(item)[key] ?? null));
  pair.byKey ??= new Map(pair.old.map((item) => [keyOf(item), item]));
  const old = pair.byKey.get(keyOf(pair.value[index]));
  return old === undefined || old === null ? undefined : correlate(pair.schema.items, pair.value[index], old);
}

export function isUnchanged(pair: Correlated | undefined): boolean {
  if (!pair) return false;
  pair.unchanged ??= sameValue(pair.value, pair.old);
  return pair.unchanged;
}
