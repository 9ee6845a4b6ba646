// The socket side: HTTP/2 and HTTP/1.1 on one port, client certificates, and the upgrade of connections.

import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { ApiError, badRequest, tooLarge } from '../../api/api.ts';
import { run } from '../pipeline.ts';
import type { ApiRequest, ClientCertificate, Connection } from '../request.ts';
import { requestInfo } from '../request-info.ts';
import type { Server } from '../server.ts';
import { respond } from './respond.ts';
import { respondToUpgrade } from './upgrade.ts';

export interface TlsOptions {
  /** PEM */
  readonly cert: string;
  readonly key: string;
  /** PEM: client certificates must come from here. */
  readonly clientCa: string;
}

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly host?: string;
  /** Left out: plain HTTP, for tests on the loopback interface only. */
  readonly tls?: TlsOptions;
}

export interface Listener {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

export async function listen(server: Server, { port, host = '127.0.0.1', tls }: ListenOptions): Promise<Listener> {
  const handle = (incoming: Incoming, outgoing: Outgoing) => void answer(server, incoming, outgoing);
  const http = (
    tls
      ? createSecureServer(
          {
            allowHTTP1: true,
            cert: tls.cert,
            key: tls.key,
            ca: tls.clientCa,
            requestCert: true,
            // Whoever shows no certificate may have a token; a wrong certificate is refused by the authenticator.
            rejectUnauthorized: false,
            settings: { maxConcurrentStreams: 1_000, initialWindowSize: 1 << 20 },
          },
          handle,
        )
      : createServer(handle)
  ) as HttpServer;
  // Go clients keep idle connections for 90 s: whoever lets go first must not be the server.
  http.keepAliveTimeout = 120_000;
  const sockets = new Set<Socket>();
  http.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  http.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    const request = requestOf(server, incoming, new AbortController().signal, {
      socket,
      head,
      rawHeaders: incoming.rawHeaders,
    });
    void run(request).then((reply) => respondToUpgrade(request, socket, reply));
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => resolve(http.off('error', reject) as never));
  });
  const bound = (http.address() as AddressInfo).port;
  return {
    port: bound,
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        // What is under way was ended by `stopping`; what still hangs on a socket is cut after a moment.
        setImmediate(() => {
          for (const socket of sockets) socket.destroySoon();
          http.closeAllConnections?.();
        });
      }),
  };
}

async function answer(server: Server, incoming: Incoming, outgoing: Outgoing): Promise<void> {
  const gone = new AbortController();
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  // A stream that its client gave up while much was still to be sent does not close by itself.
  incoming.on('aborted', () => gone.abort());
  outgoing.on('error', () => {});
  const request = requestOf(server, incoming, gone.signal);
  try {
    const reply = await run(request);
    await respond(request, outgoing, reply);
  } catch (error) {
    server.logger.error('an answer could not be sent', { path: request.path, error: String(error) });
    outgoing.destroy();
  }
}

function requestOf(
  server: Server,
  incoming: Incoming,
  signal: AbortSignal,
  upgrade?: Connection['upgrade'],
): ApiRequest {
  const url = incoming.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? noQuery : new URLSearchParams(url.slice(mark + 1));
  const method = incoming.method ?? 'GET';
  const socket = incoming.socket as TLSSocket;
  const peer = peerOf(socket);
  return {
    server,
    method,
    path,
    query,
    headers: incoming.headers as Record<string, string | undefined>,
    info: requestInfo(method, path, query),
    user: nobody,
    body: bodyReader(incoming, server.config.maxBodyBytes),
    signal,
    warnings: [],
    connection: {
      remoteAddress: socket.remoteAddress ?? '',
      ...peer,
      ...(upgrade && { upgrade }),
    },
  };
}

const noQuery = new URLSearchParams();
const nobody = { name: '', groups: [] };

type Peer = Pick<Connection, 'certificate' | 'certificateFault'>;

const peers = new WeakMap<object, Peer>();

/** Reading a certificate is slow: once a connection. */
function peerOf(socket: TLSSocket): Peer {
  let known = peers.get(socket);
  if (!known) peers.set(socket, (known = readPeer(socket)));
  return known;
}

function readPeer(socket: TLSSocket): Peer {
  const peer = socket.getPeerCertificate?.();
  if (!peer?.subject) return {};
  return socket.authorized
    ? { certificate: fromPeer(peer) }
    : { certificateFault: String(socket.authorizationError ?? 'the certificate was not accepted') };
}

function fromPeer({ subject, fingerprint256 }: ReturnType<TLSSocket['getPeerCertificate']>): ClientCertificate {
  const organizations = subject.O as string | string[] | undefined;
  return {
    commonName: subject.CN as string,
    organizations: organizations === undefined ? [] : [organizations].flat(),
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** Reads once, however often it is asked for. */
function bodyReader(incoming: Incoming, most: number): ApiRequest['body'] {
  let body: ReturnType<ApiRequest['body']> | undefined;
  return () => (body ??= readBody(incoming, most));
}

async function readBody(incoming: Incoming, most: number): ReturnType<ApiRequest['body']> {
  const tooMuch = () => tooLarge(`Request entity too large: limit is ${most}`);
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooMuch();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > most) throw tooMuch();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw badRequest(`the body of the request ended early: ${(error as Error).message}`);
  }
  if (!length) return undefined;
  const mediaType = (incoming.headers['content-type'] ?? '').split(';')[0].trim();
  return { bytes: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), mediaType };
}
