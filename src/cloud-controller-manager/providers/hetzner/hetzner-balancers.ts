// Hetzner Cloud's load balancers. Each has a label with the uid of its service, as with Hetzner's own
// cloud-controller-manager.

import { announcedLoadBalancer, type LoadBalancerStatus, type Node, type Service } from '../../../api/api.ts';
import { keyOf, type Tools } from '../../../client/client.ts';
import { CloudError, type LoadBalancers, messageOf } from '../../provider.ts';
import {
  type BalancerDefaults,
  changesTo,
  targetChanges,
  type WantedBalancer,
  wantedBalancer,
} from './balancer-plan.ts';
import type { Balancer, HetznerApi } from './hetzner-api.ts';
import { serverIdOf } from './hetzner-servers.ts';

const uidLabel = 'hcloud-ccm/service-uid';
const longestName = 32;

export function hetznerBalancers(api: HetznerApi, defaults: BalancerDefaults): LoadBalancers {
  const find = async ({ metadata }: Service): Promise<Balancer | undefined> => {
    const found = await api.balancers({ label_selector: `${uidLabel}=${metadata.uid}` });
    if (found.length > 1)
      throw new CloudError(`load balancers ${found.map(({ id }) => id).join(' and ')} have the label of this service`);
    return found[0];
  };
  const setTargets = async (balancer: Balancer, nodes: readonly Node[], usesPrivateIP: boolean, tools: Tools) => {
    const servers = serversOf(nodes, tools);
    if (servers.length > balancer.mostTargets)
      throw new CloudError(
        `load balancers of type ${balancer.type} have up to ${balancer.mostTargets} targets, and the cluster has ${servers.length} nodes: choose a larger type`,
      );
    for (const { action, body } of targetChanges(balancer, servers, usesPrivateIP))
      await api.act('load_balancers', balancer.id, action, body);
  };
  return {
    ownAnnotations: [announcedLoadBalancer],
    exists: async (service) => (await find(service)) !== undefined,
    async ensure(service, nodes, tools) {
      const wanted = wantedBalancer(service, defaults);
      const id =
        (await find(service))?.id ??
        (await adopt(api, service, wanted)) ??
        (await create(api, service, wanted, defaults));
      const existing = await api.balancer(id);
      if (wanted.name !== undefined && wanted.name !== existing.name)
        await api.updateBalancer(id, { name: wanted.name });
      for (const { action, body } of changesTo(existing, wanted, defaults.network))
        await api.act('load_balancers', id, action, body);
      await setTargets(existing, nodes, wanted.usesPrivateIP, tools);
      return { status: statusOf(await api.balancer(id), wanted), annotations: { [announcedLoadBalancer]: null } };
    },
    async update(service, nodes, tools) {
      const existing = await find(service);
      if (!existing) throw new CloudError('the project has no load balancer with the label of this service');
      await setTargets(existing, nodes, wantedBalancer(service, defaults).usesPrivateIP, tools);
      return undefined;
    },
    async remove(service) {
      const existing = await find(service);
      if (existing) await api.deleteBalancer(existing.id);
    },
  };
}

/** A load balancer that the user made, and names in an annotation. */
async function adopt(api: HetznerApi, { metadata }: Service, { name }: WantedBalancer): Promise<number | undefined> {
  if (name === undefined) return undefined;
  const found = (await api.balancers({ name })).find((balancer) => balancer.name === name);
  if (!found) return undefined;
  const owner = found.labels[uidLabel];
  if (owner !== undefined && owner !== metadata.uid)
    throw new CloudError(`the load balancer ${name} belongs to the service with the uid ${owner}`);
  await api.updateBalancer(found.id, { labels: { ...found.labels, [uidLabel]: metadata.uid } });
  return found.id;
}

async function create(
  api: HetznerApi,
  { metadata }: Service,
  { name, location, networkZone, type, algorithm, usesPrivateIP }: WantedBalancer,
  defaults: BalancerDefaults,
): Promise<number> {
  if (!location && !networkZone)
    throw new CloudError(
      'give the annotation load-balancer.hetzner.cloud/location, or a location or networkZone in the file of --cloud-config',
    );
  return api.createBalancer({
    name: name ?? `a${metadata.uid.replaceAll('-', '')}`.slice(0, longestName),
    load_balancer_type: type ?? defaults.type,
    algorithm: { type: algorithm },
    labels: { [uidLabel]: metadata.uid },
    ...(location ? { location } : { network_zone: networkZone }),
    ...(usesPrivateIP && { network: defaults.network }),
  });
}

/** Nodes of other clouds, and those that wait for their identity, are no targets. */
function serversOf(nodes: readonly Node[], { logger }: Tools): number[] {
  return nodes.flatMap((node) => {
    try {
      return serverIdOf(node) ?? [];
    } catch (error) {
      logger.warn('node left out of load balancers', { node: keyOf(node), error: messageOf(error) });
      return [];
    }
  });
}

function statusOf(
  { isPublic, publicIPv4, publicIPv6, privateNets }: Balancer,
  { hostname, ipMode, hasIPv6, hasPrivateIngress }: WantedBalancer,
): LoadBalancerStatus {
  if (hostname) return { ingress: [{ hostname }] };
  const addresses = [
    ...(isPublic ? [publicIPv4, ...(hasIPv6 ? [publicIPv6] : [])] : []),
    ...(hasPrivateIngress ? privateNets.map(({ ip }) => ip) : []),
  ].filter((ip) => ip !== '');
  return { ingress: addresses.map((ip) => ({ ip, ipMode })) };
}
