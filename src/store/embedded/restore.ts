// A store from the content of a backup.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Revision, type StoredPart, StoreUnusable } from '../interface.ts';
import { createDatabase, unusable } from './database.ts';
import { databaseFile, lockDirectory } from './files.ts';
import { encodeEntry, encodeText } from './records.ts';

/**
 * Makes a store in an empty directory. All entries have `revision`, and nothing older can be read or watched. Rejects
 * with the error of `content`, without a store, and with StoreUnusable.
 */
export async function restoreEmbeddedStore(
  { directory, revision }: { readonly directory: string; readonly revision: Revision },
  content: AsyncIterable<StoredPart>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const parts = async function* () {
    try {
      yield* content;
    } catch (error) {
      failure = { error };
      throw error;
    }
  };
  const restoring = locked(directory, async (unlock) => {
    if (statSync(join(directory, databaseFile), { throwIfNoEntry: false })?.size)
      throw new StoreUnusable('in-use', `${directory} holds a store already; restore into an empty directory`);
    await createDatabase(directory, async ({ env, entries, leases, meta }) => {
      await env.batch(() => {
        void meta.put('revision', encodeText('revision', revision));
        void meta.put('compacted', encodeText('compacted', revision));
      });
      for await (const part of parts())
        await env.batch(() => {
          if (part.type === 'lease') void leases.put(part.lease, encodeText(`lease ${part.lease}`, part.seconds));
          else
            for (const entry of part.entries)
              void entries.put(entry.key, encodeEntry({ ...entry, createRevision: revision, modRevision: revision }));
        });
    });
    unlock();
  });
  await restoring.catch((error) => {
    throw failure ? failure.error : error;
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
