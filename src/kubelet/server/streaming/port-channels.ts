// port-forward over plain WebSocket channels: two for each port that the query names, data and then errors.

import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { RawData, WebSocket } from 'ws';

/** '' is a client that names none, which is served as v4.channel.k8s.io. */
export const portChannelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''] as const;

/** A channel's number is one byte, and a port has two channels. */
const mostPorts = 128;

/** The ports in a query, "port=80,81&port=82". Throws an Error for an invalid port. */
export function portsOf(query: URLSearchParams): number[] {
  const given = query.getAll('port');
  if (given.length === 0) throw new Error('query parameter "port" is required');
  const ports = given.flatMap((text) => {
    if (text === '') throw new Error('query parameter "port" cannot be empty');
    return text.split(',').map((part) => portOf(part, text));
  });
  if (ports.length > mostPorts) throw new Error(`more than ${mostPorts} ports cannot be forwarded over one WebSocket`);
  return ports;
}

function portOf(part: string, text: string): number {
  const shown = JSON.stringify(text);
  const fault = (why: string) =>
    new Error(`unable to parse ${shown} as a port: strconv.ParseUint: parsing ${JSON.stringify(part)}: ${why}`);
  if (!/^\d+$/.test(part)) throw fault('invalid syntax');
  const port = Number(part);
  if (port > 65_535) throw fault('value out of range');
  if (port < 1) throw new Error(`port ${shown} must be > 0`);
  return port;
}

interface PortChannels {
  readonly webSocket: WebSocket;
  readonly protocol: string;
  readonly ports: readonly number[];
  /** The sandbox that messages name. */
  readonly sandbox: string;
  connect(port: number): Promise<Duplex>;
}

/** Forwards until every port's connection has ended. */
export async function servePortChannels({ webSocket, protocol, ports, sandbox, connect }: PortChannels): Promise<void> {
  const codec = codecOf(protocol);
  const send = (channel: number, bytes: Buffer) =>
    new Promise<void>((resolve) => webSocket.send(codec.encode(channel, bytes), () => resolve()));
  webSocket.on('error', () => {}); // 'close' follows
  // The client may send before the ports are connected.
  webSocket.pause();
  for (const [index, port] of ports.entries())
    for (const channel of [2 * index, 2 * index + 1]) await send(channel, littleEndian(port));
  const targets = await Promise.allSettled(ports.map((port) => connect(port)));
  const connections = targets.map((target) => (target.status === 'fulfilled' ? target.value : undefined));
  for (const connection of connections) connection?.on('error', () => {}); // forward() reports it
  deliver(webSocket, codec, connections);
  await Promise.all(
    targets.map(async (target, index) => {
      const failed = await forward(target, (bytes) => send(2 * index, bytes));
      const port = ports[index];
      if (failed)
        await send(
          2 * index + 1,
          Buffer.from(`error forwarding port ${port} to pod ${sandbox}, uid : ${failed.message}`),
        );
    }),
  );
  webSocket.close(1000);
}

/** Copies until the connection ends; resolves with its failure. */
async function forward(
  target: PromiseSettledResult<Duplex>,
  send: (bytes: Buffer) => Promise<void>,
): Promise<Error | undefined> {
  if (target.status === 'rejected') return target.reason;
  try {
    for await (const bytes of target.value) await send(bytes);
    if (!target.value.writableEnded) target.value.end();
    await finished(target.value, { readable: false });
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** Hands on the client's bytes, no faster than the connections take them, and ends them with the client. */
function deliver(webSocket: WebSocket, codec: Codec, connections: readonly (Duplex | undefined)[]): void {
  webSocket.on('message', (data: RawData) => {
    const message = Buffer.isBuffer(data) ? data : Buffer.concat([data].flat() as Buffer[]);
    if (message.length === 0) return;
    const { channel, bytes } = codec.decode(message);
    const connection = channel % 2 === 0 ? connections[channel / 2] : undefined;
    if (!connection?.writable || connection.write(bytes)) return;
    webSocket.pause();
    const resume = () => webSocket.resume();
    connection.once('drain', resume).once('close', resume);
  });
  webSocket.on('close', () => {
    for (const connection of connections) connection?.destroy();
  });
  webSocket.resume();
  if (webSocket.readyState !== webSocket.OPEN) for (const connection of connections) connection?.destroy();
}

interface Codec {
  encode(channel: number, bytes: Buffer): Buffer | string;
  decode(message: Buffer): { readonly channel: number; readonly bytes: Buffer };
}

const zero = 0x30;

/** Base64 channels are written as characters from '0' on. */
function codecOf(protocol: string): Codec {
  if (!protocol.includes('base64.'))
    return {
      encode: (channel, bytes) => Buffer.concat([Buffer.from([channel]), bytes]),
      decode: (message) => ({ channel: message[0] as number, bytes: message.subarray(1) }),
    };
  return {
    encode: (channel, bytes) => `${String.fromCharCode(zero + channel)}${bytes.toString('base64')}`,
    decode: (message) => ({
      channel: (message[0] as number) - zero,
      bytes: Buffer.from(message.subarray(1).toString('latin1'), 'base64'),
    }),
  };
}

function littleEndian(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
}
