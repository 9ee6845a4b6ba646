import { isAssociative } from '../machinery/fields/field-set.ts';
import type { Schema } from '../machinery/schema.ts';
import { tooLarge } from './errors.ts';

/**
 * With its entry in managedFields, an entry takes at least 24 bytes. So a larger map does not fit into etcd, whose
 * requests have 1.5 MB; and each step of work on it would take a tenth of a second.
 */
const mostKeys = 1 << 16;

/** The keys of a map that a client sent. Throws 413 for too many. */
export function mapKeys(map: object): string[] {
  const keys = Object.keys(map);
  if (keys.length > mostKeys) throw tooLarge(`Request entity too large: limit is ${mostKeys} keys in one map`);
  return keys;
}

/** The same for a list whose items are known by a key: each has an entry in managedFields. */
export function checkLength(schema: Schema | undefined, list: readonly unknown[]): void {
  if (list.length > mostKeys && isAssociative(schema))
    throw tooLarge(`Request entity too large: limit is ${mostKeys} items in one list with keys`);
}
