// Enforces network policies for the pods of this machine.

import type { RunningComponent } from '../../client/client.ts';
import { packetFilter } from '../../container-runtime/container-runtime.ts';
import { removeNetworkPolicies, startNetworkPolicy } from '../../network-policy/network-policy.ts';
import { firstAddresses } from '../addresses/addresses.ts';
import { type ClusterConfig, machineName } from '../config.ts';
import { componentContext } from '../context.ts';
import { identities } from '../identities.ts';
import type { NodePartContext } from '../node-part.ts';
import { list } from '../settings/setting-values.ts';

export function startNetworkPolicyPart(parts: NodePartContext): Promise<RunningComponent> {
  const { config } = parts;
  const context = componentContext(parts, 'network-policy', parts.clientFor(identities.networkPolicy));
  const settings = {
    nodeNames: config.nodeNames,
    clusterCidrs: list(config.clusterCidr),
    dnsAddresses: firstAddresses(config.serviceCidr).dnsServiceIPs,
    clusterName: machineName(config),
  };
  return startNetworkPolicy(context, settings, packetFilter);
}

/** Removes the rules of network policies from this machine, also after a crash. */
export const clearNetworkPolicies = (cluster: Pick<ClusterConfig, 'name' | 'dataDirectory'>): Promise<void> =>
  removeNetworkPolicies(machineName(cluster), packetFilter);
