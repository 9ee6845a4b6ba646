// A store from a snapshot.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUnusable } from '../interface.ts';
import { readSnapshot } from '../snapshot.ts';
import { createDatabase, unusable } from './database.ts';
import { databaseFile, lockDirectory } from './files.ts';
import { encodeEntry, encodeText } from './records.ts';

/** Makes a store in an empty directory from a snapshot. Throws StoreUnusable if either is invalid. */
export async function restoreEmbeddedStore(
  { directory }: { readonly directory: string },
  snapshot: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { revision, entries } = await readSnapshot(snapshot);
  await locked(directory, async (unlock) => {
    if (statSync(join(directory, databaseFile), { throwIfNoEntry: false })?.size)
      throw new StoreUnusable('in-use', `${directory} holds a store already; restore into an empty directory`);
    await createDatabase(directory, (tables) => {
      // A lease counts from its last keep-alive, and its owner is gone: entries stay without a lease.
      for (const entry of entries) void tables.entries.put(entry.key, encodeEntry({ ...entry, lease: 0 }));
      void tables.meta.put('revision', encodeText('revision', revision));
      void tables.meta.put('compacted', encodeText('compacted', revision));
    });
    unlock();
  });
}

/** Runs `use` with the directory locked; its failures become store errors. */
export async function locked<T>(directory: string, use: (unlock: () => void) => Promise<T>): Promise<T> {
  let unlock = () => {};
  try {
    unlock = lockDirectory(directory);
    return await use(unlock);
  } catch (error) {
    unlock();
    throw unusable(error, directory);
  }
}
