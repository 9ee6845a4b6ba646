// Servers that decide for the API server, or that get its records: their kubeconfigs.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import type { RemoteServer, WebhookUser, WebhookUsers } from '../kube-apiserver/kube-apiserver.ts';

type Fail = (why: string) => Error;

async function readKubeconfig(file: string, fail: Fail): Promise<any> {
  return readFile(file, 'utf8')
    .then((text) => parse(text, { maxAliasCount: 100 }))
    .catch((error) => {
      throw fail((error as Error).message);
    });
}

const named = (list: any, name: unknown) => list?.find?.((entry: any) => entry?.name === name);

/** The content of a field, or of the file that it names. */
async function bytesOf(file: string, of: any, field: string): Promise<string | undefined> {
  if (of[`${field}-data`]) return Buffer.from(String(of[`${field}-data`]), 'base64').toString();
  return of[field] && readFile(path.resolve(path.dirname(file), String(of[field])), 'utf8');
}

/** The server and credentials of a kubeconfig's current context. Rejects with the file and its fault. */
export async function readRemoteServer(file: string, purpose: string): Promise<RemoteServer> {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for ${purpose}: ${why}`);
  const config = await readKubeconfig(file, fail);
  const context = named(config?.contexts, config?.['current-context'])?.context;
  const cluster = named(config?.clusters, context?.cluster)?.cluster;
  const user = named(config?.users, context?.user)?.user ?? {};
  if (!cluster?.server) throw fail('its current context names no cluster with a server');
  if (!/^https?:\/\//.test(cluster.server)) throw fail(`the server "${cluster.server}" must be an http or https URL`);
  const [ca, cert, key] = await Promise.all([
    bytesOf(file, cluster, 'certificate-authority'),
    bytesOf(file, user, 'client-certificate'),
    bytesOf(file, user, 'client-key'),
  ]);
  return {
    url: cluster.server as string,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(user.token && { token: user.token as string }),
  };
}

/** All users of a kubeconfig, by the servers in their names. Rejects with the file and the fault. */
export async function readWebhookUsers(file: string): Promise<WebhookUsers> {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for webhooks: ${why}`);
  const config = await readKubeconfig(file, fail);
  if (config?.users && !Array.isArray(config.users)) throw fail('users must be a list');
  const byName = new Map<string, WebhookUser>();
  for (const entry of config?.users ?? []) {
    if (typeof entry?.name !== 'string') throw fail('each user must have a name');
    byName.set(entry.name, await webhookUser(file, entry.user ?? {}, fail));
  }
  const current = byName.get(named(config?.contexts, config?.['current-context'])?.context?.user);
  return { byName, ...(current && { current }) };
}

async function webhookUser(file: string, user: any, fail: Fail): Promise<WebhookUser> {
  if (user.exec || user['auth-provider']) throw fail('exec and auth-provider are not supported');
  const [cert, key, token] = await Promise.all([
    bytesOf(file, user, 'client-certificate'),
    bytesOf(file, user, 'client-key'),
    user.token ?? (user.tokenFile && readFile(path.resolve(path.dirname(file), user.tokenFile), 'utf8')),
  ]);
  return {
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token && { token: String(token).trim() }),
    ...(user.username && { username: String(user.username) }),
    ...(user.password && { password: String(user.password) }),
  };
}
