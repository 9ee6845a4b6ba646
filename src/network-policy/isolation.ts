// Decides from policies, pods and namespaces which traffic the isolated pods of a node may have.
// https://kubernetes.io/docs/concepts/services-networking/network-policies/

import type {
  LabelSelector as LabelSelectorSpec,
  Namespace,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  Pod,
} from '../api/api.ts';
import { labelSelector } from '../machinery/selectors/label-selector.ts';
import { type AddressRange, blockRanges } from './address-ranges.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';
export type Direction = 'ingress' | 'egress';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The other side of the traffic. */
export type Peer =
  | { readonly kind: 'any' }
  /** The pods with this key in `Isolation.peers`. */
  | { readonly kind: 'pods'; readonly key: string }
  | { readonly kind: 'block'; readonly ranges: readonly AddressRange[] };

/** The port at the destination. */
export type PortMatch =
  | { readonly kind: 'any' }
  | { readonly kind: 'protocol'; readonly protocol: Protocol }
  | { readonly kind: 'ranges'; readonly protocol: Protocol; readonly ranges: readonly PortRange[] }
  /** The destinations with this key in `Isolation.namedPorts`. */
  | { readonly kind: 'named'; readonly protocol: Protocol; readonly key: string };

/** Traffic between the isolated pod and one of the peers is permitted, if the port matches. */
export interface Permission {
  readonly peers: readonly Peer[];
  readonly ports: readonly PortMatch[];
}

export interface Destination {
  readonly address: string;
  readonly port: number;
}

export interface Isolation {
  /** Addresses of the node's pods, isolated or not. */
  readonly ownAddresses: ReadonlySet<string>;
  /** By address of an isolated pod: the keys of its policies, sorted. */
  readonly isolated: Readonly<Record<Direction, ReadonlyMap<string, readonly string[]>>>;
  /** By key of a policy that selects a pod of the node. */
  readonly permissions: Readonly<Record<Direction, ReadonlyMap<string, readonly Permission[]>>>;
  /** Addresses of the pods that a peer selects. */
  readonly peers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly namedPorts: ReadonlyMap<string, readonly Destination[]>;
  /** A pod of the node is isolated and has no address yet. */
  readonly awaitsAddress: boolean;
}

