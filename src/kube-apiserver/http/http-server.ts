// The socket side: HTTP/2 and HTTP/1.1 on one port, client certificates, and the upgrade of connections.

import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connectionMetrics } from '../metrics/connection-metrics.ts';
import { run } from '../pipeline.ts';
import type { Connection } from '../request/connection.ts';
import { textReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import type { Server } from '../server.ts';
import { owns } from '../site.ts';
import { Beginnings, Pipelines } from './begin.ts';
import { abandonRest, bodyReader } from './body.ts';
import { clientCertificate } from './client-certificate.ts';
import { isGone } from './is-gone.ts';
import { respond } from './respond.ts';
import { RunningRequests } from './running-requests.ts';
import { isIssuedBy, ServingTls, type TlsChange, type TlsOptions } from './serving-tls.ts';
import { answerSite, type SiteOutcome, sendPage } from './site-request.ts';
import { respondToUpgrade } from './upgrade.ts';
import { isStream, isWebSocket, streamOverWebSocket, watchOverWebSocket } from './websocket.ts';

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
  /**
   * Presents other certificates to new connections, and trusts other authorities from the next request on; the front
   * proxy's one is read again, too. Throws, without any change, if they are invalid.
   */
  renew(change: TlsChange): void;
  close(): Promise<void>;
}

/** Go's limit for the headers of a request, its URL among them; beyond it the answer is 431. */
const headerBytes = 1 << 20;
const handshakeMs = 30_000;
const idleMs = 120_000;
/** Streams of one HTTP/2 connection at a time, as kube-apiserver allows. */
const streamsPerSession = 100;
/**
 * Headers of a request over HTTP/2. A client may repeat one of kilobytes with a single byte, and each takes a microsecond or
 * two. It allows for the groups of users that a front proxy names.
 */
const headersOfRequest = 256;
/** Streams that a client may reset at once, and in a second; beyond that its connection ends. */
const resetsAtOnce = 3 * streamsPerSession;
const resetsPerSecond = 100;
/** Output that waits for its reader. Beyond it Node refuses further streams, so it allows for the largest objects. */
const sessionMegabytes = 256;

type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

/** The server, as one of its listeners shows it. */
interface Serving {
  readonly server: Server;
  /** Undefined: plain HTTP. */
  readonly tls: ServingTls | undefined;
}

export async function listen(server: Server, options: ListenOptions): Promise<Listener> {
  const { port, host = '127.0.0.1' } = options;
  const tls = options.tls && new ServingTls(options.tls, () => server.config.frontProxy?.ca, server.random);
  const serving: Serving = { server, tls };
  const beginnings = new Beginnings();
  const requests = new RunningRequests();
  const pipelines = new Pipelines();
  const handle = (incoming: Incoming, outgoing: Outgoing) => {
    requests.begin(outgoing);
    const previous = pipelines.previous(incoming, outgoing);
    if (previous === 'too many') return;
    void answer(serving, beginnings, incoming, outgoing, previous);
  };
  const secure = tls && secureServer(tls, handle);
  const http = (secure ?? createServer({ maxHeaderSize: headerBytes }, handle)) as HttpServer;
  // Go clients close idle connections after 90 s: the server must wait longer.
  http.keepAliveTimeout = idleMs;
  http.headersTimeout = handshakeMs;
  http.on('session', (session: Http2Session) => {
    requests.trackSession(session);
    closeWhenIdle(session);
  });
  if (tls) http.on('tlsClientError', () => connectionMetrics(server.metrics).handshakeErrors.add());
  const sockets = new Set<Socket>();
  http.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  http.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgrade(serving, incoming, socket, head),
  );
  await bind(http, port, host);
  const bound = (http.address() as AddressInfo).port;
  return {
    port: bound,
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    renew(change) {
      if (tls) secure?.setSecureContext(tls.replace(change));
    },
    async close() {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      await requests.finish();
      // A turn of the event loop for the last bytes.
      await new Promise((resolve) => setImmediate(resolve));
      for (const socket of sockets) socket.destroySoon();
      http.closeAllConnections?.();
      await closed;
    },
  };
}

