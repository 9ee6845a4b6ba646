// Reads kubeconfig files, and the service account that a pod finds in its file system.
// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { HttpsOptions } from './https.ts';

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface Kubeconfig extends HttpsOptions {
  /** The context's namespace, default "default". */
  readonly namespace: string;
}

/** The fields of kubeconfig entries that are read here. */
interface Entry {
  readonly server: string;
  readonly cluster: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly [field: string]: unknown;
}
type Named<K extends string> = { readonly name: string } & Readonly<Record<K, Entry>>;

interface ConfigFile {
  readonly 'current-context'?: string;
  readonly contexts?: readonly Named<'context'>[];
  readonly clusters?: readonly Named<'cluster'>[];
  readonly users?: readonly Named<'user'>[];
}

/** The file's current (or the named) context. Throws for a missing or unsupported entry. */
export async function loadKubeconfig(path: string, context?: string): Promise<Kubeconfig> {
  const config: ConfigFile = parse(await readFile(path, 'utf8')) ?? {};
  const contextName = context ?? config['current-context'];
  if (!contextName) throw new Error(`${path} has no current-context: choose one with kubectl config use-context`);
  const chosen = named(config.contexts, contextName, 'context', path);
  const cluster = named(config.clusters, chosen.cluster, 'cluster', path);
  const user: Partial<Entry> = chosen.user ? named(config.users, chosen.user, 'user', path) : {};
  for (const unsupported of ['exec', 'auth-provider', 'username'])
    if (user[unsupported])
      throw new Error(`${path}: user "${chosen.user}" uses ${unsupported}, which is not supported`);
  const inline = (from: Partial<Entry>, field: string) => text(from, field, dirname(path));
  const tokenFile = user.tokenFile && resolve(dirname(path), user.tokenFile);
  return {
    server: cluster.server,
    ca: await inline(cluster, 'certificate-authority'),
    cert: await inline(user, 'client-certificate'),
    key: await inline(user, 'client-key'),
    // Token files are rotated, so each request reads the file.
    token: user.token ?? (tokenFile && (async () => (await readFile(tokenFile, 'utf8')).trim())),
    serverName: cluster['tls-server-name'],
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] ?? false,
    namespace: chosen.namespace ?? 'default',
  };
}

/** The configuration of a program that runs in a pod. `environment` has KUBERNETES_SERVICE_HOST and _PORT. */
export async function inClusterConfig(
  environment: Readonly<Record<string, string | undefined>>,
  directory: string = serviceAccountDirectory,
): Promise<Kubeconfig> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !port)
    throw new Error('not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are unset');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: await readFile(`${directory}/ca.crt`, 'utf8'),
    token: async () => (await readFile(`${directory}/token`, 'utf8')).trim(),
    namespace: (await readFile(`${directory}/namespace`, 'utf8').catch(() => 'default')).trim(),
  };
}

function named<K extends string>(
  list: readonly Named<K>[] | undefined,
  name: string,
  entryName: K,
  path: string,
): Entry {
  const found = list?.find((entry) => entry.name === name);
  if (!found) throw new Error(`${path} has no ${entryName} "${name}"`);
  return found[entryName];
}

/** A PEM text from the file itself (field-data, base64) or from a separate file. */
async function text(from: Partial<Entry>, field: string, directory: string): Promise<string | undefined> {
  const data = from[`${field}-data`];
  if (data) return Buffer.from(String(data), 'base64').toString('utf8');
  return from[field] ? readFile(resolve(directory, String(from[field])), 'utf8') : undefined;
}
