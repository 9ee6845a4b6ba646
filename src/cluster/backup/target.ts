// Where a backup goes: the store of the restored cluster.

import path from 'node:path';
import type { BackupHeader, EtcdTls } from '../../store/store.ts';
import { readEtcdTls } from '../configuration/etcd-tls.ts';
import type { DataDirectory } from '../data-directory.ts';
import { type EtcdFiles, storeSettings } from '../settings/store-settings.ts';
import { BackupError } from './folder.ts';
import type { Flags } from './saved-settings.ts';

export type RestoreTarget =
  /** `isServer`: the first of several servers, whose next start moves the store into its etcd member. */
  | { readonly store: 'embedded'; readonly isServer?: boolean }
  | {
      readonly store: 'etcd';
      readonly endpoints: readonly string[];
      /** Absolute, or below `files/` of the restored cluster. */
      readonly files?: EtcdFiles;
    };

const filesFlags = ['etcdCafile', 'etcdCertfile', 'etcdKeyfile'] as const;
const taken = Object.values(storeSettings).map(({ flag }) => flag);

/** The store that the cluster had; one in memory continues on the disk. */
export function targetOf({ store, settings, isServer }: BackupHeader): RestoreTarget {
  if (isServer) return { store: 'embedded', isServer };
  if (store !== 'etcd') return { store: 'embedded' };
  const endpoints = settings['etcd-endpoints']?.split(',');
  if (!endpoints) throw new BackupError('the backup names no etcd: give --etcd-endpoints, or --store embedded');
  return { store, endpoints, files: etcdFilesOf(settings) };
}

/** The files of etcd's client among saved flags. */
export const etcdFilesOf = (flags: Flags): EtcdFiles =>
  Object.fromEntries(
    filesFlags.flatMap((name) => {
      const file = flags[storeSettings[name].flag];
      return file === undefined ? [] : [[name, file]];
    }),
  );

/** The texts of the target's files; those of the backup are below `restoring`. Rejects with BackupError. */
export async function tlsOf({ files = {} }: RestoreTarget & { store: 'etcd' }, restoring: string): Promise<EtcdTls> {
  const placed = filesFlags.map((name) => [name, placedIn(restoring, files[name])]);
  return readEtcdTls(Object.fromEntries(placed) as EtcdFiles).catch((error: Error) => {
    throw new BackupError(error.message);
  });
}

/** Files get their place in this directory, and the store is the one that was chosen. */
export function flagsFor(saved: Flags, { root }: DataDirectory, target: RestoreTarget): Flags {
  const others = Object.entries(saved).filter(([flag]) => !taken.includes(flag));
  const chosen: Record<string, string | undefined> = {};
  if (target.store === 'etcd') {
    chosen[storeSettings.store.flag] = target.store;
    chosen[storeSettings.etcdEndpoints.flag] = target.endpoints.join(',');
    for (const name of filesFlags) chosen[storeSettings[name].flag] = target.files?.[name];
  }
  return Object.fromEntries(
    [...others, ...Object.entries(chosen)].flatMap(([flag, value]) =>
      value === undefined ? [] : [[flag, placedIn(root, value)]],
    ),
  ) as Flags;
}

const placedIn = (root: string, file: string | undefined): string | undefined =>
  file?.startsWith('files/') ? path.join(root, file) : file;
