// Decides from policies, pods and namespaces which traffic the isolated pods of a node may have.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/

import type { NetworkPolicy, Pod } from '../api/api.ts';
import { labelSelector } from '../machinery/selectors/label-selector.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import { NamespaceEffort } from './namespace-effort.ts';
import type { Direction, Inputs, Isolation, Permission } from './permissions.ts';
import { addressesOf, isOnPodNetwork } from './pod-addresses.ts';
import { Resolver } from './resolver.ts';

/** Undefined: no pod of the node is isolated. */
export const isolate = (inputs: Inputs): Isolation | undefined => finish(isolationOf(inputs));

export function* isolationOf(inputs: Inputs): Steps<Isolation | undefined> {
  const own = inputs.pods.filter((pod) => isOnPodNetwork(pod) && inputs.nodeNames.includes(pod.spec.nodeName ?? ''));
  const subjects = new Map<string, Pod[]>();
  for (const pod of own) append(subjects, pod.metadata.namespace ?? '', pod);
  const policiesOf = { ingress: new Map<Pod, string[]>(), egress: new Map<Pod, string[]>() };
  const selecting: Record<Direction, NetworkPolicy[]> = { ingress: [], egress: [] };
  for (const policy of sorted(inputs.policies)) {
    yield;
    const selector = labelSelector(policy.spec.podSelector);
    const selected = (subjects.get(policy.metadata.namespace ?? '') ?? []).filter(({ metadata }) =>
      selector.matches(metadata.labels),
    );
    if (selected.length === 0) continue;
    for (const direction of directionsOf(policy)) {
      selecting[direction].push(policy);
      for (const pod of selected) append(policiesOf[direction], pod, keyOf(policy));
    }
  }
  const affected = new Set([...policiesOf.ingress.keys(), ...policiesOf.egress.keys()]);
  if (affected.size === 0) return undefined;
  const effort = new NamespaceEffort();
  for (const direction of directions)
    for (const [pod, policies] of policiesOf[direction])
      if (!effort.spend(pod.metadata.namespace ?? '', { entries: policies.length })) policiesOf[direction].set(pod, []);
  const resolver = new Resolver(inputs, effort);
  const permissions = { ingress: new Map<string, Permission[]>(), egress: new Map<string, Permission[]>() };
  for (const direction of directions)
    for (const policy of selecting[direction])
      permissions[direction].set(keyOf(policy), yield* resolver.permissions(policy, direction));
  return {
    ownAddresses: new Set(own.flatMap(addressesOf)),
    isolated: { ingress: byAddress(own, policiesOf.ingress), egress: byAddress(own, policiesOf.egress) },
    permissions,
    peers: resolver.peers,
    namedPorts: resolver.namedPorts,
    awaitsAddress: [...affected].some(isStarting),
    tooLarge: effort.exceeded,
  };
}

const directions: readonly Direction[] = ['ingress', 'egress'];

const keyOf = ({ metadata }: NetworkPolicy): string => `${metadata.namespace}/${metadata.name}`;

const sorted = (policies: readonly NetworkPolicy[]): readonly NetworkPolicy[] =>
  policies.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

/** The API server sets the types; an object in an old store may lack them. */
function directionsOf({ spec: { policyTypes = [], egress = [] } }: NetworkPolicy): readonly Direction[] {
  if (policyTypes.length === 0) return egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
  return policyTypes.map((type) => (type === 'Ingress' ? 'ingress' : 'egress'));
}

/** Its sandbox has no network yet, or gets a new one. */
const isStarting = (pod: Pod): boolean =>
  addressesOf(pod).length === 0 ||
  pod.status?.conditions?.some(({ type, status }) => type === 'PodReadyToStartContainers' && status === 'False') ===
    true;

function byAddress(
  pods: readonly Pod[],
  policiesOf: ReadonlyMap<Pod, readonly string[]>,
): Map<string, readonly string[]> {
  const isolated = new Map<string, readonly string[]>();
  // A terminating pod comes first, so that a new pod with the same address replaces its entry.
  const isTerminating = ({ metadata }: Pod) => metadata.deletionTimestamp !== undefined;
  for (const pod of [...pods.filter(isTerminating), ...pods.filter((pod) => !isTerminating(pod))])
    for (const address of addressesOf(pod)) {
      const policies = policiesOf.get(pod);
      if (policies) isolated.set(address, policies);
      else isolated.delete(address);
    }
  return isolated;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const found = map.get(key);
  if (found) found.push(value);
  else map.set(key, [value]);
}
