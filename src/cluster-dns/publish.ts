// The endpoints of the service kube-dns: the servers are no pods, so no controller finds them. Each server has an
// EndpointSlice; while there are several, each renews its own, and removes one that is not renewed any more.

import { type EndpointSlice, ignoreNotFound, isAlreadyExists, isConflict } from '../api/api.ts';
import type { ComponentContext, Informer } from '../client/client.ts';

const namespace = 'kube-system';
const service = 'kubernetes.io/service-name';
const manager = 'endpointslice.kubernetes.io/managed-by';
const ours = 'cluster-dns.coracle.local';
const renewed = 'coracle.local/renewed';
const renewEveryMs = 5_000;
/** As long as a Lease of kube-apiserver's endpoints lives. */
const lifeMs = 15_000;

export interface DnsServer {
  /** Unique among the servers of a cluster, and the same after a restart. */
  readonly instance: string;
  readonly address: string;
  readonly port: number;
}

export interface Published {
  /** Removes the endpoint, if others remain. */
  stop(): Promise<void>;
}

const isOfDns = ({ metadata }: EndpointSlice): boolean =>
  metadata.namespace === namespace && metadata.labels?.[service] === 'kube-dns' && metadata.labels[manager] === ours;

/** Resolves when the endpoint is there. */
export async function publish(
  context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>,
  server: DnsServer,
  slices: Informer<EndpointSlice>,
): Promise<Published> {
  const { clock, logger } = context;
  const name = `kube-dns-${server.instance}`;
  const others = () => slices.list(namespace).filter((slice) => isOfDns(slice) && slice.metadata.name !== name);
  const seen = new Map<string, { readonly version: string; readonly atMs: number }>();
  const stopping = new AbortController();
  await write(context, server, name);

  const removeDead = async () => {
    const present = others();
    const uids = new Set(present.map(({ metadata }) => metadata.uid));
    for (const uid of seen.keys()) if (!uids.has(uid)) seen.delete(uid);
    for (const { metadata } of present) {
      const { resourceVersion = '', uid } = metadata;
      const before = seen.get(uid);
      if (before?.version !== resourceVersion) seen.set(uid, { version: resourceVersion, atMs: clock.monotonic() });
      else if (clock.monotonic() - before.atMs > lifeMs) {
        seen.delete(uid);
        logger.info('cluster DNS removes the endpoint of a server that is gone', { slice: metadata.name });
        const preconditions = { uid, resourceVersion };
        await context.client
          .delete('endpointslices', { namespace, name: metadata.name }, { preconditions })
          .catch((error) => {
            if (!isConflict(error)) return ignoreNotFound(error);
            return undefined; // it was renewed just now
          });
      }
    }
  };
  const run = async () => {
    while (!stopping.signal.aborted) {
      await clock.sleep(renewEveryMs, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
      const isMissing = slices.get(`${namespace}/${name}`) === undefined;
      if (!isMissing && others().length === 0) continue;
      try {
        await write(context, server, name);
        await removeDead();
      } catch (error) {
        logger.warn('endpoint of cluster DNS not renewed', { error: (error as Error).message });
      }
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      if (others().length === 0) return;
      await context.client
        .delete('endpointslices', { namespace, name })
        .catch((error) => logger.warn('endpoint of cluster DNS not removed', { error: (error as Error).message }));
    },
  };
}

async function write(
  { client, clock }: Pick<ComponentContext, 'client' | 'clock'>,
  { address, port }: DnsServer,
  name: string,
): Promise<void> {
  const metadata = {
    name,
    namespace,
    labels: { [service]: 'kube-dns', [manager]: ours },
    annotations: { [renewed]: new Date(clock.now()).toISOString() },
  };
  const endpoints = [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }];
  const ports: EndpointSlice['ports'] = [
    { name: 'dns', port, protocol: 'UDP' },
    { name: 'dns-tcp', port, protocol: 'TCP' },
  ];
  for (;;) {
    const current = await client.get('endpointslices', { namespace, name }).catch(ignoreNotFound);
    try {
      if (current)
        await client.update('endpointslices', {
          ...current,
          metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, ...metadata.annotations } },
          endpoints,
          ports,
        } as EndpointSlice);
      else await client.create('endpointslices', { metadata, addressType: 'IPv4', endpoints, ports });
      return;
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }
}
