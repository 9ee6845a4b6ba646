// Removes volumes, logs and cgroups of unknown pods, which a crash, or a deletion while the kubelet was stopped, left
// behind.

import path from 'node:path';
import { must } from '../../machinery/must.ts';
import type { KubeletTools } from '../tools.ts';
import { removeTree } from '../volumes/remove-tree.ts';
import { podDirectories, tearDownVolumes } from '../volumes/volumes.ts';
import { namesIn } from './names-in.ts';

const sweepPeriodMs = 60_000;
const uidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type SweepTools = Pick<KubeletTools, 'config' | 'clock' | 'logger' | 'cgroups' | 'csi'>;

/** Runs until `signal` aborts. `isInUse`: the pod is in the API, or one of its containers runs. */
export async function sweepFiles(
  tools: SweepTools,
  isInUse: (uid: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await removeOrphanedFiles(tools, isInUse);
    await tools.clock.sleep(sweepPeriodMs, signal).catch(() => {});
  }
}

export async function removeOrphanedFiles(
  { config, logger, cgroups, csi }: Pick<SweepTools, 'config' | 'logger' | 'cgroups' | 'csi'>,
  isInUse: (uid: string) => boolean,
): Promise<void> {
  const remove = async (target: string, work: Promise<void>) =>
    work.catch((error) =>
      logger.warn('cannot remove files of a deleted pod', { directory: target, error: String(error) }),
    );
  const { disk, memory } = podDirectories(config.rootDirectory, 'x');
  const found = await Promise.all([disk, memory].map((directory) => namesIn(path.dirname(directory))));
  for (const uid of new Set(found.flat())) {
    const directories = podDirectories(config.rootDirectory, uid);
    if (!uidPattern.test(uid) || isInUse(uid)) continue;
    cgroups?.remove(uid);
    const takeDown = async () => {
      await csi?.tearDown(uid, { once: true });
      await tearDownVolumes(directories);
    };
    await remove(directories.disk, takeDown());
  }
  for (const name of await namesIn(config.podLogsDirectory)) {
    const uid = must(name.split('_').at(-1), 'uid');
    const directory = path.join(config.podLogsDirectory, name);
    if (uidPattern.test(uid) && !isInUse(uid)) await remove(directory, removeTree(directory));
  }
}