type Handler = (incoming: Incoming, outgoing: Outgoing) => void;

/** Speaks HTTP/2 and HTTP/1.1. */
const secureServer = (tls: ServingTls, handle: Handler): Http2SecureServer =>
  createSecureServer(
    {
      allowHTTP1: true,
      // For HTTP/1.1; missing in the types.
      ...({ maxHeaderSize: headerBytes } as object),
      ...tls.secureContext(),
      SNICallback: (name, done) => done(null, tls.contextFor(name)),
      requestCert: tls.takesCertificates,
      // Clients without a certificate may have a token; the authenticator rejects invalid certificates.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMs,
      maxHeaderListPairs: headersOfRequest,
      streamResetBurst: resetsAtOnce,
      streamResetRate: resetsPerSecond,
      maxSessionMemory: sessionMegabytes,
      settings: {
        maxConcurrentStreams: streamsPerSession,
        initialWindowSize: 1 << 20,
        maxHeaderListSize: headerBytes,
      },
    },
    handle,
  );

const bind = (http: HttpServer, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });

function upgrade(serving: Serving, incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => {});
  const { rawHeaders } = incoming;
  const request = requestOf(serving, incoming, {
    signal: () => new AbortController().signal,
    upgrade: { socket, head, rawHeaders },
  });
  void entered(request)
    .then((entry) => {
      if (entry.type === 'page') return respondToUpgrade(request, socket, notAnUpgrade);
      const { reply, ends } = entry;
      ends?.addEventListener('abort', () => socket.destroy(), { once: true });
      if (isWebSocket(incoming) && reply.type === 'watch') return watchOverWebSocket(incoming, socket, head, reply);
      if (isWebSocket(incoming) && isStream(reply)) return streamOverWebSocket(incoming, socket, head, reply);
      return respondToUpgrade(entry.request, socket, reply);
    })
    .catch(() => socket.destroy());
}

const notAnUpgrade = textReply(400, 'this page takes no upgrade');

/** Go's limit for the parameters of a query (net/url). */
const mostParameters = 10_000;

function hasTooManyParameters(query: string): boolean {
  let count = 0;
  for (let at = query.indexOf('&'); at >= 0; at = query.indexOf('&', at + 1))
    if (++count >= mostParameters) return true;
  return false;
}

const tooManyParameters = textReply(400, `the query has more than ${mostParameters} parameters\n`);

/** Through the site, if the path is one of its pages; otherwise straight to the API. */
async function entered(request: ApiRequest): Promise<SiteOutcome> {
  if (request.rawQuery && hasTooManyParameters(request.rawQuery))
    return { type: 'api', request, reply: tooManyParameters };
  const { current: site } = request.server.site;
  if (owns(site, request.path)) return answerSite(site, request);
  return { type: 'api', request, reply: await run(request) };
}

/** Closes a connection without active streams after a while. */
function closeWhenIdle(session: Http2Session): void {
  let streams = 0;
  session.on('stream', (stream) => {
    streams++;
    stream.once('close', () => streams--);
  });
  session.setTimeout(idleMs, () => {
    if (streams === 0) session.close();
  });
}

async function answer(
  serving: Serving,
  beginnings: Beginnings,
  incoming: Incoming,
  outgoing: Outgoing,
  previous: Promise<void> | undefined,
): Promise<void> {
  const { server } = serving;
  // Few requests use their signal.
  let gone: AbortController | undefined;
  const gaveUp = () => (gone ??= new AbortController()).abort();
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) gaveUp();
  });
  // A stream that the client aborted with pending output does not close by itself.
  incoming.on('aborted', gaveUp);
  outgoing.on('error', () => {});
  const signal = () => (gone ??= new AbortController()).signal;
  if (previous) await previous;
  const turn = beginnings.turn(connectionOf(incoming), isHealth(incoming.url ?? ''));
  if (turn) await turn;
  // A client may reset its streams as fast as it opens them.
  if (isGone(outgoing)) return;
  const request = requestOf(serving, incoming, { signal, giveUp: gaveUp });
  try {
    const entry = await entered(request);
    if (entry.type === 'page') sendPage(request, outgoing, entry);
    else await respondUntil(entry, outgoing);
    if (outgoing.writableFinished) abandonRest(incoming, server.clock);
    else if (!incoming.complete) outgoing.once('finish', () => abandonRest(incoming, server.clock));
  } catch (error) {
    server.logger.error('response not sent', { path: request.path, error: String(error) });
    outgoing.destroy();
  }
}

