import { anyAddress, type HostPort, hostPortsOf, portsConflict } from '../../api/api.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { Plugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const rejection = { reason: "node(s) didn't have free ports for the requested pod ports", resolvable: true };

/** The wildcard address takes the port on every address. */
function isTaken({ usedPorts, usedOnAny }: NodeInfo, { protocol, ip, port }: HostPort): boolean {
  if (usedPorts.size === 0) return false;
  if (usedPorts.has(`${protocol} ${ip} ${port}`) || usedPorts.has(`${protocol} ${anyAddress} ${port}`)) return true;
  return ip === anyAddress && usedOnAny.has(`${protocol} ${port}`);
}

/** Host ports: two pods of a node cannot have the same. */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepareFilter({ hostPorts }) {
    if (hostPorts.length === 0) return 'skip';
    return {
      filter(node) {
        spendEffort(hostPorts.length);
        return hostPorts.some((port) => isTaken(node, port)) ? rejection : undefined;
      },
    };
  },
  wakes: (event, pod) =>
    event.type === 'node-added' ||
    (event.type === 'pod-gone' &&
      hostPortsOf(event.pod).some((freed) => pod.hostPorts.some((port) => portsConflict(port, freed)))),
};
