// Options of the commands for backups, and their values.

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { Writable } from 'node:stream';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PlaceOptions } from '../../cluster/backup/backup.ts';
import { DataDirectoryError } from '../../cluster/data-directory.ts';
import { CliError } from './options.ts';

export interface PlaceFlags {
  readonly s3Endpoint?: string;
}

export interface SecretFlags {
  readonly identity: readonly string[];
  readonly passphraseFile?: string;
}

const more = (value: string, previous: readonly string[]) => [...previous, value];

export const withPlace = (command: Command): Command =>
  command.addOption(
    new Option('--s3-endpoint <url>', 'S3 server for s3://BUCKET/KEY; by default AWS').argParser((value) => {
      if (/^https?:\/\/[^/]/.test(value)) return value;
      throw new InvalidArgumentError('Give a URL, such as https://s3.example.com.');
    }),
  );

/** --identity and --passphrase-file: read an encrypted backup. */
export const withSecrets = (command: Command): Command =>
  command
    .addOption(
      new Option('--identity <file>', 'file with private keys of age (AGE-SECRET-KEY-1...), for an encrypted backup')
        .argParser(more)
        .default([] as readonly string[], ''),
    )
    .option('--passphrase-file <file>', 'file with the passphrase; without it, the terminal asks');

/** --recipient, --passphrase and --passphrase-file: encrypt a backup. */
export const withEncryption = (command: Command): Command =>
  command
    .addOption(
      new Option('--recipient <key>', 'encrypt for this public key of age (age1...); may be repeated')
        .argParser(more)
        .default([] as readonly string[], ''),
    )
    .option('--passphrase', 'encrypt with a passphrase that the terminal asks for')
    .option('--passphrase-file <file>', 'encrypt with the passphrase in a file');

export const placeOptions = ({ s3Endpoint }: PlaceFlags): PlaceOptions => ({
  scratch: os.tmpdir(),
  environment: process.env,
  ...(s3Endpoint !== undefined && { s3Endpoint }),
});

export async function decryptionOf({ identity, passphraseFile }: SecretFlags) {
  const identities: string[] = [];
  for (const file of identity) {
    const keys = (await readSecret(file)).split('\n').filter((line) => line.startsWith('AGE-SECRET-KEY-'));
    if (keys.length === 0) throw new CliError(`${file} has no private key of age (AGE-SECRET-KEY-1...)`);
    identities.push(...keys.map((key) => key.trim()));
  }
  const passphrase = async () => {
    if (passphraseFile !== undefined) return passphraseIn(passphraseFile);
    return process.stdin.isTTY ? askSecret('Passphrase: ') : undefined;
  };
  return { identities, passphrase };
}

export async function encryptionOf(flags: {
  readonly recipient: readonly string[];
  readonly passphrase?: boolean;
  readonly passphraseFile?: string;
}) {
  const ways = [flags.recipient.length > 0, flags.passphrase, flags.passphraseFile !== undefined];
  if (ways.filter(Boolean).length > 1)
    throw new CliError('give only one of --recipient, --passphrase and --passphrase-file', 2);
  const { recipient: recipients } = flags;
  if (flags.passphraseFile !== undefined) return { passphrase: await passphraseIn(flags.passphraseFile) };
  if (!flags.passphrase) return { recipients };
  if (!process.stdin.isTTY) throw new CliError('--passphrase asks at a terminal: use --passphrase-file elsewhere', 2);
  const passphrase = await askSecret('Passphrase: ');
  if (passphrase === '') throw new CliError('the passphrase is empty');
  if (passphrase !== (await askSecret('Again: '))) throw new CliError('the two passphrases differ');
  return { passphrase };
}

async function passphraseIn(file: string): Promise<string> {
  const passphrase = (await readSecret(file)).replace(/\r?\n$/, '');
  if (passphrase === '') throw new CliError(`${file} is empty: it must contain the passphrase`);
  return passphrase;
}

const readSecret = (file: string) =>
  readFile(file, 'utf8').catch((error: Error) => {
    throw new CliError(`cannot read ${file}: ${error.message}`);
  });

async function askSecret(question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise<string>((resolve, reject) => {
    terminal.on('SIGINT', () => reject(new CliError('interrupted')));
    terminal.question('', resolve);
  }).finally(() => {
    terminal.close();
    process.stderr.write('\n');
  });
}

const expected = ['BackupError', 'BackupUnusable', 'StoreUnusable', 'SettingError'];

/** The error of a backup's command, with the place of the backup. */
export function backupFailure(error: unknown, place: string): unknown {
  if (error instanceof DataDirectoryError) return new CliError(error.message);
  const { name, message, code } = error as NodeJS.ErrnoException;
  if (name === 'BackupUnusable') return new CliError(`${place} cannot be used: ${message}`);
  if (expected.includes(name)) return new CliError(message);
  if (code === 'ENOENT') return new CliError(`${place} does not exist`);
  if (code === 'EACCES' || code === 'EPERM') return new CliError(`no right to use ${place} (${code})`);
  if (code === 'ENOSPC') return new CliError(`the disk is full, nothing was changed (${message})`);
  return error;
}
