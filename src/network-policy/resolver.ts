import type { Namespace, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod } from '../api/api.ts';
import { labelSelector } from '../machinery/selectors/label-selector.ts';
import type { Steps } from '../machinery/time/steps.ts';
import { blockRanges } from './address-ranges.ts';
import type { NamespaceEffort } from './namespace-effort.ts';
import type {
  Destination,
  Direction,
  Inputs,
  Peer,
  Permission,
  PortMatch,
  PortRange,
  Protocol,
} from './permissions.ts';
import { addressesOf, isOnPodNetwork } from './pod-addresses.ts';

const podsPerStep = 100;

class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/**
 * Finds the pods and ports that rules name; each selector once. All pods of a rule are one peer, all its blocks another,
 * and all its named ports of a protocol one match: the kernel gets the product of peers and ports.
 */
export class Resolver {
  readonly peers = new Map<string, ReadonlySet<string>>();
  readonly namedPorts = new Map<string, readonly Destination[]>();
  readonly #namespaces: readonly Namespace[];
  readonly #pods: readonly Pod[];
  readonly #podsOf: ReadonlyMap<string, readonly Pod[]>;
  readonly #effort: NamespaceEffort;
  /** Addresses by selector. */
  readonly #selected = new Map<string, ReadonlySet<string>>();

  constructor({ pods, namespaces }: Inputs, effort: NamespaceEffort) {
    this.#namespaces = namespaces;
    this.#effort = effort;
    this.#pods = pods.filter((pod) => isOnPodNetwork(pod) && addressesOf(pod).length > 0);
    this.#podsOf = Map.groupBy(this.#pods, ({ metadata }) => metadata.namespace ?? '');
  }

  /** None if the policies of the namespace are too large. */
  *permissions({ metadata, spec }: NetworkPolicy, direction: Direction): Steps<Permission[]> {
    const namespace = metadata.namespace ?? '';
    const rules =
      direction === 'ingress'
        ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    const permissions: Permission[] = [];
    try {
      for (const { peers = [], ports = [] } of rules)
        permissions.push({
          peers: peers.length === 0 ? [{ kind: 'any' }] : yield* this.#peers(namespace, peers),
          ports: ports.length === 0 ? [{ kind: 'any' }] : yield* this.#ports(namespace, ports),
        });
      return permissions;
    } catch (error) {
      if (error instanceof TooLarge) return [];
      throw error;
    }
  }

  #spend(namespace: string, effort: Parameters<NamespaceEffort['spend']>[1]): void {
    if (!this.#effort.spend(namespace, effort)) throw new TooLarge();
  }

  *#peers(namespace: string, peers: readonly NetworkPolicyPeer[]): Steps<Peer[]> {
    const blocks = peers.flatMap(({ ipBlock }) => ipBlock ?? []);
    const entries = blocks.reduce((sum, { except = [] }) => sum + 1 + except.length, 0);
    this.#spend(namespace, { entries });
    const selected = new Map<string, ReadonlySet<string>>();
    for (const peer of peers) {
      if (peer.ipBlock) continue;
      yield;
      selected.set(...this.#select(namespace, peer));
    }
    const key = [...selected.keys()].join(' or ');
    if (selected.size > 0 && !this.peers.has(key))
      this.peers.set(key, yield* this.#union(namespace, [...selected.values()]));
    return [
      ...(selected.size > 0 ? [{ kind: 'pods', key } as const] : []),
      ...(blocks.length > 0 ? [{ kind: 'block', ranges: yield* blockRanges(blocks) } as const] : []),
    ];
  }

  *#union(namespace: string, sets: readonly ReadonlySet<string>[]): Steps<ReadonlySet<string>> {
    const addresses = new Set<string>();
    for (const set of sets) {
      this.#spend(namespace, { comparisons: set.size });
      for (const address of set) addresses.add(address);
      yield;
    }
    this.#spend(namespace, { entries: 1 + addresses.size });
    return addresses;
  }

