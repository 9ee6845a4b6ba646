// Keeps container logs within containerLogMaxSize and containerLogMaxFiles. The runtime writes; the kubelet moves the
// full file away and tells the runtime to begin anew. https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation

import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { formatTime } from '../api/api.ts';
import type { ContainerRuntime } from '../container-runtime/container-runtime.ts';
import type { Clock } from '../machinery/clock.ts';
import type { Logger } from '../machinery/logger.ts';
import type { KubeletConfig } from './config.ts';

/** containerLogMonitorInterval: how often sizes are looked at. */
const monitorIntervalMs = 10_000;

interface RotationTools {
  readonly config: Pick<KubeletConfig, 'containerLogMaxSize' | 'containerLogMaxFiles'>;
  readonly runtime: Pick<ContainerRuntime, 'listContainers' | 'reopenContainerLog'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Older files of a rotated log, oldest first: 0.log.20260101-000000, all but the newest with .gz. */
export async function rotatedFiles(file: string): Promise<string[]> {
  const names = await readdir(path.dirname(file)).catch(() => [] as string[]);
  const prefix = `${path.basename(file)}.`;
  return names
    .filter((name) => name.startsWith(prefix) && /^\d{8}-\d{6}(\.gz)?$/.test(name.slice(prefix.length)))
    .filter((name) => !name.endsWith('.gz') || !names.includes(name.slice(0, -3))) // being replaced right now
    .sort()
    .map((name) => path.join(path.dirname(file), name));
}

export async function removeLog(file: string): Promise<void> {
  for (const name of [...(await rotatedFiles(file)), file]) await rm(name, { force: true });
}

/** Goes on until `signal` aborts. */
export async function rotateLogs(tools: RotationTools, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await tools.clock.sleep(monitorIntervalMs, signal).catch(() => {});
    if (signal.aborted) return;
    await rotateAll(tools).catch((error) => tools.logger.warn('cannot look at logs', { error: String(error) }));
  }
}

export async function rotateAll(tools: RotationTools): Promise<void> {
  for (const { id, state, logPath } of await tools.runtime.listContainers()) {
    if (state !== 'running') continue;
    const size = await stat(logPath).then(
      (found) => found.size,
      () => 0,
    );
    if (size < tools.config.containerLogMaxSize) continue;
    await rotate(id, logPath, tools).catch((error) =>
      tools.logger.warn('cannot rotate a log', { file: logPath, error: String(error) }),
    );
  }
}

async function rotate(id: string, file: string, { config, runtime, clock }: RotationTools): Promise<void> {
  const older = await rotatedFiles(file);
  // Beside the file that is about to be full and the new one.
  const excess = older.splice(0, Math.max(0, older.length - (config.containerLogMaxFiles - 2)));
  for (const name of excess) await rm(name, { force: true });
  for (const name of older) if (!name.endsWith('.gz')) await compress(name);
  const stamp = formatTime(clock.now()).replace(/[-:Z]/g, '').replace('T', '-');
  const target = `${file}.${stamp}`;
  if (older.some((name) => name.startsWith(target))) return; // within one second: the next turn does it
  await rename(file, target);
  try {
    await runtime.reopenContainerLog(id);
  } catch (error) {
    // The runtime goes on writing to the file that it has open: it must keep its name.
    await rename(target, file);
    throw error;
  }
}

async function compress(file: string): Promise<void> {
  const making = `${file}.tmp`;
  await pipeline(createReadStream(file), createGzip(), createWriteStream(making));
  await rename(making, `${file}.gz`);
  await rm(file);
}
