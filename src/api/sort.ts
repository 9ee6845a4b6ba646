import { inOrder } from '../machinery/collections/in-order.ts';
import { setOwn } from '../machinery/collections/own.ts';
import type { Fields } from '../machinery/parsed.ts';
import { atOnce, type Walks } from '../machinery/time/walks.ts';
import { mapKeys } from './map-keys.ts';

/** A deep copy with sorted keys, as Go writes maps; its long lists and maps are filled by `walks`. */
export function sortKeys(value: unknown, walks: Walks = atOnce, keysOf: typeof mapKeys = mapKeys): unknown {
  walks.walked++;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const out = new Array<unknown>(value.length);
    walks.each(value.length, (index) => {
      out[index] = sortKeys(value[index], walks, keysOf);
    });
    return out;
  }
  const fields = value as Fields;
  const out: Fields = {};
  const keys = inOrder(keysOf(fields));
  walks.each(keys.length, (index) => setOwn(out, keys[index], sortKeys(fields[keys[index]], walks, keysOf)));
  return out;
}
