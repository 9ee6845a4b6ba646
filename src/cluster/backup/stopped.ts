// Backups of a cluster that does not run.

import { rm } from 'node:fs/promises';
import type { Clock } from '../../machinery/time/clock.ts';
import { openStore, type Store } from '../../store/store.ts';
import { readEtcdTls } from '../configuration/etcd-tls.ts';
import { claim, type DataDirectory, hasStore } from '../data-directory.ts';
import { version } from '../version.ts';
import { BackupError } from './folder.ts';
import type { SavedSettings } from './saved-settings.ts';
import { settleRestore } from './settle.ts';
import { etcdFilesOf } from './target.ts';

/** Opens the store of the directory for `use`. No other process has it meanwhile. */
export async function withStoppedStore<T>(
  directory: DataDirectory,
  { name, store: kind, flags, isServer }: SavedSettings,
  clock: Clock,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (isServer)
    throw new BackupError(
      `the store of ${directory.root} is the etcd of all servers, which a stopped server cannot read: start it, or make the backup on another server`,
    );
  await claim(directory, { name, address: '', startedAt: clock.now(), version });
  try {
    await settleRestore(directory, clock);
    if (kind !== 'etcd' && !(await hasStore(directory)))
      throw new BackupError(`${directory.root} has no store yet: nothing to back up`);
    const store = await openStore(
      kind === 'etcd'
        ? {
            kind,
            clock,
            endpoints: flags['etcd-endpoints']?.split(',') ?? [],
            tls: await readEtcdTls(etcdFilesOf(flags)),
          }
        : { kind: 'embedded', clock, directory: directory.store, mustExist: true },
    );
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  } finally {
    await rm(directory.runFile, { force: true });
  }
}
