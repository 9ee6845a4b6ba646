import { inOrder } from '../machinery/collections/in-order.ts';
import { setOwn } from '../machinery/collections/own.ts';
import { mapKeys } from './map-keys.ts';

/** A deep copy with sorted keys, as Go writes maps. */
export function sortKeys(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const out: any = {};
  for (const key of inOrder(mapKeys(value))) setOwn(out, key, sortKeys(value[key]));
  return out;
}
