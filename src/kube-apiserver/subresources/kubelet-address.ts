// Address of a node's kubelet, and the credentials of the API server for it.

import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { type Kind, type Node, notFound, userOfNode } from '../../api/api.ts';
import { trusting } from '../../machinery/certificates/trusting.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import type { Server } from '../server.ts';
import { failure } from '../status.ts';

export interface Upstream {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Host and port in a URL, if it is not simply both. */
  readonly authority?: string;
  readonly tls?: ConnectionOptions;
}

export async function kubeletOf(server: Server, node: string): Promise<Upstream> {
  const kind = server.kinds.byResource('', 'v1', 'nodes') as Kind;
  const found = (await cacheOf(server, kind)).get(keyOf(kind, '', node))?.object as Node | undefined;
  if (!found) throw notFound(kind, node);
  const addresses = found.status?.addresses ?? [];
  const host = server.config.kubeletAddressTypes
    .map((type) => addresses.find((a) => a.type === type)?.address)
    .find(Boolean);
  if (!host) throw failure(500, 'InternalError', `no preferred addresses found; known addresses: []`);
  const { kubeletClient } = server.config;
  return {
    protocol: 'https',
    host,
    port: found.status?.daemonEndpoints?.kubeletEndpoint?.Port || 10_250,
    tls: {
      ...(kubeletClient && { cert: kubeletClient.cert, key: kubeletClient.key }),
      ...(kubeletClient?.ca && trusting(kubeletClient.ca)),
      rejectUnauthorized: !!kubeletClient?.ca,
      // A kubelet's certificate names its node: no node can answer in the place of another one. Certificates that a
      // user brings may name the address instead.
      checkServerIdentity: (address, certificate) =>
        certificate.subject.CN === userOfNode(node) ? undefined : checkServerIdentity(address, certificate),
    },
  };
}
