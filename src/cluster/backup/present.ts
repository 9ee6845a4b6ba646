// The stores that a restore would replace: that of the data directory, and an external etcd.

import { existsSync } from 'node:fs';
import type { Clock } from '../../machinery/time/clock.ts';
import {
  type Entry,
  type EtcdTls,
  openEtcdForRestore,
  openStore,
  type Revision,
  type Store,
  StoreUnusable,
} from '../../store/store.ts';
import type { DataDirectory } from '../data-directory.ts';
import { everything, readClusterUid } from './content.ts';
import { BackupError } from './folder.ts';

export interface PresentStore {
  /** For messages. */
  readonly place: string;
  /** Undefined: it cannot be read, as `problem` says. */
  readonly store?: Store;
  readonly problem?: string;
  readonly revision: Revision;
  close?(): Promise<void>;
  readonly clusterUid?: string;
  /** In etcd: the restores before. */
  readonly earlier?: { readonly after?: string; readonly instead?: string };
}

/** Empty if the directory has no store. Rejects if the store is in use. */
export async function presentEmbedded(directory: DataDirectory, clock: Clock): Promise<PresentStore[]> {
  if (!existsSync(directory.store)) return [];
  const place = directory.root;
  try {
    const store = await openStore({ kind: 'embedded', clock, directory: directory.store, mustExist: true });
    return [await presentStore(place, store)];
  } catch (error) {
    if (error instanceof StoreUnusable && error.reason !== 'in-use')
      return [{ place, problem: error.message, revision: 0 }];
    throw error;
  }
}

/** Rejects if something writes there during `quietMs`: then a cluster runs. */
export async function presentEtcd(
  { endpoints, tls }: { readonly endpoints: readonly string[]; readonly tls: EtcdTls },
  clock: Clock,
  quietMs: number,
): Promise<PresentStore> {
  const { store, earlier } = await openEtcdForRestore({ endpoints, tls, clock });
  const place = endpoints.join(',');
  try {
    await refuseWriters(store, place, clock, quietMs);
    return { ...(await presentStore(place, store)), earlier };
  } catch (error) {
    await store.close();
    throw error;
  }
}

const presentStore = async (place: string, store: Store) => ({
  ...{ place, store, close: () => store.close() },
  ...{ revision: await store.revision(), clusterUid: await readClusterUid(store) },
});

async function refuseWriters(store: Store, place: string, clock: Clock, quietMs: number): Promise<void> {
  const { entries } = await store.range(everything, { limit: 1 });
  if (entries.length === 0) return;
  const stop = new AbortController();
  const timer = clock.after(quietMs, () => stop.abort());
  try {
    for await (const { changes } of store.watch(everything, await store.revision(), stop.signal))
      if (changes.length > 0)
        throw new BackupError(`a cluster runs on the etcd at ${place}: stop it on every machine with "coracle down"`);
  } finally {
    timer.cancel();
    stop.abort();
  }
}

/** All entries one by one. */
export async function* entriesOf(store: Store | undefined): AsyncIterable<Entry> {
  if (store) for await (const { entries } of store.readAll(everything)) yield* entries;
}
