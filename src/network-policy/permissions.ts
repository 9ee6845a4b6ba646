// The traffic that policies permit to the isolated pods of a node.

import type { Namespace, NetworkPolicy, Pod } from '../api/api.ts';
import type { AddressRange } from './address-ranges.ts';

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
  /** Namespaces whose policies are too large: rules beyond the limit permit nothing. */
  readonly tooLarge: ReadonlySet<string>;
}

export interface Inputs {
  readonly policies: readonly NetworkPolicy[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  /** The nodes of this machine. */
  readonly nodeNames: readonly string[];
}
