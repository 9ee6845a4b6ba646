// port-forward: pairs of SPDY streams (error and data) a connection, over an upgraded socket or inside a WebSocket. Other
// WebSockets have a pair of channels a port.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { urlOf } from '../request-url.ts';
import { portChannelProtocols, portsOf, servePortChannels } from './port-channels.ts';
import { SpdySession, type SpdyStream } from './spdy.ts';
import {
  acceptSpdy,
  acceptWebSocket,
  bytesOf,
  isSpdy,
  offers,
  portForwardProtocol,
  refuse,
  tunnelProtocol,
} from './upgrade.ts';

/** Connections of one client at a time. */
const maxForwarded = 500;

/** Serves one upgrade request; `connect` opens a port of the pod; `sandbox` is for messages. */
export async function servePortForward(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connect: (port: number) => Promise<Duplex>,
  sandbox = '',
): Promise<void> {
  if (!isSpdy(request) && !offers(request, tunnelProtocol))
    return serveChannels(request, socket, head, connect, sandbox);
  let connection: Duplex = socket;
  if (isSpdy(request)) {
    if (!acceptSpdy(request, socket, [portForwardProtocol])) return;
    if (head.length > 0) socket.unshift(head);
  } else {
    const accepted = await acceptWebSocket(request, socket, head, [tunnelProtocol]);
    if (!accepted) return;
    connection = bytesOf(accepted.webSocket);
  }
  let forwarded = 0;
  const pairs = new Map<string, Partial<Record<'data' | 'error', SpdyStream>>>();
  const session = new SpdySession(connection, (stream) => {
    const id = stream.headers.get('requestid') ?? '';
    const type = stream.headers.get('streamtype');
    if (type !== 'data' && type !== 'error') return void stream.destroy(new Error(`invalid stream type "${type}"`));
    const pair = pairs.get(id) ?? {};
    pairs.set(id, pair);
    pair[type] = stream;
    const { data, error } = pair;
    if (!data || !error) return void stream.once('close', () => pairs.get(id) === pair && pairs.delete(id));
    pairs.delete(id);
    // Streams that the client resets are gone before their connections.
    if (forwarded >= maxForwarded) {
      error.end('too many connections');
      return void data.destroy();
    }
    forwarded++;
    void forward(data, error, connect).finally(() => forwarded--);
  });
  await session.closed;
}

async function serveChannels(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connect: (port: number) => Promise<Duplex>,
  sandbox: string,
): Promise<void> {
  let ports: number[];
  try {
    ports = portsOf(urlOf(request)?.searchParams ?? new URLSearchParams());
  } catch (error) {
    return refuse(socket, 400, (error as Error).message);
  }
  const accepted = await acceptWebSocket(request, socket, head, portChannelProtocols);
  if (accepted) await servePortChannels({ ...accepted, ports, sandbox, connect });
}

async function forward(data: SpdyStream, error: SpdyStream, connect: (port: number) => Promise<Duplex>): Promise<void> {
  const port = Number(data.headers.get('port'));
  error.resume();
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw new Error(`unable to parse "${data.headers.get('port')}" as a port`);
    const target = await connect(port);
    target.on('error', () => {}); // finished() below reports it
    if (data.destroyed) return void target.destroy();
    data.pipe(target);
    target.pipe(data);
    data.once('close', () => target.destroy());
    await finished(target);
    error.end();
  } catch (problem) {
    error.end(`an error occurred forwarding ${port}: ${(problem as Error).message}`);
    data.end();
  }
}
