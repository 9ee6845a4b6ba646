// The addresses of a node from those of its machine in the cloud.

import type { Node, NodeAddress } from '../../api/api.ts';
import { type Ip, parseIp } from '../../machinery/ip.ts';

/** The kubelet's --node-ip: one address, or one of each family. */
export const providedNodeIPAnnotation = 'alpha.kubernetes.io/provided-node-ip';

/** Undefined: the cloud gave none, so that the node keeps its own. Throws when they contradict the kubelet's. */
export function nodeAddresses(node: Node, given: readonly NodeAddress[]): readonly NodeAddress[] | undefined {
  if (given.length === 0) return undefined;
  const own = node.status?.addresses ?? [];
  const hostnames = given.some(isHostname) ? [] : own.filter(isHostname);
  return preferred(node, [...given, ...hostnames]);
}

const isHostname = ({ type }: NodeAddress): boolean => type === 'Hostname';

/** An address of the annotation is the first one, and the only one of its type. */
export function preferred(node: Node, given: readonly NodeAddress[]): readonly NodeAddress[] {
  const annotation = node.metadata.annotations?.[providedNodeIPAnnotation];
  if (annotation === undefined) return given;
  const enforced = parseNodeIPs(annotation).flatMap(({ text, ip }) => {
    const matched = given.filter(({ address }) => isSame(parseIp(address), ip));
    if (matched.length === 0)
      throw new Error(`failed to get node address from cloud provider that matches ip: ${text}`);
    return matched;
  });
  const types = new Set(enforced.map(({ type }) => type));
  return [...enforced, ...given.filter(({ type }) => !types.has(type))].map(({ type, address }) => ({ type, address }));
}

const isSame = (one: Ip | undefined, other: Ip): boolean => one?.family === other.family && one.value === other.value;

function parseNodeIPs(annotation: string): { readonly text: string; readonly ip: Ip }[] {
  const wrong = (reason: string) => new Error(`failed to parse node IP "${annotation}": ${reason}`);
  const ips = annotation.split(',').map((text) => {
    const ip = parseIp(text);
    if (!ip) throw wrong(`could not parse "${text}"`);
    return { text, ip };
  });
  const [first, second] = ips;
  if (ips.length > 2 || (second && first?.ip.family === second.ip.family))
    throw wrong('must contain either a single IP or a dual-stack pair of IPs');
  if (second && ips.some(({ ip }) => ip.value === 0n))
    throw wrong("dual-stack node IP cannot include '0.0.0.0' or '::'");
  return ips;
}
