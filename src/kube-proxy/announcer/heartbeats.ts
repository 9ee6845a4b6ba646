// Heartbeats between the nodes that announce load balancer addresses: UDP from the address of one node to another's.

import dgram from 'node:dgram';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Heartbeat } from './election.ts';

/** Beside kube-proxy's TCP port for health checks. */
const heartbeatPort = 10_256;

interface Message {
  readonly node: string;
  readonly networks: readonly string[];
  readonly holds: readonly string[];
  /** The node ends, and has given its addresses up. */
  readonly leaves?: boolean;
}

export interface HeartbeatSocket {
  send(to: readonly string[], message: Message): Promise<void>;
  close(): void;
}

/** `receive` gets the name and the address of the sender. Rejects when the port is taken. */
export async function openHeartbeats(
  address: string,
  now: () => number,
  receive: (node: string, from: string, heartbeat: Heartbeat) => void,
): Promise<HeartbeatSocket> {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(heartbeatPort, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  socket.on('error', () => {}); // a node that is unreachable is silent
  socket.on('message', (bytes, { address: from }) => {
    const message = parseMessage(bytes.toString());
    if (!message) return;
    const { node, networks, holds, leaves } = message;
    receive(node, from, { atMs: leaves ? Number.NEGATIVE_INFINITY : now(), networks, holds: new Set(holds) });
  });
  socket.unref();
  return {
    async send(to, message) {
      const bytes = Buffer.from(JSON.stringify(message));
      await Promise.all(
        to.map((peer) => new Promise<void>((resolve) => socket.send(bytes, heartbeatPort, peer, () => resolve()))),
      );
    },
    close: () => socket.close(),
  };
}

/** Undefined for a text of another program. */
export function parseMessage(text: string): Message | undefined {
  try {
    const { node, networks, holds, leaves } = fieldsIn(JSON.parse(text));
    const name = textIn(node);
    if (!name || !areTexts(networks) || !areTexts(holds)) return undefined;
    return { node: name, networks, holds, leaves: leaves === true };
  } catch {
    return undefined;
  }
}

const areTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');
