// Restores a backup into a data directory: verifies all of it, makes the restored cluster beside the present one, counts
// the objects that would be lost, and on `commit` replaces the one by the other.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import type { BackupHeader, Decryption } from '../../store/store.ts';
import { claim, type DataDirectory, openDataDirectory, stampText } from '../data-directory.ts';
import { membershipFile } from '../joining/membership.ts';
import { serverFile } from '../joining/server-directory.ts';
import { claimRestoredRanges } from '../network-ranges.ts';
import { version } from '../version.ts';
import { buildWithEntries, buildWithStore, builtEntries, syncTree, writeOwnFile } from './build.ts';
import { requireMoment } from './choose.ts';
import { compareContent, type ResourceLoss } from './compare.ts';
import { BackupError } from './folder.ts';
import { openBackup, refuseFuture } from './inspect.ts';
import { syncDirectory } from './place.ts';
import { entriesOf, type PresentStore, presentEmbedded, presentEtcd } from './present.ts';
import { type Flags, startCommand } from './saved-settings.ts';
import { placesOf, planFile, type RestorePlan, settleRestore } from './settle.ts';

export type RestoreTarget =
  | { readonly store: 'embedded' }
  | { readonly store: 'etcd'; readonly endpoints: readonly string[] };

export interface RestoreRequest {
  readonly directory: DataDirectory;
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly decryption: Decryption;
  /** Undefined: the store of the backup. */
  readonly target?: RestoreTarget;
  readonly clock: Clock;
  /** The moment that the backup must have. */
  readonly at?: string;
  /** Writes to etcd within this time show that a cluster runs. */
  readonly quietMs?: number;
}

export interface Loss {
  /** The data directory, or etcd's endpoints. */
  readonly place: string;
  /** Undefined: it could not be read, as `problem` says. */
  readonly resources?: readonly ResourceLoss[];
  readonly problem?: string;
  readonly isSameCluster: boolean;
}

export interface PreparedRestore {
  readonly header: BackupHeader;
  readonly target: RestoreTarget;
  /** Empty when there is nothing to lose. */
  readonly losses: readonly Loss[];
  /** Starts the restored cluster. */
  readonly startCommand: string;
  /** Decides the restore, and finishes it. */
  commit(): Promise<void>;
  /** Leaves everything as it is. */
  discard(): Promise<void>;
}

/** Added to the newest revision: more than a cluster writes between its last backup and its loss. */
const revisionStep = 1_000_000_000;
const defaultQuietMs = 3_000;

/** Of several servers, each has a part of the store: one alone cannot replace it. */
function refuseOtherMachine(directory: DataDirectory): void {
  const { root } = directory;
  if (existsSync(membershipFile(directory)))
    throw new BackupError(`${root} is that of a node: restore on a machine of the control plane`);
  if (existsSync(serverFile(directory)))
    throw new BackupError(
      `${root} is that of a server, whose store is etcd: run "coracle down --delete" on every server, restore into the empty directory with --store embedded, and start it with "coracle server --cluster-init", which takes the data over; then the others join again`,
    );
}

