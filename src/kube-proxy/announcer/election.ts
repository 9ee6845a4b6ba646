// Which node holds which load balancer address. Pure: every node decides for itself, from the heartbeats that it receives.

import { createHash } from 'node:crypto';
import { isWithin } from '../service-ports.ts';

/** Longest silence of a node that counts as alive. */
export const silenceMs = 800;

export interface AnnouncedAddress {
  readonly ip: string;
  /** The only nodes that may hold it: those with endpoints, for externalTrafficPolicy Local. Undefined: all. */
  readonly nodes: ReadonlySet<string> | undefined;
}

export interface Peer {
  readonly name: string;
  /** In the network of the nodes. */
  readonly address: string;
  /** By its Ready condition. */
  readonly isReady: boolean;
  /** False for a node that load balancers must not use. */
  readonly isIncluded: boolean;
  /** Undefined: none was received since this node started. */
  readonly heartbeat: Heartbeat | undefined;
}

export interface Heartbeat {
  /** -Infinity: the node has announced its end. */
  readonly atMs: number;
  /** Networks of its interfaces. */
  readonly networks: readonly string[];
  readonly holds: ReadonlySet<string>;
}

export interface View {
  readonly nowMs: number;
  /** Since when this node has listened without a pause. */
  readonly sinceMs: number;
  readonly self: {
    readonly name: string;
    readonly isIncluded: boolean;
    readonly networks: readonly string[];
    readonly holds: ReadonlySet<string>;
  };
  readonly peers: readonly Peer[];
  readonly addresses: readonly AnnouncedAddress[];
}

export interface Decision {
  readonly ip: string;
  /** Another node has it too, and will give it up. */
  readonly isContested: boolean;
}

/** The addresses that this node must hold now. */
export function addressesToHold(view: View): Decision[] {
  const { self, nowMs, sinceMs, addresses } = view;
  const alive = view.peers.filter(isAliveIn(view));
  // A node that has just started, or was cut off, listens first: another one may hold the address.
  if (view.peers.length > 0 && nowMs - sinceMs < silenceMs) return [];
  return addresses.flatMap(({ ip, nodes }) => {
    if (!self.isIncluded || !isWithin(ip, self.networks) || nodes?.has(self.name) === false) return [];
    const rivals = alive.filter(
      (peer) => peer.isIncluded && (nodes?.has(peer.name) ?? true) && reaches(peer, ip, self.networks),
    );
    // The holder stays the holder, because connections end when an address moves.
    const holders = rivals.filter(({ heartbeat }) => heartbeat?.holds.has(ip)).map(({ name }) => name);
    if (self.holds.has(ip)) holders.push(self.name);
    const candidates = holders.length > 0 ? holders : [self.name, ...rivals.map(({ name }) => name)];
    return winner(ip, candidates) === self.name ? [{ ip, isContested: holders.length > 1 }] : [];
  });
}

/**
 * Where heartbeats arrive, they alone count. Where none of any node arrives, a firewall may be the reason: then the
 * condition Ready counts, which takes 40 s to change.
 */
function isAliveIn({ nowMs, sinceMs, peers }: View): (peer: Peer) => boolean {
  const heardAny = peers.some(({ heartbeat }) => heartbeat !== undefined);
  return ({ heartbeat, isReady }) => {
    if (heartbeat) return nowMs - heartbeat.atMs < silenceMs;
    return isReady && !(heardAny && nowMs - sinceMs >= silenceMs);
  };
}

/** Whether a node is in the network of an address. Nodes of one network have the same one. */
function reaches({ heartbeat, address }: Peer, ip: string, ownNetworks: readonly string[]): boolean {
  if (heartbeat) return isWithin(ip, heartbeat.networks);
  return ownNetworks.some((network) => isWithin(ip, [network]) && isWithin(address, [network]));
}

/** Spreads addresses over nodes; the same on each node. */
function winner(ip: string, names: readonly string[]): string | undefined {
  const rank = (name: string) => createHash('sha256').update(`${ip} ${name}`).digest('hex');
  return [...names].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))[0];
}
