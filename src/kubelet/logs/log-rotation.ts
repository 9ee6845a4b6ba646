// Keeps container logs within containerLogMaxSize and containerLogMaxFiles. The runtime writes; the kubelet renames the
// full file and makes the runtime open a new one.
// https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation

import { constants, createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { formatTime } from '../../api/api.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { containerLogMonitorIntervalMs, type KubeletConfig } from '../config.ts';
import { openRegularIn, pathOf } from '../files/safe-path.ts';
import { inDirectory, rotatedNames } from './log-files.ts';

interface RotationTools {
  readonly config: Pick<
    KubeletConfig,
    'containerLogMaxSize' | 'containerLogMaxFiles' | 'containerLogMonitorIntervalMs' | 'podLogsDirectory'
  >;
  readonly runtime: Pick<ContainerRuntime, 'listContainers' | 'reopenContainerLog'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs until `signal` aborts. */
export async function rotateLogs(tools: RotationTools, signal: AbortSignal): Promise<void> {
  const intervalMs = tools.config.containerLogMonitorIntervalMs ?? containerLogMonitorIntervalMs;
  while (!signal.aborted) {
    await tools.clock.sleep(intervalMs, signal).catch(() => {});
    if (signal.aborted) return;
    await rotateAll(tools).catch((error) => tools.logger.warn('cannot list logs', { error: String(error) }));
  }
}

export async function rotateAll(tools: RotationTools): Promise<void> {
  for (const { id, state, logPath } of await tools.runtime.listContainers()) {
    if (state !== 'running') continue;
    const found = await lstat(logPath).catch(() => undefined);
    if (!found?.isFile() || found.size < tools.config.containerLogMaxSize) continue;
    const log = { root: tools.config.podLogsDirectory, file: logPath };
    await inDirectory(log, (directory) => rotate(id, logPath, directory, tools)).catch((error) =>
      tools.logger.warn('cannot rotate a log', { file: logPath, error: String(error) }),
    );
  }
}

async function rotate(
  id: string,
  file: string,
  directory: FileHandle,
  { config, runtime, clock }: RotationTools,
): Promise<void> {
  const at = (name: string) => `${pathOf(directory)}/${name}`;
  const older = await rotatedNames(directory, file);
  // Beside the file that is about to be full and the new one.
  const excess = older.splice(0, Math.max(0, older.length - (config.containerLogMaxFiles - 2)));
  for (const name of excess) await rm(at(name), { force: true });
  for (const name of older) if (!name.endsWith('.gz')) await compress(directory, name);
  const stamp = formatTime(clock.now()).replace(/[-:Z]/g, '').replace('T', '-');
  const name = path.basename(file);
  const target = `${name}.${stamp}`;
  if (older.some((each) => each.startsWith(target))) return; // within one second: the next round rotates it
  await rename(at(name), at(target));
  try {
    await runtime.reopenContainerLog(id);
  } catch (error) {
    // The runtime still writes to its open file, so the file must get its name back.
    await rename(at(target), at(name));
    throw error;
  }
}

async function compress(directory: FileHandle, name: string): Promise<void> {
  const at = (suffix: string) => `${pathOf(directory)}/${name}${suffix}`;
  const from = await openRegularIn(directory, name);
  if (!from) return;
  await rm(at('.tmp'), { force: true });
  const to = await open(at('.tmp'), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
  await pipeline(createReadStream('', { fd: from }), createGzip(), createWriteStream('', { fd: to }));
  await rename(at('.tmp'), at('.gz'));
  await rm(at(''));
}
