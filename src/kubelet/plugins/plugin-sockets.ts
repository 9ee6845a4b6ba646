// The sockets below the directory in which plugins announce themselves.
// https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/

import type { Dirent } from 'node:fs';
import { watch } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';

/** Directories below the directory that are searched, and the entries of all of them. */
const deepest = 4;
const mostEntries = 1000;

/** A socket that was made again at the same path has another identity. */
export type PluginSockets = ReadonlyMap<string, string>;

/** The sockets with their identities. Names that begin with a dot are left out. */
export async function findSockets(directory: string): Promise<PluginSockets> {
  const found = new Map<string, string>();
  let entries = 0;
  const search = async (at: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(at)) {
      if (entries++ >= mostEntries) return;
      if (entry.name.startsWith('.')) continue;
      const file = path.join(at, entry.name);
      if (entry.isDirectory() && depth < deepest) await search(file, depth + 1);
      if (!entry.isSocket()) continue;
      const identity = await stat(file, { bigint: true }).catch(() => undefined);
      if (identity) found.set(file, `${identity.dev}:${identity.ino}:${identity.birthtimeNs}`);
    }
  };
  await search(directory, 0);
  return found;
}

const entriesOf = (directory: string): Promise<Dirent[]> =>
  readdir(directory, { withFileTypes: true }).catch(() => [] as Dirent[]);

/** The directory is searched this often even if the kernel reports no change. */
const searchPeriodMs = 10_000;
/** Changes in a row are one. */
const settleMs = 20;

/** Calls `changed` once at the start, after each change, and at intervals, until `signal` aborts. */
export async function watchSockets(
  directory: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
  changed: (sockets: PluginSockets) => void,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  let wake = () => {};
  const watcher = watchTree(directory, () => wake(), logger);
  try {
    while (!signal.aborted) {
      const again = new AbortController();
      wake = () => again.abort();
      changed(await findSockets(directory));
      await clock.sleep(searchPeriodMs, AbortSignal.any([signal, again.signal])).catch(() => {});
      if (!signal.aborted) await clock.sleep(settleMs, signal).catch(() => {});
    }
  } finally {
    watcher?.close();
  }
}

/** Undefined if the kernel has no watch left: then the search at intervals must do. */
function watchTree(directory: string, changed: () => void, logger: Logger) {
  try {
    const watcher = watch(directory, { recursive: true, persistent: false }, changed);
    watcher.on('error', (error) => logger.warn('cannot watch for plugins', { directory, error: String(error) }));
    return watcher;
  } catch (error) {
    logger.warn('cannot watch for plugins', { directory, error: String(error) });
    return undefined;
  }
}
