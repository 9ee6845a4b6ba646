// A store that encrypts values before they reach another store, and decrypts them on reading.

import {
  type Change,
  type CommitResult,
  type Entry,
  type Page,
  type Store,
  StoreUnusable,
  type Write,
} from '../interface.ts';
import { delegated } from '../read-as.ts';
import { bytesOf, type Value } from '../value.ts';
import { startsWith, type Transformer } from './providers.ts';

/** The transformers of a key's values: the first one encrypts, all of them decrypt. Undefined: values are plain. */
export type TransformersFor = (key: string) => readonly Transformer[] | undefined;

export interface EncryptedStore extends Store {
  /** Rewrites values of older keys and plain values. Resolves with their number. */
  rewriteStale(signal: AbortSignal): Promise<number>;
}

const rewritePage = 200;

export function encryptedStore(store: Store, transformersFor: TransformersFor): EncryptedStore {
  const read = async (entry: Entry): Promise<{ entry: Entry; isStale: boolean }> => {
    const transformers = transformersFor(entry.key);
    if (!transformers) return { entry, isStale: false };
    const { value, isStale } = await decrypt(transformers, bytesOf(entry.value), entry.key);
    return { entry: { ...entry, value: textIfAscii(value) }, isStale };
  };
  const readable = async (entry: Entry): Promise<Entry> => (await read(entry)).entry;
  const encrypted = async (write: Write): Promise<Write> => {
    const transformers = write.value === undefined ? undefined : transformersFor(write.key);
    if (!transformers) return write;
    const [first] = transformers;
    const value = await first.encrypt(bytesOf(write.value as Value), write.key);
    return { ...write, value: first.prefix ? Buffer.concat([Buffer.from(first.prefix), value]) : value };
  };
  const change = async (one: Change): Promise<Change> => {
    const previous = one.previous && { previous: await readable(one.previous) };
    return one.type === 'put' ? { ...one, entry: await readable(one.entry), ...previous } : { ...one, ...previous };
  };
  return {
    ...delegated(store),
    async get(key, at) {
      const entry = await store.get(key, at);
      return entry && readable(entry);
    },
    async range(keys, page): Promise<Page> {
      const found = await store.range(keys, page);
      return { ...found, entries: await inOrder(found.entries, readable) };
    },
    async commit(writes): Promise<CommitResult> {
      const result = await store.commit(await inOrder(writes, encrypted));
      return result.ok ? result : { ok: false, current: await inOrder(result.current, readable) };
    },
    async *watch(keys, after, signal) {
      for await (const { changes, revision } of store.watch(keys, after, signal))
        yield { changes: await inOrder(changes, change), revision };
    },
    async rewriteStale(signal) {
      let rewritten = 0;
      for (let start = '/'; !signal.aborted; ) {
        const { entries, remaining } = await store.range({ start, end: '0' }, { limit: rewritePage });
        for (const entry of entries) {
          const { entry: plain, isStale } = await read(entry);
          if (!isStale) continue;
          const { key, modRevision: expected, lease } = entry;
          const write = await encrypted({ key, value: plain.value, expected, ...(lease && { lease }) });
          // A value that another writer has just replaced is no longer stale.
          if ((await store.commit([write])).ok) rewritten++;
        }
        if (remaining === 0) break;
        start = `${entries[entries.length - 1].key}\0`;
      }
      return rewritten;
    },
  };
}

async function inOrder<T>(items: readonly T[], map: (item: T) => Promise<T>): Promise<T[]> {
  const mapped: T[] = [];
  for (const item of items) mapped.push(await map(item));
  return mapped;
}

/** Keys may share a name during rotation: each with a matching prefix is tried. */
async function decrypt(transformers: readonly Transformer[], value: Uint8Array, key: string) {
  let fault = 'no provider of the encryption configuration has its prefix';
  for (const [i, transformer] of transformers.entries()) {
    if (!startsWith(value, transformer.prefix)) continue;
    try {
      const decrypted = await transformer.decrypt(value.subarray(transformer.prefix.length), key);
      return { value: decrypted.value, isStale: decrypted.isStale || i > 0 };
    } catch (error) {
      fault = (error as Error).message;
    }
  }
  throw new StoreUnusable('damaged', `the value of ${key} cannot be decrypted: ${fault}`);
}

/** A text takes less memory than bytes. */
function textIfAscii(bytes: Uint8Array): Value {
  for (const byte of bytes) if (byte > 0x7f) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
