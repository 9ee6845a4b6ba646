import { inOrder } from '../machinery/collections/in-order.ts';
import { setOwn } from '../machinery/collections/own.ts';
import type { Fields } from '../machinery/parsed.ts';
import { mapKeys } from './map-keys.ts';

/** A deep copy with sorted keys, as Go writes maps. */
export function sortKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const fields = value as Fields;
  const out: Fields = {};
  for (const key of inOrder(mapKeys(fields))) setOwn(out, key, sortKeys(fields[key]));
  return out;
}
