// Prints a link to the web console that signs in once, and opens it in a browser if there is a desktop.

import { spawn } from 'node:child_process';
import type { ConsoleLink } from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print } from './options/options.ts';

interface ConsoleOptions extends ClusterOptions {
  readonly open?: boolean;
  readonly output: 'text' | 'json';
  /** Serves the console for the cluster of this file. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly port?: number;
}

export async function console(options: ConsoleOptions): Promise<void> {
  if (options.kubeconfig !== undefined) return serveConsole(options, options.kubeconfig);
  if (options.context !== undefined || options.port !== undefined)
    throw new CliError('--context and --port belong to --kubeconfig');
  const directory = directoryOf(options);
  if (!(await runningProcess(directory)))
    throw new CliError(`no cluster runs in ${directory.root}: start it with "./coracle up"`, 3);
  const link = await askControl<ConsoleLink | null>(directory.controlSocket, 'console-link');
  if (!link) throw new CliError('this cluster has no console: add "console" to --components of "up"');
  show(options, link, 'with all rights: do not share it');
}

function show({ output, open: opens }: ConsoleOptions, { url, expiresMs }: ConsoleLink, rights: string): void {
  const expires = new Date(expiresMs).toISOString();
  if (output === 'json') return print(JSON.stringify({ url, expires }));
  print(`${bold(url)}\n${dim(`signs in once, until ${expires}, ${rights}`)}`);
  if (opens !== false && hasDesktop()) open(url);
}

/** Until Ctrl-C. */
async function serveConsole(options: ConsoleOptions, kubeconfig: string): Promise<void> {
  const { startLocalConsole } = await import('../cluster/local-console/local-console.ts');
  const { context, port = 0 } = options;
  const console = await startLocalConsole({
    ...{ kubeconfig, port, clock: systemClock, ...(context !== undefined && { context }) },
  }).catch((error: Error) => {
    throw new CliError(`the console cannot be served for ${kubeconfig}: ${error.message}`);
  });
  show(options, console.link(), `with the rights of ${console.user} at ${console.server}`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await console.stop();
}

const hasDesktop = (): boolean =>
  process.platform === 'darwin' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);

function open(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(program, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
