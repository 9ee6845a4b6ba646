import { isCertificateKey, type ServerRequest } from '../cluster/cluster.ts';
import { type JoinOptions, joinRequestOf, readSecretFile } from './options/join-options.ts';
import { CliError } from './options/options.ts';
import { joinCommands } from './token.ts';
import { type UpOptions, up } from './up.ts';

interface ServerOptions extends UpOptions, JoinOptions {
  readonly clusterInit?: boolean;
  readonly certificateKey?: string;
  readonly certificateKeyFile?: string;
}

export async function server(options: ServerOptions): Promise<void> {
  const request = requestOf(options);
  await up(options, request);
  if (options.clusterInit && options.output === 'text' && !options.foreground) await joinCommands(options);
}

function requestOf(options: ServerOptions): ServerRequest {
  const join = joinRequestOf(options);
  const { clusterInit } = options;
  const certificateKey = options.certificateKey ?? (options.certificateKeyFile && keyIn(options.certificateKeyFile));
  if (join && clusterInit) throw new CliError('give --cluster-init on the first server, and --join on the others', 2);
  if (!join && certificateKey) throw new CliError('--certificate-key needs --join', 2);
  if (!join) return { init: clusterInit ?? false };
  if (!certificateKey)
    throw new CliError('--join needs --certificate-key: "coracle token create --server" on a server prints it', 2);
  return { join: { ...join, certificateKey } };
}

function keyIn(file: string): string {
  const text = readSecretFile(file, 'the certificate key');
  if (isCertificateKey(text)) return text;
  throw new CliError(`${file} has no certificate key: it must be 64 hexadecimal digits`, 2);
}
