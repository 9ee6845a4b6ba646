// Custom resources lose what their schema does not know, and get what it gives by default.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning

import type { Schema } from '../../machinery/schema.ts';
import { decode } from '../object.ts';
import { sortKeys } from '../sort.ts';

export interface Pruned {
  readonly object: any;
  readonly unknownFields: readonly string[];
}

/** A copy without unknown fields, keys sorted. Only metadata has types that must be right here. */
export function pruneCustom(schema: Schema, value: any): Pruned {
  const unknown: string[] = [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { object: value, unknownFields: [] };
  const { metadata, ...rest } = value;
  const { properties: { metadata: metadataSchema, ...properties } = {}, ...others } = schema;
  const pruned = prune({ ...others, properties }, rest, '', unknown);
  if (metadata === undefined || metadata === null) return { object: pruned, unknownFields: unknown };
  const decoded = decode(metadataSchema!, metadata);
  unknown.push(...decoded.unknownFields.map((path) => `metadata.${path}`));
  return { object: insertSorted(pruned, 'metadata', decoded.object), unknownFields: unknown };
}

function insertSorted(object: any, name: string, value: unknown): any {
  const out: any = {};
  for (const key of [...Object.keys(object), name].sort()) out[key] = key === name ? value : object[key];
  return out;
}

const typeFields = ['apiVersion', 'kind', 'metadata'];

function prune(schema: Schema, value: any, path: string, unknown: string[]): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item, index) => prune(items, item, `${path}[${index}]`, unknown)) : value.map(sortKeys);
  }
  const out: any = {};
  for (const key of Object.keys(value).sort()) {
    const inner = path ? `${path}.${key}` : key;
    const part = partOf(schema, key);
    if (part === 'unknown') unknown.push(inner);
    else if (part === 'anything') out[key] = sortKeys(value[key]);
    // A null that may not be one counts as not given.
    else if (value[key] !== null || part.nullable || part.preserveUnknownFields)
      out[key] = prune(part, value[key], inner, unknown);
  }
  return out;
}

function partOf(schema: Schema, key: string): Schema | 'anything' | 'unknown' {
  const known = schema.properties?.[key];
  if (known) return known;
  if (schema.embeddedResource && typeFields.includes(key)) return 'anything';
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties;
  return schema.additionalProperties === true || schema.preserveUnknownFields ? 'anything' : 'unknown';
}

/** Fills in defaults, in place. A field that is null and may be stays null. */
export function applyDefaults(schema: Schema, value: any): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) applyDefaults(schema.items, item);
    return;
  }
  for (const [key, part] of Object.entries(schema.properties ?? {})) {
    if (schema.custom && typeFields.includes(key)) continue;
    if (value[key] === undefined && part.default !== undefined) value[key] = structuredClone(part.default);
    applyDefaults(part, value[key]);
  }
  if (typeof schema.additionalProperties === 'object')
    for (const key of Object.keys(value))
      if (!schema.properties?.[key]) applyDefaults(schema.additionalProperties, value[key]);
}
