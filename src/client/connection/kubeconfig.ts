// Reads kubeconfig files, and the service account that a pod finds in its file system.
// https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { fieldsIn, isFields, listIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { CredentialSource } from './connection.ts';
import { execCredentials } from './exec-credentials.ts';
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

export interface KubeconfigOptions {
  /** Default: the file's current one. */
  readonly context?: string;
  /** For credential plugins: without it they are refused. */
  readonly clock?: Clock;
  /** Of credential plugins, and for proxies where the file names none. Default: no variable, and no proxy. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Whether a credential plugin may ask its user. */
  readonly hasTerminal?: boolean;
}

/** Throws for a missing or unsupported entry. Relative paths are relative to the file. */
export async function loadKubeconfig(path: string, options: KubeconfigOptions = {}): Promise<Kubeconfig> {
  const config: ConfigFile = parse(await readFile(path, 'utf8'), { maxAliasCount: 100 }) ?? {};
  const contextName = options.context ?? config['current-context'];
  if (!contextName) throw new Error(`${path} has no current-context: choose one with kubectl config use-context`);
  const chosen = named(config.contexts, contextName, 'context', path);
  const cluster = named(config.clusters, chosen.cluster, 'cluster', path);
  const user: Partial<Entry> = chosen.user ? named(config.users, chosen.user, 'user', path) : {};
  if (!/^https?:\/\//.test(textIn(cluster.server)))
    throw new Error(`${path}: the server of cluster "${chosen.cluster}" must be an http or https URL`);
  const inline = (from: Partial<Entry>, field: string) => text(from, field, dirname(path));
  const ca = await inline(cluster, 'certificate-authority');
  const insecureSkipTlsVerify = cluster['insecure-skip-tls-verify'] ?? false;
  if (ca && insecureSkipTlsVerify)
    throw new Error(`${path}: specifying a root certificates file with the insecure flag is not allowed`);
  return {
    ...{ server: cluster.server, ca, insecureSkipTlsVerify },
    cert: await inline(user, 'client-certificate'),
    key: await inline(user, 'client-key'),
    token: tokenOf(user, path),
    credentials: credentialsOf(user, { path, userName: chosen.user ?? '', cluster, ca, options }),
    headers: impersonationOf(user),
    serverName: cluster['tls-server-name'],
    ...proxyOf(cluster, path, options.environment),
    namespace: chosen.namespace ?? 'default',
  };
}

/** Token files are rotated, so each request reads the file; the inline token is used where there is none. */
function tokenOf({ token, tokenFile }: Partial<Entry>, path: string): HttpsOptions['token'] {
  if (!tokenFile) return token;
  const file = resolve(dirname(path), tokenFile);
  return () =>
    readFile(file, 'utf8').then(
      (content) => content.trim(),
      (error) => token ?? Promise.reject(error),
    );
}

interface UserContext {
  readonly path: string;
  readonly userName: string;
  readonly cluster: Entry;
  readonly ca: string | undefined;
  readonly options: KubeconfigOptions;
}

function credentialsOf(user: Partial<Entry>, context: UserContext): CredentialSource | undefined {
  const { path, userName } = context;
  if (user['auth-provider'])
    throw new Error(
      `${path}: user "${userName}" uses auth-provider, which kubectl removed, too, for all but OIDC: use an exec plugin`,
    );
  const hasToken = Boolean(user.token || user.tokenFile);
  if (user['username'] || user['password']) {
    if (hasToken)
      throw new Error(
        `${path}: more than one authentication method found for ${userName}; found [token basicAuth], only one is allowed`,
      );
    const pair = Buffer.from(`${textIn(user['username'])}:${textIn(user['password'])}`).toString('base64');
    return { get: async () => ({ authorization: `Basic ${pair}` }), refuse() {} };
  }
  // As client-go: credentials of the file itself come first.
  if (!user['exec'] || hasToken) return undefined;
  return execOf(user, context);
}

function execOf(user: Partial<Entry>, { userName, path, cluster, ca, options }: UserContext): CredentialSource {
  const { clock, environment = {}, hasTerminal = false } = options;
  if (!clock) throw new Error(`${path}: user "${userName}" uses exec, which is not supported here`);
  const config = listIn(cluster['extensions'])
    .map(fieldsIn)
    .find(({ name }) => name === 'client.authentication.k8s.io/exec')?.['extension'];
  return execCredentials({
    ...{ exec: user['exec'], userName, file: path, clock, environment, hasTerminal },
    cluster: {
      server: cluster.server,
      ...(cluster['tls-server-name'] && { 'tls-server-name': cluster['tls-server-name'] }),
      ...(cluster['insecure-skip-tls-verify'] && { 'insecure-skip-tls-verify': true }),
      ...(ca && { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
      ...(textIn(cluster['proxy-url']) && { 'proxy-url': cluster['proxy-url'] }),
      ...(isFields(config) && { config }),
    },
  });
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonationOf(user: Partial<Entry>): Readonly<Record<string, string | string[]>> {
  const [name, uid] = [textIn(user['as']), textIn(user['as-uid'])];
  const groups = listIn(user['as-groups']).map(textIn);
  const extra = Object.entries(fieldsIn(user['as-user-extra']));
  return {
    ...(name && { 'impersonate-user': name }),
    ...(uid && { 'impersonate-uid': uid }),
    ...(groups.length > 0 && { 'impersonate-group': groups }),
    ...Object.fromEntries(
      extra.map(([key, values]) => [
        `impersonate-extra-${encodeURIComponent(key.toLowerCase())}`,
        listIn(values).map(textIn),
      ]),
    ),
  };
}

/** The cluster's own, or those of the environment, but never for this machine. */
function proxyOf(
  cluster: Entry,
  path: string,
  environment: KubeconfigOptions['environment'],
): Pick<HttpsOptions, 'proxyEnv' | 'socksProxy'> {
  const url = textIn(cluster['proxy-url']);
  if (/^socks5h?:\/\//.test(url)) return { socksProxy: url };
  if (url && !/^https?:\/\//.test(url))
    throw new Error(`${path}: proxy-url must be an http, https or socks5 URL, not "${url}"`);
  if (url) return { proxyEnv: { HTTPS_PROXY: url, HTTP_PROXY: url } };
  const { hostname } = new URL(cluster.server);
  if (!environment || hostname === 'localhost' || /^127\.|^\[::1\]$/.test(hostname)) return {};
  return { proxyEnv: environment };
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
