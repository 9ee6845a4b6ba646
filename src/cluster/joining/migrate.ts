// The store of a cluster that becomes the first of several servers: its content moves from the embedded store into the
// etcd member, with revisions above the former ones. A repetition finishes an interrupted one.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { openEtcdForRestore, openStore, type Revision, restoreEtcd, type Store } from '../../store/store.ts';
import { storedContent } from '../backup/content.ts';
import { type DataDirectory, formerStore, hasMoved } from '../data-directory.ts';
import type { EtcdMember } from '../etcd-member/etcd-member.ts';

/** Whether the directory has a store that no etcd has the content of yet. */
export const needsMigration = (directory: DataDirectory): boolean =>
  existsSync(directory.store) && !hasMoved(directory);

/** The caller has the directory. Does nothing without an embedded store. */
export async function migrateToEtcd(
  directory: DataDirectory,
  member: EtcdMember,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  if (!needsMigration(directory)) return;
  const store = await openStore({ kind: 'embedded', clock, directory: directory.store, mustExist: true });
  try {
    const revision = await copyToEtcd(directory, store, member, { clock });
    logger.info('store moved into etcd', { revision });
  } finally {
    await store.close();
  }
  await rename(directory.store, formerStore(directory));
}

/** Resolves with the revision that was copied. A repetition at the same revision does nothing. */
export async function copyToEtcd(
  directory: DataDirectory,
  store: Store,
  member: EtcdMember,
  { clock }: { readonly clock: Clock },
): Promise<Revision> {
  const above = await store.revision();
  // The store may have been written to since an interrupted move.
  const id = `migration ${createHash('sha256').update(directory.root).digest('hex').slice(0, 16)} ${above}`;
  const target = { endpoints: () => member.endpoints, tls: member.tls, clock };
  const { store: etcd, earlier } = await openEtcdForRestore(target);
  await etcd.close();
  await restoreEtcd(target, { id, by: directory.root, above, ...earlier }, () => storedContent(store));
  return above;
}
