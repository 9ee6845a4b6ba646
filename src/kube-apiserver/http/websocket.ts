// WebSockets that the API server itself serves: watches and logs.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { answerPings } from '../../machinery/time/pongs.ts';
import { served } from '../registry/codec.ts';
import type { RawReply, Reply, WatchReply } from '../request/reply.ts';

const header = 'sec-websocket-protocol';
/** A client that lets this much pile up is cut off. */
const mostPendingBytes = 64 << 20;
/** A client without a closing handshake is disconnected. */
const closeTimeoutMs = 1000;
/** Clients send no data here. */
const largestMessage = 64 << 10;

export const isWebSocket = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.upgrade?.toLowerCase() === 'websocket';

/** A streamed reply: a container's log. */
export const isStream = (reply: Reply): reply is RawReply =>
  reply.type === 'raw' && reply.code === 200 && typeof reply.body !== 'string' && !(reply.body instanceof Uint8Array);

const accept = (request: IncomingMessage, socket: Duplex, head: Buffer, protocols: readonly string[]) => {
  const offered = (request.headers[header] ?? '').split(',').map((protocol) => protocol.trim());
  const protocol = protocols.find((supported) => offered.includes(supported)) ?? '';
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: largestMessage,
    ...({ closeTimeout: closeTimeoutMs } as object), // missing in its types
    handleProtocols: () => protocol || false,
  });
  return new Promise<{ webSocket: WebSocket; protocol: string }>((resolve) =>
    server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {}); // 'close' follows
      answerPings(webSocket);
      resolve({ webSocket, protocol });
    }),
  );
};

/** One message an event. */
export async function watchOverWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { kind, subscription }: WatchReply,
): Promise<void> {
  const { webSocket } = await accept(request, socket, head, []);
  const sendText = (text: string | Buffer) => {
    if (webSocket.bufferedAmount > mostPendingBytes) webSocket.terminate();
    else webSocket.send(text, { binary: false });
  };
  const send = (type: string, object: object) => sendText(JSON.stringify({ type, object }));
  const close = subscription.open({
    // All watchers share a message, so that slow ones hold little memory.
    send: (type, item) =>
      sendText(
        item.sharedFrame(`${type} message ${kind.version}`, () =>
          Buffer.from(JSON.stringify({ type, object: served(kind, item) })),
        ),
      ),
    bookmark: (object) => send('BOOKMARK', object),
    error: (status) => send('ERROR', status),
    end: () => webSocket.close(1000),
  });
  webSocket.on('close', close);
}

/** Sends bytes as they arrive; an empty first message shows that the connection is open. */
export async function streamOverWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { body }: RawReply,
): Promise<void> {
  const { webSocket, protocol } = await accept(request, socket, head, ['binary.k8s.io', 'base64.binary.k8s.io']);
  const isBase64 = protocol.startsWith('base64.');
  const send = (bytes: Uint8Array) =>
    new Promise<void>((resolve) =>
      webSocket.send(isBase64 ? Buffer.from(bytes).toString('base64') : bytes, () => resolve()),
    );
  const isOpen = () => webSocket.readyState === webSocket.OPEN;
  await send(new Uint8Array());
  try {
    for await (const bytes of body as AsyncIterable<Uint8Array>) {
      if (!isOpen()) return;
      await send(bytes);
    }
  } catch {
    // the source broke off: the client sees an end without status 1000
    return webSocket.terminate();
  }
  webSocket.close(1000);
}
