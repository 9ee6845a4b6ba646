// Turns an HTTP upgrade into channels: WebSocket or SPDY/3.1.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { answerPings } from '../../../machinery/time/pongs.ts';

/** The best first; '' is a client that names none, which is served as channel.k8s.io. */
export const remoteCommandProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
  '',
] as const;
export const spdyRemoteCommandProtocols = ['v4.channel.k8s.io'] as const;
export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = `SPDY/3.1+${portForwardProtocol}`;

export const isSpdy = (request: IncomingMessage): boolean => request.headers.upgrade?.toLowerCase() === 'spdy/3.1';

/** A client without a closing handshake is disconnected. */
const closeTimeoutMs = 1000;
/** Clients send at most 32 KB at once. */
const largestMessage = 4 * 2 ** 20;

const list = (header: string | string[] | undefined): string[] =>
  [header ?? []].flat().flatMap((text) => text.split(',').map((part) => part.trim()));

/** Answers an upgrade that cannot be. */
export function refuse(socket: Duplex, code: number, message: string): void {
  const reason = STATUS_CODES[code] ?? 'Internal Server Error';
  socket.end(
    `HTTP/1.1 ${code} ${reason}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  );
}

/** Completes a SPDY upgrade; undefined (and answered) when client and server share no protocol. */
export function acceptSpdy(request: IncomingMessage, socket: Duplex, protocols: readonly string[]): string | undefined {
  const offered = list(request.headers['x-stream-protocol-version']);
  const protocol = protocols.find((p) => offered.includes(p));
  if (!protocol) {
    refuse(
      socket,
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server supports [${protocols.join(' ')}]`,
    );
    return undefined;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return protocol;
}

/** Whether the client offers a WebSocket protocol. */
export const offers = (request: IncomingMessage, protocol: string): boolean =>
  list(request.headers['sec-websocket-protocol']).includes(protocol);

/** Completes a WebSocket upgrade; undefined (and answered) when client and server share no protocol. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): Promise<{ webSocket: WebSocket; protocol: string } | undefined> {
  const header = request.headers['sec-websocket-protocol'];
  const offered = header === undefined ? [''] : list(header);
  const protocol = protocols.find((p) => offered.includes(p));
  if (protocol === undefined) {
    refuse(
      socket,
      400,
      `unable to upgrade: no supported WebSocket protocol: client supports [${offered.join(' ')}], server supports [${protocols.join(' ')}]`,
    );
    return Promise.resolve(undefined);
  }
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: () => protocol,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: largestMessage,
    // One message a turn: a client may send thousands at once.
    allowSynchronousEvents: false,
    ...({ closeTimeout: closeTimeoutMs } as object), // missing in its types
  });
  return new Promise((resolve) =>
    server.handleUpgrade(request, socket, head, (webSocket) => {
      answerPings(webSocket);
      resolve({ webSocket, protocol });
    }),
  );
}

/** The bytes of a WebSocket's binary messages as one stream: how port-forward tunnels SPDY. */
export const bytesOf = (webSocket: WebSocket): Duplex => createWebSocketStream(webSocket);
