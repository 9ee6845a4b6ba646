// Keeps this machine's routes to the pods of other machines.

import { readFile } from 'node:fs/promises';
import type { Node } from '../../api/api.ts';
import { createInformer, type RunningComponent } from '../../client/client.ts';
import { PodRoutes, type RemoteNode, removePodRoutes } from '../../container-runtime/container-runtime.ts';
import { parseIp } from '../../machinery/ip.ts';
import { readRanges } from '../addresses/network-ranges.ts';
import type { RunConfig } from '../config.ts';
import { componentContext } from '../context.ts';
import type { DataDirectory } from '../data-directory.ts';
import { identities } from '../identities.ts';
import { caHashes } from '../joining/ca-hash.ts';
import { readMembership } from '../joining/membership.ts';
import { clusterAuthority, type NodePartContext } from '../node-part.ts';
import { list } from '../settings/setting-values.ts';

/** Changes come in groups. */
const collectMs = 100;
const retryMs = 5_000;
/** Routes that another program removed come back. */
const againMs = 60_000;

export const needsPodRoutes = ({ components, runtime, network }: RunConfig): boolean =>
  components.includes('kubelet') && runtime !== 'simulated' && network === 'routes';

export async function startPodRoutes(parts: NodePartContext): Promise<RunningComponent> {
  const { config, clock, logger } = parts;
  // The service proxy's rights include reading nodes.
  const context = componentContext(parts, 'pod-routes', parts.clientFor(identities.proxy));
  const routes = new PodRoutes({
    clusterId: clusterId(clusterAuthority(parts)),
    clusterCidrs: list(config.clusterCidr),
    nodeName: config.nodeNames[0],
    nodeIP: config.nodeIP,
  });
  const nodes = createInformer(context, 'nodes');
  const stopping = new AbortController();
  let problem: string | undefined;
  let wake = Promise.withResolvers<void>();
  const stopHandling = nodes.handle((next, old) => {
    if (rangeKey(next) !== rangeKey(old)) wake.resolve();
  });
  const run = async () => {
    await nodes.synced();
    while (!stopping.signal.aborted) {
      wake = Promise.withResolvers();
      const others = [...nodes.list()].flatMap((node) => remoteOf(node, config) ?? []);
      const own = nodes.get(config.nodeNames[0])?.spec?.podCIDRs ?? [];
      try {
        await routes.apply(own, others);
        problem = undefined;
      } catch (error) {
        problem = `routes to pods of other machines cannot be set: ${(error as Error).message}`;
        logger.warn('routes to pods not set', { error: (error as Error).message });
      }
      const pause = new AbortController();
      // Without other machines there is no route that could be lost.
      const isDue = problem !== undefined || others.length > 0;
      const waited = isDue ? [clock.sleep(problem ? retryMs : againMs, pause.signal).catch(() => {})] : [];
      await Promise.race([...waited, wake.promise]);
      pause.abort();
      if (!stopping.signal.aborted) await clock.sleep(collectMs, stopping.signal).catch(() => {});
    }
  };
  const running = run();
  return {
    health: () => problem,
    // Pods outlive this process, and so do their routes.
    async stop() {
      stopping.abort();
      wake.resolve();
      stopHandling();
      await nodes.stop();
      await running;
    },
  };
}

/** The same on each machine of a cluster. */
const clusterId = (ca: string | undefined): string => (ca ? caHashes(ca).join() : '');

/** In the order of `families`. A machine of a cloud without a private network has external ones alone. */
const addressesOf = ({ status }: Node, families: readonly (4 | 6)[]): string[] =>
  families.flatMap((family) => {
    const own = (status?.addresses ?? []).filter(({ address }) => parseIp(address)?.family === family);
    const found = ['InternalIP', 'ExternalIP'].map((wanted) => own.find(({ type }) => type === wanted));
    return found.find((each) => each)?.address ?? [];
  });

const rangeKey = (node: Node | undefined) => node && `${addressesOf(node, [4, 6])} ${node.spec?.podCIDRs?.join()}`;

/** Undefined for a node of this machine, and for one that has no range or address yet. */
function remoteOf(node: Node, { nodeIP, nodeIPs, nodeNames }: RunConfig): RemoteNode | undefined {
  // Tunnels begin at the primary address.
  const families = nodeIPs.map((address) => (address.includes(':') ? 6 : 4));
  const addresses = addressesOf(node, families);
  const cidrs = node.spec?.podCIDRs ?? [];
  const { name } = node.metadata;
  if (addresses.length === 0 || addresses.includes(nodeIP) || nodeNames.includes(name) || cidrs.length === 0)
    return undefined;
  return { name, addresses, cidrs };
}

/** Removes the routes of a cluster from this machine, also after a crash. */
export async function clearPodRoutes(directory: DataDirectory): Promise<void> {
  const membership = await readMembership(directory).catch(() => undefined);
  const ca = membership?.ca ?? (await readFile(`${directory.pki}/ca.crt`, 'utf8').catch(() => undefined));
  const clusterCidr = membership?.settings.clusterCidr ?? (await readRanges(directory.ranges))?.clusterCidr;
  if (ca && clusterCidr) await removePodRoutes({ clusterId: clusterId(ca), clusterCidrs: list(clusterCidr) });
}
