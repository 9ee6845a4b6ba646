// Finds the backup of a moment: among those of a folder, or in one file that has exactly that moment.

import { type BackupHeader, BackupUnusable, type Decryption } from '../../store/store.ts';
import { BackupError, type BackupFolder } from './folder.ts';
import { openBackup } from './inspect.ts';
import { scheduledTime } from './schedule.ts';

interface Moment {
  /** RFC 3339, or a revision. */
  readonly at: string;
  readonly decryption: Decryption;
}

/** The newest scheduled backup that is not newer than the moment; undefined `moment`: the newest of all. */
export async function chooseBackup(folder: BackupFolder, place: string, moment?: Moment): Promise<string> {
  const names = (await folder.list()).filter((name) => scheduledTime(name) !== undefined).sort(byTime);
  const newest = names.at(-1);
  if (newest === undefined) throw new BackupError(`${place} has no scheduled backups (NAME-<time>.backup)`);
  if (!moment) return newest;
  const found = await (isRevision(moment.at)
    ? newestUpTo(folder, names, moment)
    : names.findLast((name) => Number(scheduledTime(name)) <= timeOf(moment.at)));
  if (found !== undefined) return found;
  throw new BackupError(`${place} has no backup from ${moment.at} or before: the oldest is ${names[0]}`);
}

async function newestUpTo(
  folder: BackupFolder,
  names: readonly string[],
  { at, decryption }: Moment,
): Promise<string | undefined> {
  for (const name of names.toReversed()) {
    const header = await openBackup(folder.read(name), decryption).catch((error) => {
      // A damaged one is none; one that needs a key is not to be skipped silently.
      if (error instanceof BackupUnusable && error.reason !== 'encrypted') return undefined;
      throw error;
    });
    if (header && header.header.revision <= Number(at)) return name;
  }
  return undefined;
}

/** Throws BackupError unless one backup has exactly this moment. */
export function requireMoment({ revision, time }: BackupHeader, at: string): void {
  if (isRevision(at) ? Number(at) === revision : timeOf(at) === Date.parse(time)) return;
  throw new BackupError(
    `the backup has only the revision ${revision} of ${time}: give a folder of scheduled backups to choose one by --at`,
  );
}

const byTime = (a: string, b: string) => Number(scheduledTime(a)) - Number(scheduledTime(b));

const isRevision = (at: string) => /^\d+$/.test(at);

function timeOf(at: string): number {
  const ms = Date.parse(at);
  if (/^\d{4}-\d\d-\d\dT/.test(at) && !Number.isNaN(ms)) return ms;
  throw new BackupError(
    `"${at}" is neither a revision nor a time: give a number, or a time such as 2026-01-02T15:04:05Z`,
  );
}
