// Prints a link to the web console that signs in once, and opens it in a browser if there is a desktop.

import { spawn } from 'node:child_process';
import type { ConsoleLink } from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print } from './options.ts';

interface ConsoleOptions extends ClusterOptions {
  readonly open?: boolean;
  readonly output: 'text' | 'json';
}

export async function console(options: ConsoleOptions): Promise<void> {
  const directory = directoryOf(options);
  if (!(await runningProcess(directory)))
    throw new CliError(`no cluster runs in ${directory.root}: start it with "./coracle up"`, 3);
  const link = await askControl<ConsoleLink | null>(directory.controlSocket, 'console-link');
  if (!link) throw new CliError('this cluster has no console: add "console" to --components of "up"');
  const expires = new Date(link.expiresMs).toISOString();
  if (options.output === 'json') return print(JSON.stringify({ url: link.url, expires }));
  print(`${bold(link.url)}\n${dim(`signs in once, until ${expires}, with all rights: do not share it`)}`);
  if (options.open !== false && hasDesktop()) open(link.url);
}

const hasDesktop = (): boolean =>
  process.platform === 'darwin' || Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);

function open(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  spawn(program, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
