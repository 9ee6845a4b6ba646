import {
  type BootstrapToken,
  type BootstrapTokenSecret,
  bootstrapTokenPrefix,
  isAlreadyExists,
  isNotFound,
  parseBootstrapToken,
} from '../api/api.ts';
import type { Client } from '../client/client.ts';
import {
  createToken,
  deleteToken,
  type JoinInformation,
  listTokens,
  newToken,
  serverGroup,
  type TokenOptions,
  tokenText,
  workerGroup,
} from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import type { DataDirectory } from '../cluster/data-directory.ts';
import { humanDuration } from '../machinery/time/duration.ts';
import { CliError, type ClusterOptions, print } from './options/options.ts';
import { asAdministrator } from './running/as-administrator.ts';

type Output = { readonly output: 'text' | 'json' };

export async function create(
  given: string | undefined,
  options: ClusterOptions & Output & { readonly ttl: number; readonly description?: string; readonly server?: boolean },
): Promise<void> {
  const token = given === undefined ? newToken() : parseBootstrapToken(given);
  if (!token) throw new CliError(`"${given}" is no token: it must have the form abcdef.0123456789abcdef`, 2);
  await asAdministrator(options, async (client, directory) => {
    const expiresMs = options.ttl > 0 ? Date.now() + options.ttl : undefined;
    const made = await makeCommand(client, directory, options.server ?? false, {
      token,
      ...(expiresMs !== undefined && { expiresMs }),
      ...(options.description && { description: options.description }),
    });
    if (options.output === 'json')
      print(JSON.stringify({ ...made, expires: expiresMs ? new Date(expiresMs).toISOString() : null }));
    else print(made.command);
  });
}

/** Makes a token for servers and one for nodes, and prints how machines join with them. */
export async function joinCommands(options: ClusterOptions): Promise<void> {
  await asAdministrator(options, async (client, directory) => {
    const expiresMs = Date.now() + dayMs;
    for (const [isServer, text] of [
      [true, 'Join two more servers (the token counts for 24 hours):'],
      [false, 'Join any number of nodes:'],
    ] as const) {
      const { command } = await makeCommand(client, directory, isServer, { token: newToken(), expiresMs });
      print(`\n${text}\n  ${command}`);
    }
  });
}

const dayMs = 86_400_000;

async function makeCommand(
  client: Client,
  directory: DataDirectory,
  isServer: boolean,
  options: Omit<TokenOptions, 'groups'> & { readonly token: BootstrapToken },
) {
  const { token } = options;
  const { server, caHash, certificateKey } = await askControl<JoinInformation>(directory.controlSocket, 'join').catch(
    (error) => {
      throw new CliError(error.message);
    },
  );
  if (isServer && !certificateKey)
    throw new CliError(
      'this cluster has one server with its own store: start it with "coracle server" so that others can join',
      1,
    );
  await createToken(client, { ...options, groups: isServer ? [serverGroup] : [workerGroup] }).catch((error) => {
    if (isAlreadyExists(error))
      throw new CliError(`a token ${token.id} exists already: delete it with "coracle token delete ${token.id}"`);
    throw error;
  });
  const text = tokenText(token);
  const common = `--join ${server} --token ${text} --ca-cert-hash ${caHash}`;
  const command = isServer
    ? `./coracle server ${common} --certificate-key ${certificateKey}`
    : `./coracle agent ${common}`;
  return { token: text, server, caCertHash: caHash, ...(isServer && { certificateKey }), command };
}

export async function list(options: ClusterOptions & Output): Promise<void> {
  await asAdministrator(options, async (client) => {
    const tokens = await listTokens(client);
    if (options.output === 'json') print(JSON.stringify(tokens, null, 2));
    else printTokens(tokens);
  });
}

function printTokens(tokens: readonly BootstrapTokenSecret[]): void {
  const rows = tokens.map((token) => [
    tokenText(token),
    token.expiresMs === undefined ? 'never' : lifeOf(token.expiresMs),
    token.groups.join(','),
    token.description,
  ]);
  const head = ['TOKEN', 'EXPIRES IN', 'GROUPS', 'DESCRIPTION'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  for (const row of [head, ...rows])
    print(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
}

const lifeOf = (expiresMs: number) => (expiresMs > Date.now() ? humanDuration(expiresMs - Date.now()) : 'expired');

export async function remove(text: string, options: ClusterOptions): Promise<void> {
  const id = text.replace(bootstrapTokenPrefix, '').split('.')[0];
  await asAdministrator(options, async (client) => {
    await deleteToken(client, id).catch((error) => {
      if (isNotFound(error)) throw new CliError(`there is no token ${id}: see "coracle token list"`);
      throw error;
    });
    print(`Token ${id} is deleted. Machines that joined with it stay.`);
  });
}
