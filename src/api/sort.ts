import { inOrder } from '../machinery/collections/in-order.ts';
import { setOwn } from '../machinery/collections/own.ts';

/** A deep copy with sorted keys, as Go writes maps. */
export function sortKeys(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const out: any = {};
  for (const key of inOrder(Object.keys(value))) setOwn(out, key, sortKeys(value[key]));
  return out;
}
