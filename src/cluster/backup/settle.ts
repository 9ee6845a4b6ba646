// The last step of a restore, which a kill may interrupt at any point: the next command on the directory repeats it. A
// restore is decided by one rename, of `restoring` to `restored`. From then on the directory counts as restored.

import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import { type EtcdTls, restoreEtcd, type StoredPart, StoreUnusable } from '../../store/store.ts';
import type { DataDirectory } from '../data-directory.ts';
import { endFormerMember } from '../etcd-member/etcd-member.ts';
import { BackupError } from './folder.ts';
import { openBackup } from './inspect.ts';
import { syncDirectory } from './place.ts';

export interface RestorePlan {
  /** Names this restore in etcd. */
  readonly id: string;
  /** The files and directories of the restored cluster. */
  readonly items: readonly string[];
  /** All revisions are above it afterwards. */
  readonly above?: number;
  /** Of etcd, if that is the store of the restored cluster; with the restores that this one replaces. */
  readonly etcd?: {
    readonly endpoints: readonly string[];
    readonly tls?: EtcdTls;
    readonly after?: string;
    readonly instead?: string;
  };
}

/** The files and directories that are replaced, and removed where the restored cluster has none. */
const replaced = [
  ...['pki', 'store', 'files', 'network.json', 'settings.json', 'coracle.json', 'kubeconfig'],
  // Of a server. The restored cluster has new etcd members.
  ...['store.former', 'server.json', 'etcd'],
];
export const planFile = 'plan.json';
export const entriesFile = 'entries';

export const placesOf = ({ root }: DataDirectory) => ({
  /** The restored cluster while it is made. */
  restoring: path.join(root, 'restoring'),
  restored: path.join(root, 'restored'),
  /** A copy of the present etcd member, which is read while the restored cluster is made. */
  copiedMember: path.join(root, 'restoring', 'present'),
  /** Files of the former cluster until the restore is done. */
  former: path.join(root, 'former'),
});

/** Finishes a restore that was decided, and removes the remains of one that was not. The caller has the directory. */
export async function settleRestore(directory: DataDirectory, clock: Clock): Promise<void> {
  const { restoring, restored, former, copiedMember } = placesOf(directory);
  await endFormerMember(copiedMember, clock);
  if (existsSync(restored)) {
    const plan = await readPlan(path.join(restored, planFile));
    if (plan?.etcd) await loadEtcd(directory, plan, plan.etcd, clock);
    if (plan) await replaceFiles(directory, plan.items);
    // Without its plan, the rest is only to be removed.
    await rm(path.join(restored, planFile), { force: true });
    await rm(restored, { recursive: true, force: true });
  }
  await rm(restoring, { recursive: true, force: true });
  await rm(former, { recursive: true, force: true });
}

async function readPlan(file: string): Promise<RestorePlan | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RestorePlan);
}

async function loadEtcd(
  directory: DataDirectory,
  { id, above }: RestorePlan,
  { endpoints, tls = {}, ...earlier }: NonNullable<RestorePlan['etcd']>,
  clock: Clock,
): Promise<void> {
  const parts = async function* (): AsyncIterable<StoredPart> {
    const file = createReadStream(path.join(placesOf(directory).restored, entriesFile));
    for await (const part of (await openBackup(file, {})).parts) if (part.type !== 'file') yield part;
  };
  const restore = { id, by: directory.root, ...(above !== undefined && { above }), ...earlier };
  await restoreEtcd({ endpoints, tls, clock }, restore, parts).catch((error: Error) => {
    const { restored } = placesOf(directory);
    const remedy =
      error instanceof StoreUnusable && error.reason === 'in-use'
        ? `remove ${restored} to leave etcd as it is`
        : 'remove the cause; the next "up" or "restore" with this data directory finishes it';
    throw new BackupError(
      `the restore into the etcd at ${endpoints.join(',')} is not finished: ${error.message}. To go on, ${remedy}`,
    );
  });
}

/** Each is moved away before its successor comes, so that a repetition goes on where the last one ended. */
async function replaceFiles(directory: DataDirectory, items: readonly string[]): Promise<void> {
  const { restored, former } = placesOf(directory);
  await mkdir(former, { recursive: true, mode: 0o700 });
  for (const name of replaced) {
    const current = path.join(directory.root, name);
    const next = path.join(restored, name);
    const isDue = existsSync(next) || !items.includes(name);
    if (isDue && existsSync(current)) await rename(current, path.join(former, name));
    if (existsSync(next)) await rename(next, current);
  }
  await syncDirectory(directory.root);
}
