import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type ClusterConfig, completeConfig, SettingError } from '../cluster/config.ts';
import {
  type DataDirectory,
  DataDirectoryError,
  openDataDirectory,
  type RunInfo,
  runningProcess,
} from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print, seconds } from './options.ts';
import type { StepMessage } from './run-in-process.ts';
import { settingsOf } from './up-options.ts';

/** Of these, `settingsOf` takes those that configure the cluster. */
export interface UpOptions extends ClusterOptions {
  readonly mergeKubeconfig?: boolean;
  readonly foreground?: boolean;
  readonly output: 'text' | 'json';
  readonly [setting: string]: unknown;
}

export async function up(options: UpOptions): Promise<void> {
  const directory = directoryOf(options);
  const config = configOf(options, directory);
  checkMachine(config);
  const running = await runningProcess(directory);
  const needsRuntime = config.runtime === 'native' && config.components.includes('kubelet');
  if (needsRuntime && !running?.address)
    await (await import('./oci-runtime.ts')).ensureOciRuntime(config.ociRuntime, options.output === 'json');
  if (options.foreground) return (await import('./run-in-process.ts')).runInProcess(config);
  const beginMs = performance.now();
  const info = running?.address ? running : await startInBackground(config, directory, options.output === 'json');
  if (options.mergeKubeconfig) await mergeInto(directory);
  report(info, directory, options, running !== undefined, performance.now() - beginMs);
}

function configOf(options: UpOptions, directory: DataDirectory): ClusterConfig {
  try {
    return completeConfig({ ...settingsOf(options), name: options.name, dataDirectory: directory.root });
  } catch (error) {
    throw error instanceof SettingError ? new CliError(error.message, 2) : error;
  }
}

/** Throws CliError when this machine cannot run real containers, with the way out. */
function checkMachine({ runtime, components }: ClusterConfig): void {
  if (runtime === 'simulated' || !components.includes('kubelet')) return;
  const instead = 'With "--runtime simulated" everything but real containers works here.';
  if (process.platform !== 'linux')
    throw new CliError(`real containers need Linux, and this is ${os.type()}. ${instead}`);
  if (process.getuid?.() !== 0) throw new CliError(`real containers need root: run "sudo ./coracle up". ${instead}`);
}

/**
 * Most of a request's memory is garbage after the response. A four times larger young generation saves a tenth of the
 * CPU in a burst, and costs 100 MB.
 */
const youngMemory = ['--max-semi-space-size=16'];

/**
 * glibc has an arena per thread and rarely returns free memory: two arenas use less. It also raises its mmap threshold
 * to megabytes, which fragments the heap: a fixed threshold of a megabyte prevents that.
 */
const sparingMalloc = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '4194304' };

/** Starts the cluster's main process, gives it its configuration, and follows it until it is ready. */
async function startInBackground(config: ClusterConfig, directory: DataDirectory, quiet: boolean): Promise<RunInfo> {
  await openDataDirectory(directory).catch((error) => {
    throw error instanceof DataDirectoryError ? new CliError(error.message) : error;
  });
  const log = openSync(directory.log, 'a', 0o600);
  const node = [
    ...process.execArgv,
    ...youngMemory.filter(() => !process.execArgv.some((a) => a.includes('semi-space'))),
  ];
  const words = [...node, process.argv[1], 'run-cluster', '--data-dir', directory.root];
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

async function mergeInto(directory: DataDirectory): Promise<void> {
  const { mergeKubeconfig } = await import('../cluster/cluster.ts');
  const own = process.env['KUBECONFIG']
    ?.split(path.delimiter)
    .find((file) => file && path.resolve(file) !== directory.kubeconfig);
  await mergeKubeconfig(own ?? path.join(os.homedir(), '.kube', 'config'), directory.kubeconfig);
}

function report(info: RunInfo, directory: DataDirectory, options: UpOptions, wasRunning: boolean, ms: number): void {
  if (options.output === 'json') {
    const { name, pid, address: server } = info;
    print(JSON.stringify({ name, pid, server, kubeconfig: directory.kubeconfig, started: !wasRunning }));
    return;
  }
  print(
    wasRunning
      ? `Cluster "${info.name}" runs at ${info.address}.`
      : `Cluster "${info.name}" is ready at ${info.address} ${dim(`(${seconds(ms)})`)}`,
  );
  print(`\n  ${bold(`export KUBECONFIG=${directory.kubeconfig}`)}`);
}