/** Throws BackupUnusable, BackupError, DataDirectoryError or StoreUnusable; then nothing has changed. */
export async function prepareRestore(request: RestoreRequest): Promise<PreparedRestore> {
  const { directory, clock, name } = request;
  const { header, parts } = await openBackup(request.bytes, request.decryption);
  refuseFuture(header);
  if (request.at !== undefined) requireMoment(header, request.at);
  const target = request.target ?? targetOf(header);
  await openDataDirectory(directory);
  refuseOtherMachine(directory);
  await claim(directory, { name, address: '', startedAt: clock.now(), version });
  const { restoring, restored } = placesOf(directory);
  const release = async () => {
    await rm(restoring, { recursive: true, force: true });
    await rm(directory.runFile, { force: true });
  };
  try {
    await settleRestore(directory, clock);
    await mkdir(restoring, { mode: 0o700 });
    const present = await openPresent(request, target);
    try {
      const newest = Math.max(header.revision, ...present.map(({ revision }) => revision));
      const build = { directory: restoring, parts };
      if (target.store === 'etcd') await buildWithEntries(build, header);
      else await buildWithStore(build, newest + revisionStep);
      const flags = flagsFor(header.settings, directory, target);
      const saved = { name, store: target.store, flags };
      await writeOwnFile(restoring, path.basename(directory.settings), JSON.stringify(saved));
      await writeOwnFile(restoring, path.basename(directory.stamp), stampText(target.store));
      await claimRestoredRanges(path.join(restoring, path.basename(directory.ranges)), directory);
      const losses = await lossesOf(present, header, () => builtEntries(restoring, clock));
      const plan = planOf({ header, target, present, newest }, await readdir(restoring), clock);
      await writeOwnFile(restoring, planFile, JSON.stringify(plan));
      await syncTree(restoring);
      return {
        ...{ header, target, losses },
        startCommand: startCommand({
          ...{ name, dataDirectory: directory.root, flags },
          isServer: header.isServer && target.store === 'embedded',
        }),
        async commit() {
          await rename(restoring, restored);
          await syncDirectory(directory.root);
          await settleRestore(directory, clock).finally(() => rm(directory.runFile, { force: true }));
        },
        discard: release,
      };
    } finally {
      for (const { store } of present) await store?.close();
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** The store that the cluster had; one in memory continues on the disk. Servers move an embedded one into their etcd. */
function targetOf({ store, settings, isServer }: BackupHeader): RestoreTarget {
  if (store !== 'etcd' || isServer) return { store: 'embedded' };
  const endpoints = settings['etcd-endpoints']?.split(',');
  if (endpoints) return { store: 'etcd', endpoints };
  throw new BackupError('the backup names no etcd: give --etcd-endpoints, or --store embedded');
}

/** The stores that would be replaced. */
async function openPresent(request: RestoreRequest, target: RestoreTarget): Promise<readonly PresentStore[]> {
  const { directory, clock, quietMs = defaultQuietMs } = request;
  const own = await presentEmbedded(directory, clock);
  if (target.store !== 'etcd') return own;
  try {
    return [...own, await presentEtcd(target.endpoints, clock, quietMs)];
  } catch (error) {
    for (const { store } of own) await store?.close();
    throw error;
  }
}

async function lossesOf(
  present: readonly PresentStore[],
  header: BackupHeader,
  restored: () => ReturnType<typeof entriesOf>,
): Promise<Loss[]> {
  const losses: Loss[] = [];
  for (const { place, store, problem, clusterUid } of present) {
    const isSameCluster = clusterUid !== undefined && clusterUid === header.clusterUid;
    if (problem !== undefined) losses.push({ place, problem, isSameCluster });
    else if (!(await entriesOf(store)[Symbol.asyncIterator]().next()).done)
      losses.push({ place, resources: await compareContent(entriesOf(store), restored()), isSameCluster });
  }
  return losses;
}

interface Decision {
  readonly header: BackupHeader;
  readonly target: RestoreTarget;
  readonly present: readonly PresentStore[];
  readonly newest: number;
}

function planOf({ header, target, present, newest }: Decision, items: readonly string[], clock: Clock): RestorePlan {
  const id = `${clock.now()}-${process.pid}`;
  if (target.store !== 'etcd') return { id, items };
  const etcd = present.find(({ earlier }) => earlier);
  // etcd has seen all revisions of this cluster: those that follow are new to every client.
  const isAhead = etcd?.clusterUid !== undefined && etcd.clusterUid === header.clusterUid && etcd.revision >= newest;
  return {
    ...{ id, items, etcd: { endpoints: target.endpoints, ...etcd?.earlier } },
    ...(!isAhead && { above: newest + revisionStep }),
  };
}

/** Files get their place in this directory, and the store is the one that was chosen. */
function flagsFor(saved: Flags, directory: DataDirectory, target: RestoreTarget): Flags {
  const { store: _, 'etcd-endpoints': __, ...others } = saved;
  const placed = Object.entries(others).map(([flag, value]) => [
    flag,
    value.startsWith('files/') ? path.join(directory.root, value) : value,
  ]);
  return {
    ...Object.fromEntries(placed),
    ...(target.store === 'etcd' && { store: 'etcd', 'etcd-endpoints': target.endpoints.join(',') }),
  };
}
