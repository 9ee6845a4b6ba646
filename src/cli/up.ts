import os from 'node:os';
import path from 'node:path';
import type { ConsoleLink, ServerRequest } from '../cluster/cluster.ts';
import { type ClusterConfig, completeConfig, SettingError } from '../cluster/config.ts';
import { askControl } from '../cluster/control.ts';
import { type DataDirectory, type RunInfo, runningProcess } from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print, seconds } from './options/options.ts';
import { settingsOf } from './options/up-options.ts';
import { startInBackground } from './running/background.ts';

/** Of these, `settingsOf` takes those that configure the cluster. */
export interface UpOptions extends ClusterOptions {
  readonly mergeKubeconfig?: boolean;
  readonly foreground?: boolean;
  readonly output: 'text' | 'json';
  readonly [setting: string]: unknown;
}

/** `server`: this machine is one server of several. */
export async function up(options: UpOptions, server?: ServerRequest): Promise<void> {
  const directory = directoryOf(options);
  const config = configOf(options, directory, server);
  checkMachine(config);
  const running = await runningProcess(directory);
  if (config.components.includes('kubelet') && !running?.address)
    await ensurePrograms(config, options.output === 'json');
  if (options.foreground) return (await import('./running/run-cluster.ts')).runInForeground(config);
  const beginMs = performance.now();
  const info = running?.address
    ? running
    : await startInBackground('run-cluster', config, directory, options.output === 'json');
  if (options.mergeKubeconfig) await mergeInto(directory);
  const ms = performance.now() - beginMs;
  // A server that was started by an older version has no such command.
  const link = await askControl<ConsoleLink | null>(directory.controlSocket, 'console-link').catch(() => null);
  report(info, directory, options, { wasRunning: running !== undefined, ms, link });
}

function configOf(options: UpOptions, directory: DataDirectory, server: ServerRequest | undefined): ClusterConfig {
  try {
    return completeConfig({
      ...settingsOf(options),
      name: options.name,
      dataDirectory: directory.root,
      ...(server && { server }),
    });
  } catch (error) {
    throw error instanceof SettingError ? new CliError(error.message, 2) : error;
  }
}

/** The programs that real containers need on this machine. Throws CliError with the remedy. */
export async function ensurePrograms(
  { runtime, ociRuntime }: Pick<ClusterConfig, 'runtime' | 'ociRuntime'>,
  quiet: boolean,
): Promise<void> {
  if (runtime === 'native') await (await import('./machine/oci-runtime.ts')).ensureOciRuntime(ociRuntime, quiet);
  if (runtime !== 'simulated') await (await import('./machine/network-programs.ts')).ensureNetworkPrograms(quiet);
}

/** Throws CliError when this machine cannot run real containers, with the way out. */
export function checkMachine({ runtime, components }: ClusterConfig): void {
  if (runtime === 'simulated' || !components.includes('kubelet')) return;
  const instead = 'With "--runtime simulated" everything but real containers works here.';
  if (process.platform !== 'linux')
    throw new CliError(`real containers need Linux, and this is ${os.type()}. ${instead}`);
  if (process.getuid?.() !== 0) throw new CliError(`real containers need root: run "sudo ./coracle up". ${instead}`);
}

async function mergeInto(directory: DataDirectory): Promise<void> {
  const { mergeKubeconfig } = await import('../cluster/cluster.ts');
  const own = process.env['KUBECONFIG']
    ?.split(path.delimiter)
    .find((file) => file && path.resolve(file) !== directory.kubeconfig);
  await mergeKubeconfig(own ?? path.join(os.homedir(), '.kube', 'config'), directory.kubeconfig);
}

interface Outcome {
  readonly wasRunning: boolean;
  readonly ms: number;
  readonly link: ConsoleLink | null;
}

function report(info: RunInfo, directory: DataDirectory, options: UpOptions, { wasRunning, ms, link }: Outcome): void {
  if (options.output === 'json') {
    const { name, pid, address: server } = info;
    print(
      JSON.stringify({
        name,
        pid,
        server,
        kubeconfig: directory.kubeconfig,
        started: !wasRunning,
        ...(link && { console: link.url }),
      }),
    );
    return;
  }
  print(
    wasRunning
      ? `Cluster "${info.name}" runs at ${info.address}.`
      : `Cluster "${info.name}" is ready at ${info.address} ${dim(`(${seconds(ms)})`)}`,
  );
  print(`\n  ${bold(`export KUBECONFIG=${directory.kubeconfig}`)}`);
  if (link) print(`  console    ${link.url}  ${dim('(signs in once, for 15 minutes)')}`);
}
