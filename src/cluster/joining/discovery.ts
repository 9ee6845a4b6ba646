// How a machine that knows a token and the hash of the CA comes to trust a cluster: it reads the public ConfigMap
// cluster-info without trusting the server, checks the token's signature and the hash, and connects again with the CA.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/#token-based-discovery-with-ca-pinning

import * as https from 'node:https';
import { parse } from 'yaml';
import type { BootstrapToken } from '../../api/api.ts';
import { detachedSignature, signatureKey } from '../../kube-controller-manager/kube-controller-manager.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { caHashes } from './ca-hash.ts';
import { JoinError } from './join-error.ts';
import { clusterInfoName } from './join-objects.ts';

interface DiscoveryOptions {
  /** URL of an API server. */
  readonly server: string;
  readonly token: BootstrapToken;
  /** One of them must be the CA's. */
  readonly hashes: readonly string[];
  readonly clock: Clock;
}

export interface DiscoveredCluster {
  /** PEM. */
  readonly ca: string;
  /** URL at which the cluster's machines reach it, which may differ from the one that was given. */
  readonly server: string;
}

const timeoutMs = 10_000;
/** The signer needs a moment for a token that was just made. */
const signedWithinMs = 5_000;
const retryMs = 500;
/** Certificates are valid from five minutes before they are made. */
const mostClockDifferenceMs = 240_000;

/** Rejects with JoinError. */
export async function discoverCluster(options: DiscoveryOptions): Promise<DiscoveredCluster> {
  const { server, token, hashes, clock } = options;
  const path = `/api/v1/namespaces/${clusterInfoName.namespace}/configmaps/${clusterInfoName.name}`;
  const untilMs = clock.monotonic() + signedWithinMs;
  for (;;) {
    const data = fieldsIn(fieldsIn(await read(server, path, clock))['data']);
    const kubeconfig = textIn(data['kubeconfig']);
    const signature = textIn(data[signatureKey(token)]);
    if (!kubeconfig)
      throw new JoinError(`${server} publishes no cluster-info: create a token there with "coracle token create"`);
    if (signature) {
      if (signature !== detachedSignature(kubeconfig, token))
        throw new JoinError(
          `the secret of the token ${token.id} is wrong: list the tokens with "coracle token list", or create one with "coracle token create"`,
        );
      return checkCluster(kubeconfig, server, hashes);
    }
    if (clock.monotonic() >= untilMs)
      throw new JoinError(
        `${server} does not know the token ${token.id}, or it has expired: create another with "coracle token create"`,
      );
    await clock.sleep(retryMs);
  }
}

function checkCluster(kubeconfig: string, given: string, hashes: readonly string[]): DiscoveredCluster {
  const { ca, server, found } = clusterIn(kubeconfig, given);
  if (!found.some((hash) => hashes.includes(hash)))
    throw new JoinError(
      `the CA of ${given} has the hash ${found.join(', ') || '(none)'}, not ${hashes.join(', ')}: this is another cluster, or something between this machine and the server answers in its place`,
    );
  return { ca, server };
}

/** Any holder of a token can sign such a text. */
function clusterIn(kubeconfig: string, given: string): DiscoveredCluster & { readonly found: readonly string[] } {
  try {
    const { clusters } = fieldsIn(parse(kubeconfig));
    const cluster = fieldsIn(fieldsIn(Array.isArray(clusters) ? clusters[0] : undefined)['cluster']);
    const ca = Buffer.from(textIn(cluster['certificate-authority-data']), 'base64').toString();
    const server = textIn(cluster['server']) || given;
    return { ca, server: new URL(server).origin, found: caHashes(ca) };
  } catch (error) {
    throw new JoinError(
      `the cluster-info of ${given} cannot be read (${(error as Error).message.split('\n')[0]}): "coracle token create" on a server writes it again`,
    );
  }
}

/** Anonymous, and without trust in the server: the signature and the hash are checked afterwards. */
async function read(server: string, path: string, clock: Clock): Promise<unknown> {
  const { code, text, date } = await get(new URL(path, server), clock).catch((error: NodeJS.ErrnoException) => {
    throw new JoinError(
      `cannot reach ${server} (${error.code ?? error.message}): check the address, that the server runs, and that no firewall is between`,
    );
  });
  const differenceMs = clock.now() - Date.parse(date);
  if (Math.abs(differenceMs) > mostClockDifferenceMs)
    throw new JoinError(
      `this machine's clock is ${Math.round(Math.abs(differenceMs) / 60_000)} minutes ${differenceMs > 0 ? 'ahead of' : 'behind'} that of ${server}: certificates would be invalid. Set it, for example with "timedatectl set-ntp true"`,
    );
  if (code === 404) return {};
  if (code === 401 || code === 403)
    throw new JoinError(
      `${server} refuses anonymous access to cluster-info (${code}): create a token there with "coracle token create", and leave --anonymous-auth on`,
    );
  try {
    if (code === 200) return JSON.parse(text);
  } catch {} // reported below
  throw new JoinError(`${server} does not answer as a Kubernetes API server does (HTTP ${code}): check the address`);
}

const mostBytes = 1 << 20;

function get(url: URL, clock: Clock): Promise<{ code: number; text: string; date: string }> {
  return new Promise((resolve, reject) => {
    // The whole answer has this time: one that comes byte by byte would never end.
    const timer = clock.after(timeoutMs, () => request.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
    const request = https.get(url, { rejectUnauthorized: false, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > mostBytes) request.destroy(new Error('its answer is too long'));
        else chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({
          code: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          date: response.headers.date ?? '',
        }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.on('close', () => timer.cancel());
  });
}