  /** The addresses of the pods of a peer, and a text that stands for its selectors. */
  #select(
    own: string,
    { namespaceSelector, podSelector }: NetworkPolicyPeer,
  ): [key: string, addresses: ReadonlySet<string>] {
    const pods = labelSelector(podSelector ?? {});
    const spaces = namespaceSelector && labelSelector(namespaceSelector);
    const key = `${spaces ? `namespaces ${spaces}` : `namespace ${own}`}; pods ${pods}`;
    const cached = this.#selected.get(key);
    if (cached) return [key, cached];
    const names = spaces
      ? this.#namespaces.filter(({ metadata }) => spaces.matches(metadata.labels)).map(({ metadata }) => metadata.name)
      : [own];
    const candidates = names.flatMap((name) => this.#podsOf.get(name) ?? []);
    this.#spend(own, { comparisons: (spaces ? this.#namespaces.length : 0) + candidates.length });
    const found = candidates.filter(({ metadata }) => pods.matches(metadata.labels));
    const addresses = new Set(found.flatMap(addressesOf));
    this.#selected.set(key, addresses);
    return [key, addresses];
  }

  *#ports(namespace: string, ports: readonly NetworkPolicyPort[]): Steps<PortMatch[]> {
    this.#spend(namespace, { entries: ports.length });
    const whole = new Set<Protocol>();
    const ranges = new Map<Protocol, PortRange[]>();
    const names = new Map<Protocol, Set<string>>();
    for (const { protocol: name = 'TCP', port, endPort } of ports) {
      const protocol = name.toLowerCase() as Protocol;
      if (port === undefined) whole.add(protocol);
      else if (typeof port === 'string') names.set(protocol, (names.get(protocol) ?? new Set()).add(port));
      else {
        const found = ranges.get(protocol);
        if (found) found.push({ first: port, last: endPort ?? port });
        else ranges.set(protocol, [{ first: port, last: endPort ?? port }]);
      }
    }
    yield;
    const matches: PortMatch[] = [...whole].map((protocol) => ({ kind: 'protocol', protocol }));
    for (const [protocol, wanted] of names)
      matches.push({ kind: 'named', protocol, key: yield* this.#named(namespace, protocol, wanted) });
    for (const [protocol, found] of ranges) matches.push({ kind: 'ranges', protocol, ranges: merged(found) });
    return matches;
  }

  *#named(namespace: string, protocol: Protocol, names: ReadonlySet<string>): Steps<string> {
    const key = `${protocol} ${[...names].sort().join(',')}`;
    if (!this.namedPorts.has(key)) this.namedPorts.set(key, yield* this.#destinations(namespace, protocol, names));
    return key;
  }

  *#destinations(namespace: string, protocol: Protocol, names: ReadonlySet<string>): Steps<Destination[]> {
    const destinations: Destination[] = [];
    for (const [index, pod] of this.#pods.entries()) {
      if (index % podsPerStep === 0) yield;
      const { ports, count } = portsOf(pod, protocol, names);
      const found = addressesOf(pod).flatMap((address) => ports.map((port) => ({ address, port })));
      this.#spend(namespace, { comparisons: 1 + count, entries: found.length });
      for (const destination of found) destinations.push(destination);
    }
    return destinations;
  }
}

/** The pod's ports with these names, and the count of all its ports. The first port of a name counts. */
function portsOf({ spec }: Pod, protocol: Protocol, names: ReadonlySet<string>): { ports: number[]; count: number } {
  // Of init containers, sidecars alone run beside the others.
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const found = new Map<string, number>();
  let count = 0;
  for (const { ports = [] } of [...spec.containers, ...sidecars])
    for (const port of ports) {
      count++;
      if (!port.name || !names.has(port.name) || found.has(port.name)) continue;
      if ((port.protocol ?? 'TCP').toLowerCase() === protocol) found.set(port.name, port.containerPort);
    }
  return { ports: [...found.values()], count };
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
