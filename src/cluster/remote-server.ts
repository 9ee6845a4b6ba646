// Servers that decide for the API server, or that get its records: their kubeconfigs.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import type { RemoteServer } from '../client/client.ts';
import type { WebhookUser, WebhookUsers } from '../kube-apiserver/kube-apiserver.ts';
import { fieldsIn, textIn } from '../machinery/parsed.ts';

type Fail = (why: string) => Error;
type Fields = ReturnType<typeof fieldsIn>;

async function readKubeconfig(file: string, fail: Fail): Promise<Fields> {
  return readFile(file, 'utf8')
    .then((text) => fieldsIn(parse(text, { maxAliasCount: 100 })))
    .catch((error) => {
      throw fail((error as Error).message);
    });
}

/** The named entry's part, such as `user` in `users`; no fields if it is missing. */
const named = (list: unknown, name: unknown, part: string): Fields =>
  Array.isArray(list) ? fieldsIn(fieldsIn(list.find((entry) => fieldsIn(entry)['name'] === name))[part]) : {};

const currentContext = (config: Fields) => named(config['contexts'], config['current-context'], 'context');

/** The content of a field, or of the file that it names. */
async function bytesOf(file: string, of: Fields, field: string): Promise<string | undefined> {
  if (of[`${field}-data`]) return Buffer.from(String(of[`${field}-data`]), 'base64').toString();
  return of[field] ? readFile(path.resolve(path.dirname(file), String(of[field])), 'utf8') : undefined;
}

/** The server and credentials of a kubeconfig's current context. Rejects with the file and its fault. */
export async function readRemoteServer(file: string, purpose: string): Promise<RemoteServer> {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for ${purpose}: ${why}`);
  const config = await readKubeconfig(file, fail);
  const context = currentContext(config);
  const cluster = named(config['clusters'], context['cluster'], 'cluster');
  const user = named(config['users'], context['user'], 'user');
  if (!cluster['server']) throw fail('its current context names no cluster with a server');
  const url = String(cluster['server']);
  if (!/^https?:\/\//.test(url)) throw fail(`the server "${url}" must be an http or https URL`);
  const [ca, cert, key] = await Promise.all([
    bytesOf(file, cluster, 'certificate-authority'),
    bytesOf(file, user, 'client-certificate'),
    bytesOf(file, user, 'client-key'),
  ]);
  return {
    url,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(user['token'] ? { token: String(user['token']) } : {}),
  };
}

/** All users of a kubeconfig, by the servers in their names. Rejects with the file and the fault. */
export async function readWebhookUsers(file: string): Promise<WebhookUsers> {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for webhooks: ${why}`);
  const config = await readKubeconfig(file, fail);
  const users = config['users'] || [];
  if (!Array.isArray(users)) throw fail('users must be a list');
  const byName = new Map<string, WebhookUser>();
  for (const entry of users) {
    const { name, user } = fieldsIn(entry);
    if (typeof name !== 'string') throw fail('each user must have a name');
    byName.set(name, await webhookUser(file, fieldsIn(user), fail));
  }
  const current = byName.get(textIn(currentContext(config)['user']));
  return { byName, ...(current && { current }) };
}

async function webhookUser(file: string, user: Fields, fail: Fail): Promise<WebhookUser> {
  if (user['exec'] || user['auth-provider']) throw fail('exec and auth-provider are not supported');
  const { token: inline, tokenFile, username, password } = user;
  const [cert, key, token] = await Promise.all([
    bytesOf(file, user, 'client-certificate'),
    bytesOf(file, user, 'client-key'),
    inline ?? (tokenFile && readFile(path.resolve(path.dirname(file), String(tokenFile)), 'utf8')),
  ]);
  return {
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token ? { token: String(token).trim() } : {}),
    ...(username ? { username: String(username) } : {}),
    ...(password ? { password: String(password) } : {}),
  };
}
