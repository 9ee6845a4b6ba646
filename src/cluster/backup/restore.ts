// Restores a backup into a data directory: verifies all of it, makes the restored cluster beside the present one, counts
// the objects that would be lost, and on `commit` replaces the one by the other.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';
import type { BackupHeader, BackupPart, Decryption, EtcdTls } from '../../store/store.ts';
import { claimRestoredRanges } from '../addresses/network-ranges.ts';
import { claim, type DataDirectory, openDataDirectory, restoredRevision, restoredStamp } from '../data-directory.ts';
import { membershipFile } from '../joining/membership.ts';
import { serverFile } from '../joining/server-directory.ts';
import { version } from '../version.ts';
import { buildWithEntries, buildWithStore, builtEntries, syncTree, writeOwnFile } from './build.ts';
import { requireMoment } from './choose.ts';
import { compareContent, type ResourceLoss } from './compare.ts';
import { BackupError } from './folder.ts';
import { openBackup, refuseFuture } from './inspect.ts';
import { syncDirectory } from './place.ts';
import { entriesOf, type PresentStore, presentEmbedded, presentEtcd } from './present.ts';
import { presentMember } from './present-member.ts';
import { type Flags, startCommand } from './saved-settings.ts';
import { placesOf, planFile, type RestorePlan, settleRestore } from './settle.ts';
import { flagsFor, type RestoreTarget, targetOf, tlsOf } from './target.ts';

interface RestoreRequest {
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

function refuseNode(directory: DataDirectory): void {
  if (existsSync(membershipFile(directory)))
    throw new BackupError(`${directory.root} is that of a node: restore on a machine of the control plane`);
}

/** Throws BackupUnusable, BackupError, DataDirectoryError or StoreUnusable; then nothing has changed. */
export async function prepareRestore(request: RestoreRequest): Promise<PreparedRestore> {
  const { directory, clock, name } = request;
  const { header, parts } = await openBackup(request.bytes, request.decryption);
  refuseFuture(header);
  if (request.at !== undefined) requireMoment(header, request.at);
  await openDataDirectory(directory);
  refuseNode(directory);
  const target = request.target ?? chosenTarget(header, directory);
  await claim(directory, { name, address: '', startedAt: clock.now(), version });
  const { restoring, restored } = placesOf(directory);
  const release = async () => {
    await rm(restoring, { recursive: true, force: true });
    await rm(directory.runFile, { force: true });
  };
  try {
    await settleRestore(directory, clock);
    await mkdir(restoring, { mode: 0o700 });
    const flags = flagsFor(header.settings, directory, target);
    const losses = await build(request, { header, parts, target, flags });
    const isServer = target.store === 'embedded' && target.isServer;
    return {
      ...{ header, target, losses },
      startCommand: startCommand({ name, dataDirectory: directory.root, flags, isServer }),
      async commit() {
        await rename(restoring, restored);
        await syncDirectory(directory.root);
        await settleRestore(directory, clock).finally(() => rm(directory.runFile, { force: true }));
      },
      discard: release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A server stays one: it is the first of a new control plane. */
function chosenTarget(header: BackupHeader, directory: DataDirectory): RestoreTarget {
  const target = targetOf(header);
  const isServer = target.store === 'embedded' && existsSync(serverFile(directory));
  return isServer ? { ...target, isServer } : target;
}

interface Content {
  readonly header: BackupHeader;
  readonly parts: AsyncIterable<BackupPart>;
  readonly target: RestoreTarget;
  readonly flags: Flags;
}

/** Makes the restored cluster in `restoring`. Resolves with the losses. */
async function build(request: RestoreRequest, { header, parts, target, flags }: Content): Promise<readonly Loss[]> {
  const { directory, clock, name } = request;
  const { restoring, copiedMember } = placesOf(directory);
  const content = { directory: restoring, parts };
  if (target.store === 'etcd') await buildWithEntries(content, header);
  const tls = target.store === 'etcd' ? await tlsOf(target, restoring) : undefined;
  const present: PresentStore[] = [];
  try {
    present.push(...(await presentEmbedded(directory, clock)));
    present.push(...(await presentMember(directory, copiedMember, clock)));
    if (target.store === 'etcd' && tls)
      present.push(await presentEtcd({ ...target, tls }, clock, request.quietMs ?? defaultQuietMs));
    const floor = await restoredRevision(directory);
    const newest = Math.max(header.revision, floor, ...present.map(({ revision }) => revision));
    if (target.store !== 'etcd') await buildWithStore(content, newest + revisionStep);
    const saved = { name, store: target.store, flags };
    await writeOwnFile(restoring, path.basename(directory.settings), JSON.stringify(saved));
    const stamp = restoredStamp(target.store, newest + revisionStep);
    await writeOwnFile(restoring, path.basename(directory.stamp), stamp);
    await claimRestoredRanges(path.join(restoring, path.basename(directory.ranges)), directory);
    const losses = await lossesOf(present, header, () => builtEntries(restoring, clock));
    const plan = planOf({ header, target, tls, present, newest }, clock);
    for (const { close } of present.splice(0)) await close?.();
    const items = await readdir(restoring);
    await writeOwnFile(restoring, planFile, JSON.stringify({ ...plan, items } satisfies RestorePlan));
    await syncTree(restoring);
    return losses;
  } finally {
    for (const { close } of present) await close?.();
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
  readonly tls: EtcdTls | undefined;
  readonly present: readonly PresentStore[];
  readonly newest: number;
}

function planOf({ header, target, tls, present, newest }: Decision, clock: Clock): Omit<RestorePlan, 'items'> {
  const id = `${clock.now()}-${process.pid}`;
  if (target.store !== 'etcd') return { id };
  const etcd = present.find(({ earlier }) => earlier);
  // etcd has seen all revisions of this cluster: those that follow are new to every client.
  const isAhead = etcd?.clusterUid !== undefined && etcd.clusterUid === header.clusterUid && etcd.revision >= newest;
  return {
    ...{ id, etcd: { endpoints: target.endpoints, ...(tls && { tls }), ...etcd?.earlier } },
    ...(!isAhead && { above: newest + revisionStep }),
  };
}
