// From an entry of the store to an item of the cache.

import { type ApiObject, internalError } from '../../api/api.ts';
import type { Entry, Value } from '../../store/store.ts';
import { Item } from './item.ts';
import { shareFields } from './shared-fields.ts';

/** Makes the object of the cache from stored bytes: parsed, and with the defaults of today. */
export type Decode = (value: Value) => ApiObject;

/** Throws the reply to requests for its resource if the value cannot be read. */
export function loadedItem({ key, value, modRevision }: Entry, decode: Decode): Item {
  const object = readable(key, () => decode(value));
  shareFields(object);
  return new Item(key, modRevision, object);
}

function readable(key: string, decode: () => ApiObject): ApiObject {
  try {
    return decode();
  } catch (error) {
    throw internalError(`unable to decode the object in the store at ${key}: ${(error as Error).message}`);
  }
}
