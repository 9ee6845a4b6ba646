// Gives every node its range of pod addresses out of the cluster's.
// https://kubernetes.io/docs/concepts/cluster-administration/networking/

import type { Node } from '../../api/api.ts';
import { type Controller, own, type Tools } from '../../client/client.ts';
import {
  type Cidr,
  canonicalCidrText,
  cidrSize,
  cidrsOverlap,
  formatCidr,
  nthSubnet,
  parseCidr,
} from '../../machinery/ip.ts';

interface NodeIpamConfig {
  readonly clusterCidrs: readonly string[];
  readonly nodeCidrMaskSize?: { readonly ipv4?: number; readonly ipv6?: number };
}

export function nodeipam(config: NodeIpamConfig): Controller {
  const ranges = config.clusterCidrs.map((text) => rangeOf(text, config));
  /** Allocations that the cache may not have yet: with one worker, this and the cache are complete. */
  const given = new Map<string, readonly string[]>();
  return {
    name: 'nodeipam',
    component: 'cidrAllocator',
    watches: [own('nodes', () => false)],
    workers: 1,
    async reconcile(name, tools) {
      const node = tools.lister('nodes').get(name);
      if (!node) {
        given.delete(name);
        return;
      }
      if (node.spec.podCIDRs?.length || node.spec.podCIDR) return;
      const podCIDRs = allocate(node, ranges, given, tools);
      given.set(name, podCIDRs);
      const body = { spec: { podCIDR: podCIDRs[0], podCIDRs } };
      await tools.client.patch('nodes', { name }, { type: 'strategic', body });
    },
  };
}

interface Range {
  readonly cidr: Cidr;
  readonly nodePrefix: number;
}

function rangeOf(text: string, config: NodeIpamConfig): Range {
  const cidr = parseCidr(text);
  if (!cidr) throw new Error(`cluster CIDR "${text}" is not a range of addresses`);
  const nodePrefix = cidr.family === 4 ? (config.nodeCidrMaskSize?.ipv4 ?? 24) : (config.nodeCidrMaskSize?.ipv6 ?? 64);
  if (nodePrefix < cidr.prefix)
    throw new Error(`cluster CIDR "${text}" is smaller than one node's range, a /${nodePrefix}`);
  return { cidr, nodePrefix };
}

function allocate(
  node: Node,
  ranges: readonly Range[],
  given: ReadonlyMap<string, readonly string[]>,
  { lister, events }: Tools,
): string[] {
  const used = new Set([...given.values()].flat());
  for (const { spec } of lister('nodes').list())
    for (const cidr of spec.podCIDRs ?? []) used.add(canonicalCidrText(cidr));
  return ranges.map((range) => {
    const found = firstFree(range, used);
    if (found) return found;
    events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${node.metadata.name} status is now: CIDRNotAvailable`);
    throw new Error('CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range');
  });
}

function firstFree({ cidr, nodePrefix }: Range, used: ReadonlySet<string>): string | undefined {
  const bits = cidr.family === 4 ? 32 : 128;
  const count = cidrSize(cidr) >> BigInt(bits - nodePrefix);
  // Ranges of another size, from before a change of the configuration, must not be cut into.
  const odd = [...used].flatMap((text) => parseCidr(text) ?? []).filter((other) => other.prefix !== nodePrefix);
  for (let index = 0; BigInt(index) < count; index++) {
    const subnet = nthSubnet(cidr, nodePrefix, index);
    if (!subnet) return undefined;
    if (!used.has(formatCidr(subnet)) && !odd.some((other) => cidrsOverlap(other, subnet))) return formatCidr(subnet);
  }
  return undefined;
}