export interface Inputs {
  readonly policies: readonly NetworkPolicy[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  /** The nodes of this machine. */
  readonly nodeNames: readonly string[];
}

/** Undefined: no pod of the node is isolated. */
export function isolate(inputs: Inputs): Isolation | undefined {
  const own = inputs.pods.filter((pod) => isOnPodNetwork(pod) && inputs.nodeNames.includes(pod.spec.nodeName ?? ''));
  const subjects = new Map<string, Pod[]>();
  for (const pod of own) append(subjects, pod.metadata.namespace ?? '', pod);
  const policiesOf = { ingress: new Map<Pod, string[]>(), egress: new Map<Pod, string[]>() };
  const selecting: Record<Direction, NetworkPolicy[]> = { ingress: [], egress: [] };
  for (const policy of sorted(inputs.policies)) {
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
  const resolver = new Resolver(inputs);
  const permissions = {
    ingress: new Map(selecting.ingress.map((policy) => [keyOf(policy), resolver.permissions(policy, 'ingress')])),
    egress: new Map(selecting.egress.map((policy) => [keyOf(policy), resolver.permissions(policy, 'egress')])),
  };
  return {
    ownAddresses: new Set(own.flatMap(addressesOf)),
    isolated: { ingress: byAddress(own, policiesOf.ingress), egress: byAddress(own, policiesOf.egress) },
    permissions,
    peers: resolver.peers,
    namedPorts: resolver.namedPorts,
    awaitsAddress: [...affected].some(isStarting),
  };
}

const keyOf = ({ metadata }: NetworkPolicy): string => `${metadata.namespace}/${metadata.name}`;

const sorted = (policies: readonly NetworkPolicy[]): readonly NetworkPolicy[] =>
  policies.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const found = map.get(key);
  if (found) found.push(value);
  else map.set(key, [value]);
}

/** The API server sets the types; an object in an old store may lack them. */
function directionsOf({ spec: { policyTypes = [], egress = [] } }: NetworkPolicy): readonly Direction[] {
  if (policyTypes.length === 0) return egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
  return policyTypes.map((type) => (type === 'Ingress' ? 'ingress' : 'egress'));
}

/** The address of an ended pod may belong to another one. */
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

const isOnPodNetwork = (pod: Pod): boolean => !pod.spec.hostNetwork && !hasEnded(pod);

function addressesOf({ status }: Pod): readonly string[] {
  if (status?.podIPs?.length) return status.podIPs.map(({ ip }) => ip);
  return status?.podIP ? [status.podIP] : [];
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

/** Finds the pods and ports that rules name; each selector once. */
class Resolver {
  readonly peers = new Map<string, ReadonlySet<string>>();
  readonly namedPorts = new Map<string, readonly Destination[]>();
  readonly #namespaces: readonly Namespace[];
  readonly #podsOf = new Map<string, Pod[]>();

  constructor({ pods, namespaces }: Inputs) {
    this.#namespaces = namespaces;
    for (const pod of pods)
      if (isOnPodNetwork(pod) && addressesOf(pod).length > 0) append(this.#podsOf, pod.metadata.namespace ?? '', pod);
  }

  permissions({ metadata, spec }: NetworkPolicy, direction: Direction): Permission[] {
    const namespace = metadata.namespace ?? '';
    const rules =
      direction === 'ingress'
        ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    return rules.map(({ peers = [], ports = [] }) => ({
      peers: peers.length === 0 ? [{ kind: 'any' }] : peers.map((peer) => this.#peer(namespace, peer)),
      ports: ports.length === 0 ? [{ kind: 'any' }] : this.#ports(ports),
    }));
  }

  #peer(namespace: string, { ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer): Peer {
    if (ipBlock) return { kind: 'block', ranges: blockRanges(ipBlock.cidr, ipBlock.except ?? []) };
    const pods = labelSelector(podSelector ?? {});
    const spaces = namespaceSelector && labelSelector(namespaceSelector);
    const key = `${spaces ? `namespaces ${spaces}` : `namespace ${namespace}`}; pods ${pods}`;
    if (!this.peers.has(key)) this.peers.set(key, this.#select(namespace, namespaceSelector, podSelector));
    return { kind: 'pods', key };
  }

  #select(
    own: string,
    namespaceSelector: LabelSelectorSpec | undefined,
    podSelector: LabelSelectorSpec | undefined,
  ): ReadonlySet<string> {
    const pods = labelSelector(podSelector ?? {});
    const spaces = namespaceSelector && labelSelector(namespaceSelector);
    const names = spaces
      ? this.#namespaces.filter(({ metadata }) => spaces.matches(metadata.labels)).map(({ metadata }) => metadata.name)
      : [own];
    return new Set(
      names
        .flatMap((name) => this.#podsOf.get(name) ?? [])
        .filter(({ metadata }) => pods.matches(metadata.labels))
        .flatMap(addressesOf),
    );
  }

  #ports(ports: readonly NetworkPolicyPort[]): PortMatch[] {
    const matches: PortMatch[] = [];
    const ranges = new Map<Protocol, PortRange[]>();
    for (const { protocol: name = 'TCP', port, endPort } of ports) {
      const protocol = name.toLowerCase() as Protocol;
      if (port === undefined) matches.push({ kind: 'protocol', protocol });
      else if (typeof port === 'number') append(ranges, protocol, { first: port, last: endPort ?? port });
      else matches.push({ kind: 'named', protocol, key: this.#named(protocol, port) });
    }
    for (const [protocol, found] of ranges) matches.push({ kind: 'ranges', protocol, ranges: merged(found) });
    return matches;
  }

  #named(protocol: Protocol, name: string): string {
    const key = `${protocol} ${name}`;
    if (!this.namedPorts.has(key)) this.namedPorts.set(key, this.#destinations(protocol, name));
    return key;
  }

  #destinations(protocol: Protocol, name: string): Destination[] {
    return [...this.#podsOf.values()].flat().flatMap((pod) => {
      // Of init containers, sidecars alone run beside the others.
      const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
      const found = [...pod.spec.containers, ...sidecars]
        .flatMap(({ ports = [] }) => ports)
        .find((port) => port.name === name && (port.protocol ?? 'TCP').toLowerCase() === protocol);
      return found ? addressesOf(pod).map((address) => ({ address, port: found.containerPort })) : [];
    });
  }
}

/** Sorted, without overlaps. */
function merged(ranges: readonly PortRange[]): PortRange[] {
  const result: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last && range.first <= last.last + 1)
      result[result.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
    else result.push(range);
  }
  return result;
}
