// The options by which a machine joins a cluster.

import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { parseBootstrapToken } from '../../api/objects/bootstrap-token.ts';
import { isCaHash, isCertificateKey } from '../../cluster/config.ts';
import { parseDuration } from '../../machinery/time/duration.ts';
import { CliError } from './options.ts';

export interface JoinOptions {
  readonly join?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly caCertHash?: readonly string[];
}

export function withJoinOptions(command: Command): Command {
  return command
    .option('--join <url>', 'an API server of the cluster, such as https://192.0.2.10:6443', serverUrl)
    .option('--token <token>', 'token of the cluster: "coracle token create" makes one')
    .option('--token-file <file>', 'file with the token, so that no process list shows it')
    .option('--ca-cert-hash <hash>', "hash of the cluster's CA, such as sha256:...; may be repeated", hashes);
}

function serverUrl(text: string): string {
  try {
    const url = new URL(text.includes('://') ? text : `https://${text}`);
    if (url.protocol === 'https:' && url.hostname && url.pathname === '/') return url.origin;
  } catch {} // reported below
  throw new InvalidArgumentError('Give the URL of an API server, such as https://192.0.2.10:6443.');
}

function hashes(text: string, before: readonly string[] = []): readonly string[] {
  if (isCaHash(text)) return [...before, text];
  throw new InvalidArgumentError('Give sha256: and 64 hexadecimal digits, as "coracle token create" prints them.');
}

export function certificateKey(text: string): string {
  if (isCertificateKey(text)) return text;
  throw new InvalidArgumentError('Give 64 hexadecimal digits, as "coracle token create --server" prints them.');
}

/** In milliseconds. */
export function duration(text: string): number {
  const ms = text === '0' ? 0 : parseDuration(text);
  if (ms !== undefined && ms >= 0) return ms;
  throw new InvalidArgumentError('Give a duration, such as 24h or 90m.');
}

/** Undefined without --join. Throws CliError for options that do not belong together. */
export function joinRequestOf({ join, token, tokenFile, caCertHash }: JoinOptions) {
  if (!join) {
    if (token || tokenFile || caCertHash) throw new CliError('--token and --ca-cert-hash need --join', 2);
    return undefined;
  }
  if (token && tokenFile) throw new CliError('give --token or --token-file, not both', 2);
  const text = token ?? (tokenFile && readSecretFile(tokenFile, 'the token'));
  const parsed = text ? parseBootstrapToken(text) : undefined;
  if (!parsed)
    throw new CliError(
      text
        ? 'the token must have the form abcdef.0123456789abcdef: copy it from "coracle token create"'
        : '--join needs --token: create one with "coracle token create" on a machine of the cluster',
      2,
    );
  if (!caCertHash)
    throw new CliError(
      '--join needs --ca-cert-hash, by which this machine recognizes the cluster: "coracle token create" prints it',
      2,
    );
  return { server: join, token: parsed, hashes: caCertHash };
}

/** `label` names the content in an error. */
export function readSecretFile(file: string, label: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliError(`cannot read ${label}: ${(error as Error).message}`);
  }
}
