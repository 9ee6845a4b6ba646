// Objects that a Kubernetes API server on the same etcd has written: it stores built-in kinds in protobuf by default.

import { type Entry, readAs, type Store, type Value, valueOfText } from '../../store/store.ts';
import { beginsAsProtobuf, readProtobuf } from './protobuf.ts';

/** The store with such objects as JSON. A value that cannot be read stays as it is: its readers name the key. */
export const readingProtobuf = (store: Store): Store => readAs(store, asJson);

function asJson(entry: Entry): Entry {
  const bytes = beginsAsProtobuf(entry.value);
  if (!bytes) return entry;
  try {
    return { ...entry, value: json(bytes) };
  } catch {
    return entry;
  }
}

const json = (bytes: Buffer): Value => valueOfText(JSON.stringify(readProtobuf(bytes)));
