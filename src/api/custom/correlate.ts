// Which old value a part of a new object had before: only what did not change may stay invalid (KEP-4008).

import type { Schema } from '../../machinery/schema.ts';
import { sameValue } from '../fields.ts';

/** A new value, the old one in its place, and the schema that says how their parts correspond. */
export interface Correlated {
  readonly schema: Schema;
  readonly value: any;
  readonly old: any;
  /** Old items of a keyed list, once somebody asked for one. */
  byKey?: Map<string, any>;
  unchanged?: boolean;
}

export const correlate = (schema: Schema, value: any, old: any): Correlated => ({ schema, value, old });

const isMap = (value: any) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Undefined where there is nothing to compare with. */
export function fieldOf(pair: Correlated | undefined, name: string): Correlated | undefined {
  if (!pair || !isMap(pair.old) || !isMap(pair.value)) return undefined;
  if (!Object.hasOwn(pair.old, name) || !Object.hasOwn(pair.value, name)) return undefined;
  const { properties, additionalProperties } = pair.schema;
  const schema = properties?.[name] ?? additionalProperties;
  return typeof schema === 'object' ? correlate(schema, pair.value[name], pair.old[name]) : undefined;
}

/** Items correspond in lists that are keyed, and nowhere else. */
export function itemOf(pair: Correlated | undefined, index: number): Correlated | undefined {
  if (pair?.schema.listType !== 'map' || !pair.schema.items) return undefined;
  if (!Array.isArray(pair.old) || !Array.isArray(pair.value)) return undefined;
  const keyOf = (item: any) => JSON.stringify(pair.schema.listMapKeys?.map((key) => item?.[key] ?? null));
  pair.byKey ??= new Map(pair.old.map((item) => [keyOf(item), item]));
  const old = pair.byKey.get(keyOf(pair.value[index]));
  return old === undefined || old === null ? undefined : correlate(pair.schema.items, pair.value[index], old);
}

export function isUnchanged(pair: Correlated | undefined): boolean {
  if (!pair) return false;
  pair.unchanged ??= sameValue(pair.value, pair.old);
  return pair.unchanged;
}
