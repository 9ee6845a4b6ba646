// Servers that decide for the API server, or that get its records: their kubeconfigs.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import type { RemoteServer } from '../kube-apiserver/kube-apiserver.ts';

/** The server and credentials of a kubeconfig's current context. Rejects with the file and its fault. */
export async function readRemoteServer(file: string, purpose: string): Promise<RemoteServer> {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for ${purpose}: ${why}`);
  const config = await readFile(file, 'utf8')
    .then((text) => parse(text, { maxAliasCount: 100 }))
    .catch((error) => {
      throw fail((error as Error).message);
    });
  const named = (list: any, name: unknown) => list?.find?.((entry: any) => entry?.name === name);
  const context = named(config?.contexts, config?.['current-context'])?.context;
  const cluster = named(config?.clusters, context?.cluster)?.cluster;
  const user = named(config?.users, context?.user)?.user ?? {};
  if (!cluster?.server) throw fail('its current context names no cluster with a server');
  if (!/^https?:\/\//.test(cluster.server)) throw fail(`the server "${cluster.server}" must be an http or https URL`);
  const bytes = async (of: any, field: string): Promise<string | undefined> => {
    if (of[`${field}-data`]) return Buffer.from(of[`${field}-data`], 'base64').toString();
    return of[field] && readFile(path.resolve(path.dirname(file), of[field]), 'utf8');
  };
  const [ca, cert, key] = await Promise.all([
    bytes(cluster, 'certificate-authority'),
    bytes(user, 'client-certificate'),
    bytes(user, 'client-key'),
  ]);
  return {
    url: cluster.server as string,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(user.token && { token: user.token as string }),
  };
}
