// Joins this machine to a cluster: trust, settings, checks, and the kubelet's first certificate.

import { mkdir, rm } from 'node:fs/promises';
import { ignoreNotFound, isApiError, isConditionTrue } from '../../api/api.ts';
import { type Client, createClient, type HttpsTransport, httpsTransport } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { KeyPair } from '../certificates/certificates.ts';
import type { DataDirectory } from '../data-directory.ts';
import { version } from '../version.ts';
import { hostAndPort } from './balancer.ts';
import { type DiscoveredCluster, discoverCluster } from './discovery.ts';
import { JoinError } from './join-error.ts';
import { controlPlaneLabel, parseSettings, settingsName } from './join-objects.ts';
import { type Membership, membershipFile, writeMembership } from './membership.ts';
import { bootstrapKubelet, type CertificateTools, ensureNodeCertificates } from './node-certificates.ts';
import { tokenText } from './tokens.ts';
import type { JoinRequest, SharedSettings } from './types.ts';

/** Trusts the cluster, and gives a client with the token for a server that answers with a certificate of its CA. */
export async function enterCluster(
  request: JoinRequest,
  clock: Clock,
): Promise<DiscoveredCluster & { readonly settings: SharedSettings; readonly client: Client; close(): void }> {
  const found = await discoverCluster({ ...request, clock });
  const transport = httpsTransport({
    server: request.server,
    ca: found.ca,
    token: tokenText(request.token),
    userAgent: 'coracle-join',
    clock,
  });
  const client = createClient(transport);
  try {
    const map = await client.get('configmaps', settingsName).catch(explain(request));
    const settings = parseSettings(map.data?.['cluster']);
    if (!settings)
      throw new JoinError(
        `the ConfigMap ${settingsName.namespace}/${settingsName.name} has no settings of the cluster: "coracle token create" there writes them again`,
      );
    checkVersion(settings.version, request.server);
    return { ...found, settings, client, close: () => transport.close() };
  } catch (error) {
    transport.close();
    throw error;
  }
}

const explain =
  ({ server, token }: JoinRequest) =>
  (error: NodeJS.ErrnoException): never => {
    if (error instanceof JoinError) throw error;
    if (isApiError(error) && error.code === 401)
      throw new JoinError(
        `${server} refuses the token ${token.id}: it has expired or is wrong; create another with "coracle token create"`,
      );
    if (isApiError(error))
      throw new JoinError(
        `${server} refuses the token ${token.id} (${error.message}): create another with "coracle token create"`,
      );
    throw new JoinError(
      `cannot use ${server}: ${error.message}. Its certificate must be of the cluster's CA and have this name`,
    );
  };

const minor = (text: string) => text.split('.').slice(0, 2).join('.');

function checkVersion(theirs: string, server: string): void {
  if (minor(theirs) !== minor(version))
    throw new JoinError(
      `the cluster at ${server} runs Coracle ${theirs}, and this is ${version}: install Coracle ${minor(theirs)} on this machine`,
    );
}

/**
 * Joins, and stores the membership. `prepare` gets the cluster's settings before a certificate is requested.
 * Rejects with JoinError; nothing of the attempt stays then.
 */
export async function joinCluster(
  request: JoinRequest,
  directory: DataDirectory,
  tools: Omit<CertificateTools, 'ca' | 'clientFor'>,
  prepare: (settings: SharedSettings) => Promise<unknown>,
): Promise<Membership> {
  const { ca, server, settings, client, close } = await enterCluster(request, tools.clock);
  const clients = clientsOf(request.server, ca, tools.clock);
  try {
    await prepare(settings);
    await checkIsNew(client, tools.node).catch(explain(request));
    // A join that was killed may have left certificates of another name.
    await rm(tools.directory, { recursive: true, force: true });
    await mkdir(tools.directory, { recursive: true, mode: 0o700 });
    const withClient = { ...tools, ca, clientFor: clients.clientFor };
    const kubelet = await bootstrapKubelet(client, withClient).catch(explain(request));
    await ensureNodeCertificates(kubelet, withClient);
    const servers = [...new Set([request.server, server].map(hostAndPort))];
    const membership = { node: tools.node, ca, servers, settings };
    await writeMembership(directory, membership);
    return membership;
  } catch (error) {
    await rm(membershipFile(directory), { force: true });
    await rm(tools.directory, { recursive: true, force: true });
    throw error;
  } finally {
    clients.close();
    close();
  }
}

function clientsOf(server: string, ca: string, clock: Clock) {
  const transports: HttpsTransport[] = [];
  return {
    clientFor(pair: KeyPair): Client {
      const transport = httpsTransport({ server, ca, ...pair, userAgent: 'coracle-join', clock });
      transports.push(transport);
      return createClient(transport);
    },
    close() {
      for (const transport of transports) transport.close();
    },
  };
}

/** A token cannot take over a node, also while that is away: the server refuses it, and this finds it earlier. */
async function checkIsNew(client: Client, name: string): Promise<void> {
  const node = await client.get('nodes', { name }).catch(ignoreNotFound);
  if (!node) return;
  const isServer = node.metadata.labels?.[controlPlaneLabel] !== undefined;
  const state = isServer ? ', which is a server' : isConditionTrue(node, 'Ready') ? ' that is Ready' : ' that is away';
  throw new JoinError(`the cluster has a node ${name}${state}: ${otherName(name)}`);
}

const otherName = (name: string): string =>
  `choose another name with --node-name, or remove that node first with "coracle node remove ${name}"`;

/** For servers, which have the keys of the control plane: one that lost its data may come back. */
export async function checkName(client: Client, name: string): Promise<void> {
  const node = await client.get('nodes', { name }).catch(ignoreNotFound);
  if (node && isConditionTrue(node, 'Ready'))
    throw new JoinError(`the cluster has a node ${name} that is Ready: ${otherName(name)}`);
}
