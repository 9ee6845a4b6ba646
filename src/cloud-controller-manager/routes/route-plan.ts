// Compares the routes of the cloud with the address ranges of the nodes.

import type { Node, NodeAddress } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { type Cidr, canonicalCidrText, cidrContains, parseCidr } from '../../machinery/ip.ts';
import type { Route } from '../provider.ts';

export interface MissingRoute {
  readonly node: Node;
  readonly cidr: string;
}

interface RoutePlan {
  readonly remove: readonly Route[];
  readonly create: readonly MissingRoute[];
  /** Nodes that have a route or should have one, and so get the condition NetworkUnavailable. */
  readonly judged: readonly Node[];
  /** Routes that are left alone because their destination is no address range. */
  readonly unreadable: readonly Route[];
}

export function planRoutes(nodes: readonly Node[], routes: readonly Route[], clusterCidrs: readonly Cidr[]): RoutePlan {
  const byNode = Map.groupBy(
    routes.filter(({ targetNode }) => targetNode !== ''),
    ({ targetNode }) => targetNode,
  );
  const kept = new Set<string>();
  const create: MissingRoute[] = [];
  for (const node of nodes)
    for (const cidr of new Set(node.spec?.podCIDRs ?? [])) {
      const { name } = node.metadata;
      const existing = byNode.get(name)?.find(({ destinationCIDR }) => isSameRange(destinationCIDR, cidr));
      if (existing && leadsTo(existing, node)) kept.add(`${name} ${canonicalCidrText(cidr)}`);
      else create.push({ node, cidr });
    }
  const within = routes.filter(({ destinationCIDR }) => isWithin(destinationCIDR, clusterCidrs));
  return {
    create,
    remove: within.filter(
      ({ isBlackhole, targetNode, destinationCIDR }) =>
        isBlackhole || !kept.has(`${targetNode} ${canonicalCidrText(destinationCIDR)}`),
    ),
    judged: nodes.filter(({ metadata, spec }) => (spec?.podCIDRs?.length ?? 0) > 0 || byNode.has(metadata.name)),
    unreadable: routes.filter(({ destinationCIDR }) => !parseCidr(destinationCIDR)),
  };
}

/** In one spelling. */

const isSameRange = (one: string, other: string): boolean => canonicalCidrText(one) === canonicalCidrText(other);

/** A route without addresses follows its machine. */
const leadsTo = ({ targetAddresses }: Route, { status }: Node): boolean =>
  !targetAddresses || deepEqual(sorted(targetAddresses), sorted(status?.addresses ?? []));

const sorted = (addresses: readonly NodeAddress[]): string[] =>
  addresses.map(({ type, address }) => `${type} ${address}`).sort();

/** Whether the first or the last address of a range is one of the cluster's. */
function isWithin(text: string, clusterCidrs: readonly Cidr[]): boolean {
  const cidr = parseCidr(text);
  if (!cidr) return false;
  const hostBits = BigInt((cidr.family === 4 ? 32 : 128) - cidr.prefix);
  const ends = [cidr.base, cidr.base | ((1n << hostBits) - 1n)];
  return clusterCidrs.some((cluster) => ends.some((value) => cidrContains(cluster, { family: cidr.family, value })));
}
