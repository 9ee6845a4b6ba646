// The configuration of a user's own cloud provider: docs/cloud.md.

import { isLoopback, parseIp } from '../../../machinery/ip.ts';
import { readConfigFile, readText } from '../config-file.ts';

const abilities = ['instances', 'loadBalancers', 'routes'] as const;
type Ability = (typeof abilities)[number];

export interface ExternalConfig {
  /** Without a slash at its end. */
  readonly url: string;
  /** Name of the cluster in all requests. */
  readonly cluster: string;
  readonly offers: ReadonlySet<Ability>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Attempts after the first one. */
  readonly retries: number;
  /** Read for each request, so that they can be renewed. */
  readonly files: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly token?: string };
}

/** Rejects with the place and the fault, also for a file that it names and that cannot be read. */
export async function readExternalConfig(path: string, clusterName: string): Promise<ExternalConfig> {
  const file = await readConfigFile(path, 'cloud.coracle.local/v1', 'ExternalCloud');
  const offers = file.texts('offers') ?? [];
  const unknown = offers.find((each) => !abilities.some((ability) => ability === each));
  if (unknown !== undefined || offers.length === 0)
    throw file.wrong('offers', `must be a list of ${abilities.join(', ')}: those that the server implements`);
  const url = file.required('url');
  const fault = urlFault(url);
  if (fault) throw file.wrong('url', fault);
  const files = {
    ca: file.file('certificateAuthorityFile'),
    cert: file.file('clientCertificateFile'),
    key: file.file('clientKeyFile'),
    token: file.file('tokenFile'),
  };
  if ((files.cert === undefined) !== (files.key === undefined))
    throw file.wrong('clientCertificateFile, clientKeyFile', 'need each other');
  const config = {
    url: url.replace(/\/+$/, ''),
    cluster: file.text('cluster') ?? clusterName,
    offers: new Set(offers as Ability[]),
    timeoutMs: file.duration('timeout', 1_000, 60_000) ?? 10_000,
    retries: file.whole('retries', 0, 5) ?? 2,
    files: Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined)),
  };
  file.end();
  for (const named of Object.values(config.files)) {
    if (named === undefined) continue;
    await readText(named).catch((error) => {
      throw file.wrong(named, String(error.message ?? error));
    });
  }
  return config;
}

/** Answers decide about nodes and addresses: they come over TLS, or from this machine. */
function urlFault(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be a URL, such as https://cloud.example.org/coracle';
  const { protocol, hostname, username, search, hash } = new URL(text);
  if (username || search || hash) return 'must have no user, query or fragment: use tokenFile';
  if (protocol === 'https:') return undefined;
  const ip = parseIp(hostname.replace(/^\[|\]$/g, ''));
  if (protocol === 'http:' && (hostname === 'localhost' || (ip && isLoopback(ip)))) return undefined;
  return 'must begin with https://, or lead to this machine';
}
