import { anyAddress, type HostPort, hostPortsOf, portsConflict } from '../../api/api.ts';
import type { Plugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const rejection = { reason: "node(s) didn't have free ports for the requested pod ports", resolvable: true };

/** The wildcard address takes the port on every address. */
function isTaken({ usedPorts }: NodeInfo, { protocol, ip, port }: HostPort): boolean {
  if (usedPorts.size === 0) return false;
  if (usedPorts.has(`${protocol} ${ip} ${port}`) || usedPorts.has(`${protocol} ${anyAddress} ${port}`)) return true;
  if (ip !== anyAddress) return false;
  for (const key of usedPorts.keys()) if (key.startsWith(`${protocol} `) && key.endsWith(` ${port}`)) return true;
  return false;
}

/** Host ports: two pods of a node cannot have the same. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepareFilter({ hostPorts }) {
    if (hostPorts.length === 0) return 'skip';
    return { filter: (node) => (hostPorts.some((port) => isTaken(node, port)) ? rejection : undefined) };
  },
  wakes: (event, pod) =>
    event.type === 'node-added' ||
    (event.type === 'pod-gone' &&
      hostPortsOf(event.pod).some((freed) => pod.hostPorts.some((port) => portsConflict(port, freed)))),
};
