// Options that several commands share, and how they print.

import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type DataDirectory, dataDirectory, defaultDataDirectory } from '../../cluster/data-directory.ts';
import { printable } from '../printable.ts';

export interface ClusterOptions {
  readonly name: string;
  readonly dataDir?: string;
}

/** --name and --data-dir: select the cluster. */
export function withCluster(command: Command): Command {
  return command
    .addOption(new Option('--name <name>', 'name of the cluster').default('coracle').argParser(clusterName))
    .addOption(new Option('--data-dir <dir>', 'its data directory').env('CORACLE_DATA_DIR'));
}

export const withOutput = (command: Command): Command =>
  command.addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'));

function clusterName(text: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Use up to 32 lower-case letters, digits and dashes, starting and ending with a letter or digit.',
  );
}

export const directoryOf = ({ name, dataDir }: ClusterOptions): DataDirectory =>
  dataDirectory(path.resolve(dataDir ?? defaultDataDirectory(name)));

/** Ends the command: the message has cause, place and remedy. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const isTerminal = process.stdout.isTTY === true && !process.env['NO_COLOR'];
const paint = (code: number) => (text: string) => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);

export const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export const print = (text: string): void => void process.stdout.write(`${printable(text)}\n`);

export function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError('Use a number from 0 to 65535.');
}
