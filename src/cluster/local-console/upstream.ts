// Requests of the console that continue at the API server of a kubeconfig, with the credentials of that file.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { type Duplex, pipeline } from 'node:stream';
import { type Call, Connection, type Kubeconfig } from '../../client/client.ts';
import type { Forward } from '../../dashboard/dashboard.ts';
import { sandboxHeaders } from '../../machinery/sandbox-headers.ts';
import { leadingTo, placesOf } from './preview-links.ts';

/** They belong to the browser and the console, or to one connection. */
const withheld =
  /^(:|cookie$|authorization$|host$|origin$|referer$|connection$|keep-alive$|upgrade$|te$|transfer-encoding$|http2-|proxy-|sec-fetch-|sec-ch-|sec-websocket-protocol$|x-coracle-|x-remote-|x-forwarded-|impersonate-)/;
const notAnswered =
  /^(connection|upgrade|keep-alive|transfer-encoding|set-cookie|clear-site-data|alt-svc|strict-transport-security)$/;

type Head = Record<string, string | string[]>;

export class Upstream {
  readonly #connection: Connection;

  constructor(config: Kubeconfig) {
    this.#connection = new Connection(config);
  }

  close(): void {
    this.#connection.close();
  }

  async forward(
    incoming: Http2ServerRequest,
    outgoing: Http2ServerResponse,
    to: Forward,
    rawQuery: string,
  ): Promise<void> {
    const ended = new AbortController();
    const end = () => ended.abort();
    outgoing.on('close', end);
    to.ends.addEventListener('abort', end, { once: true });
    outgoing.on('close', () => to.ends.removeEventListener('abort', end));
    const call = {
      ...{ method: incoming.method, path: to.path + rawQuery },
      ...{ headers: passedHeaders(incoming.headers, to), signal: ended.signal },
    };
    try {
      const isRepeatable = incoming.method === 'GET' || incoming.method === 'HEAD';
      const response = await this.#send(call, isRepeatable ? undefined : incoming, to);
      if (response) this.#answer(response, outgoing, to);
      else answerFailure(outgoing, 'it does not accept the credentials of the kubeconfig (401 Unauthorized)');
    } catch (error) {
      answerFailure(outgoing, (error as Error).message);
    }
  }

  /** Undefined: the server knows the user no more, and the session of the browser goes on. */
  async #send(call: Call, body: Http2ServerRequest | undefined, to: Forward): Promise<IncomingMessage | undefined> {
    for (let isFirst = true; ; isFirst = false) {
      const { request, refuse } = await this.#connection.start(call);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('response', resolve).on('error', reject);
        if (body) body.pipe(request);
        else request.end();
      });
      // A pod may have its own users.
      if (response.statusCode !== 401 || to.preview !== undefined) return response;
      response.resume();
      if (!refuse() || !isFirst || body) return undefined;
    }
  }

  #answer(response: IncomingMessage, outgoing: Http2ServerResponse, to: Forward): void {
    const headers = answeredHeaders(response.headers, to);
    outgoing.writeHead(response.statusCode ?? 502, headers);
    const done = () => {};
    const isPage = to.preview !== undefined && /^text\/html\b/.test(response.headers['content-type'] ?? '');
    if (to.preview !== undefined && isPage) pipeline(response, leadingTo(to.path, to.preview), outgoing, done);
    else pipeline(response, outgoing, done);
  }

  async upgrade(
    incoming: Pick<Http2ServerRequest, 'headers' | 'method'>,
    socket: Duplex,
    head: Buffer,
    to: Forward,
    rawQuery: string,
  ): Promise<void> {
    const { request: call, refuse } = await this.#connection.start({
      method: 'GET',
      path: to.path + rawQuery,
      headers: {
        ...passedHeaders(incoming.headers, to),
        ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
        ...(to.protocols && { 'Sec-WebSocket-Protocol': to.protocols }),
      },
    });
    const end = () => {
      call.destroy();
      socket.destroy();
    };
    to.ends.addEventListener('abort', end, { once: true });
    socket.on('close', () => {
      to.ends.removeEventListener('abort', end);
      call.destroy();
    });
    call.on('error', () => socket.destroy());
    call.on('response', (response) => {
      if (response.statusCode === 401 && to.preview === undefined) refuse();
      socket.write(headText(response.statusCode ?? 502, { 'Content-Type': 'text/plain', Connection: 'close' }));
      pipeline(response, socket, () => {});
    });
    call.on('upgrade', (response, far, rest) => {
      socket.write(
        headText(101, { ...answeredHeaders(response.headers, to), Connection: 'Upgrade', Upgrade: 'websocket' }),
      );
      if (rest.length > 0) socket.write(rest);
      if (head.length > 0) far.write(head);
      pipeline(far, socket, () => far.destroy());
      pipeline(socket, far, () => socket.destroy());
    });
    call.end();
  }
}

function passedHeaders(from: IncomingHttpHeaders, { preview }: Forward): Head {
  const headers: Head = {};
  for (const [name, value] of Object.entries(from))
    if (value !== undefined && !withheld.test(name)) headers[name] = value;
  // Links in a compressed page could not be changed.
  if (preview !== undefined) headers['accept-encoding'] = 'identity';
  return headers;
}

function answerFailure(outgoing: Http2ServerResponse, why: string): void {
  if (outgoing.headersSent || outgoing.closed) {
    outgoing.stream?.destroy();
    return;
  }
  outgoing.writeHead(502, { 'content-type': 'application/json' });
  outgoing.end(unreachable(why));
}

function answeredHeaders(from: IncomingHttpHeaders, { preview, path }: Forward): Head {
  const headers: Head = {};
  for (const [name, value] of Object.entries(from))
    if (value !== undefined && !notAnswered.test(name)) headers[name] = value;
  if (preview === undefined) return headers;
  const { 'content-length': _, ...others } = headers;
  const { location } = others;
  const { proxy, place } = placesOf(path, preview);
  if (typeof location === 'string') others['location'] = location.replace(proxy, place);
  const contentType = headers['content-type'];
  return { ...sandboxHeaders(others), ...(contentType && { 'content-type': contentType }) };
}

const headText = (code: number, headers: Head): string =>
  `HTTP/1.1 ${code} ${code === 101 ? 'Switching Protocols' : 'Refused'}\r\n${Object.entries(headers)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
    .join('')}\r\n`;

const unreachable = (why: string): string =>
  JSON.stringify({
    ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 502, reason: 'BadGateway' },
    message: `the API server cannot be asked: ${why}`,
  });
