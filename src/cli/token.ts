import {
  type BootstrapTokenSecret,
  bootstrapTokenPrefix,
  isAlreadyExists,
  isNotFound,
  parseBootstrapToken,
} from '../api/api.ts';
import {
  createToken,
  deleteToken,
  type JoinInformation,
  listTokens,
  newToken,
  tokenText,
  workerGroup,
} from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { humanDuration } from '../machinery/time/duration.ts';
import { asAdministrator } from './as-administrator.ts';
import { CliError, type ClusterOptions, print } from './options.ts';

type Output = { readonly output: 'text' | 'json' };

export async function create(
  given: string | undefined,
  options: ClusterOptions & Output & { readonly ttl: number; readonly description?: string },
): Promise<void> {
  const token = given === undefined ? newToken() : parseBootstrapToken(given);
  if (!token) throw new CliError(`"${given}" is no token: it must have the form abcdef.0123456789abcdef`, 2);
  await asAdministrator(options, async (client, directory) => {
    const { server, caHash } = await askControl<JoinInformation>(directory.controlSocket, 'join').catch((error) => {
      throw new CliError(error.message);
    });
    const expiresMs = options.ttl > 0 ? Date.now() + options.ttl : undefined;
    await createToken(client, {
      token,
      groups: [workerGroup],
      ...(expiresMs !== undefined && { expiresMs }),
      ...(options.description && { description: options.description }),
    }).catch((error) => {
      if (isAlreadyExists(error))
        throw new CliError(`a token ${token.id} exists already: delete it with "coracle token delete ${token.id}"`);
      throw error;
    });
    const command = `./coracle agent --join ${server} --token ${tokenText(token)} --ca-cert-hash ${caHash}`;
    if (options.output === 'json')
      print(
        JSON.stringify({
          token: tokenText(token),
          server,
          caCertHash: caHash,
          expires: expiresMs ? new Date(expiresMs).toISOString() : null,
          command,
        }),
      );
    else print(command);
  });
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
