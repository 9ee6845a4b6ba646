// Starts a process in the background, gives it its configuration, and follows it until it is ready.

import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import {
  type DataDirectory,
  DataDirectoryError,
  openDataDirectory,
  type RunInfo,
  runningProcess,
} from '../../cluster/data-directory.ts';
import { CliError, dim, print, seconds } from '../options/options.ts';
import type { StepMessage } from './run-in-process.ts';

/**
 * Most of a request's memory is garbage after the response. A four times larger young generation saves a tenth of the
 * CPU in a burst, and costs 100 MB.
 */
const youngMemory = ['--max-semi-space-size=16'];

/**
 * glibc has an arena per thread and rarely returns free memory: two arenas use less. It also raises its mmap threshold
 * to megabytes, which fragments the heap: a fixed threshold prevents that. Below 512 KiB, the buffers of compression would
 * be mapped for each response, at twice the CPU; at 1 MiB, bursts of objects somewhat smaller leave 150 MB behind.
 */
const sparingMalloc = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '524288', MALLOC_TRIM_THRESHOLD_: '4194304' };

/** `command` is a hidden command of this program, which reads `config` as a message. Rejects with CliError. */
export async function startInBackground(
  command: string,
  config: object,
  directory: DataDirectory,
  quiet: boolean,
): Promise<RunInfo> {
  await openDataDirectory(directory).catch((error) => {
    throw error instanceof DataDirectoryError ? new CliError(error.message) : error;
  });
  const log = openSync(directory.log, 'a', 0o600);
  const node = [
    ...process.execArgv,
    ...youngMemory.filter(() => !process.execArgv.some((a) => a.includes('semi-space'))),
  ];
  // The data directory in its arguments identifies the process.
  const words = [...node, process.argv[1], command, '--data-dir', directory.root];
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: '/',
    env: { ...sparingMalloc, ...process.env },
  });
  closeSync(log);
  child.send(config, () => {}); // a process that ends before reading this reports the reason
  let problem: string | undefined;
  const ready = await new Promise<boolean>((resolve) => {
    child.on('message', (message: StepMessage) => {
      if (message.type === 'step' && !quiet) print(`  ${message.name.padEnd(26)} ${dim(seconds(message.ms))}`);
      if (message.type === 'error') problem = message.message;
      if (message.type === 'ready') resolve(true);
    });
    child.on('error', (error) => {
      problem = error.message;
      resolve(false);
    });
    child.on('exit', () => resolve(false));
  });
  if (!ready)
    throw new CliError(problem ?? `the cluster did not start; its log ends with:\n${await lastLines(directory.log)}`);
  child.disconnect();
  child.unref();
  const info = await runningProcess(directory);
  if (!info)
    throw new CliError(
      `the cluster ended right after its start; its log ends with:\n${await lastLines(directory.log)}`,
    );
  return info;
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(-12).join('\n');
}