/** The response ends with the session that it belongs to. */
async function respondUntil(
  { request, reply, ends }: Extract<SiteOutcome, { type: 'api' }>,
  outgoing: Outgoing,
): Promise<void> {
  if (!ends) return respond(request, outgoing, reply);
  const end = () => outgoing.destroy();
  ends.addEventListener('abort', end, { once: true });
  outgoing.once('close', () => ends.removeEventListener('abort', end));
  if (ends.aborted) end();
  return respond(request, outgoing, reply);
}

interface Exchange {
  readonly signal: () => AbortSignal;
  readonly giveUp?: () => void;
  readonly upgrade?: Connection['upgrade'];
}

function requestOf(serving: Serving, incoming: Incoming, { signal, giveUp, upgrade }: Exchange): ApiRequest {
  const { server } = serving;
  const url = incoming.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? '' : url.slice(mark + 1);
  const query = rawQuery && !hasTooManyParameters(rawQuery) ? new URLSearchParams(rawQuery) : noQuery;
  const method = incoming.method ?? 'GET';
  const peer = peerOf(serving, incoming);
  return {
    server,
    method,
    path,
    query,
    rawQuery,
    headers: incoming.headers as Record<string, string | undefined>,
    contentType: incoming.headers['content-type'] ?? '',
    agent: incoming.headers['user-agent'],
    rawHeaders: incoming.rawHeaders,
    info: requestInfo(method, path, query),
    user: nobody,
    body: bodyReader(incoming, server.clock, server.config),
    stream: incoming,
    get signal() {
      return signal();
    },
    ...(giveUp && { giveUp }),
    warnings: [],
    connection: upgrade ? { ...peer, upgrade } : peer,
  };
}

const isHealth = (path: string): boolean => /^\/(livez|readyz|healthz)/.test(path);

const connectionOf = (incoming: Incoming): object =>
  ('stream' in incoming && incoming.stream?.session) || incoming.socket;

const noQuery = new URLSearchParams();
const nobody = { name: '', groups: [] };

const peers = new WeakMap<object, { readonly generation: number; readonly peer: Connection }>();

/**
 * Parsing a certificate is slow: once per connection and set of authorities. Each HTTP/2 stream has its own proxy of
 * the socket, so the session is the key there.
 */
function peerOf(serving: Serving, incoming: Incoming): Connection {
  const generation = serving.tls?.generation ?? 0;
  const connection = connectionOf(incoming);
  let cached = peers.get(connection);
  if (cached?.generation !== generation) {
    cached = { generation, peer: readPeer(serving, incoming.socket as TLSSocket) };
    peers.set(connection, cached);
  }
  return cached.peer;
}

function readPeer({ server: { config, clock }, tls }: Serving, socket: TLSSocket): Connection {
  const remoteAddress = socket.remoteAddress ?? '';
  const peer = socket.getPeerCertificate?.();
  if (!peer?.subject) return { remoteAddress };
  if (!tls?.trusts(socket, clock.now()))
    return { remoteAddress, certificateFault: String(socket.authorizationError ?? 'the certificate was not accepted') };
  if (config.frontProxy && isIssuedBy(peer.raw, config.frontProxy.ca))
    return { remoteAddress, frontProxy: String(peer.subject.CN ?? '') };
  return { remoteAddress, ...clientCertificate(peer) };
}
