// JSON values as CEL sees them, and back. https://kubernetes.io/docs/reference/using-api/cel/#type-system-integration

import type { Schema } from '../../machinery/schema.ts';
import { celDuration } from './cel.ts';

const keywords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A field's name as an expression writes it. */
export function escapedName(name: string): string {
  if (keywords.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

/** Integers become bigints, times dates; fields that the schema names get names that CEL can read. */
export function toCel(schema: Schema | undefined, value: any): any {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isInteger(value) && schema?.type !== 'number' ? BigInt(value) : value;
  if (typeof value === 'string') return schema?.intOrString ? value : fromText(schema?.format, value);
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => toCel(schema?.items, item));
  const out: Record<string, any> = {};
  const others = typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  for (const [key, part] of Object.entries(value)) {
    const known = schema?.properties?.[key];
    if (part !== null || known?.nullable) out[known ? escapedName(key) : key] = toCel(known ?? others, part);
  }
  return out;
}

function fromText(format: string | undefined, value: string): any {
  switch (format) {
    case 'date-time':
    case 'micro-time':
    case 'date':
      return Number.isNaN(Date.parse(value)) ? value : new Date(Date.parse(value));
    case 'duration':
      return celDuration(value) ?? value;
    default:
      return value;
  }
}

/** What an expression made, as JSON. */
export function fromCel(value: any): any {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, part]) => [String(key), fromCel(part)]));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fromCel(part)]));
  return value;
}
