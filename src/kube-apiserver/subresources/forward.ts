// Forwards a request to a kubelet, a pod, a service or another API server, and streams its response back.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import type { ApiError } from '../../api/api.ts';
import type { RawReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { failure } from '../status.ts';
import { DialTimeout, dialFault, joinHostPort } from './dial-fault.ts';
import { ownHeaders, passedHeaders } from './forward-headers.ts';
import type { Upstream } from './kubelet-address.ts';

/** Headers that are added to the client's, or replace them. */
export type Headers = Readonly<Record<string, string | readonly string[]>>;

interface ForwardOptions {
  /** Chooses between Kubernetes' two errors for a backend that cannot be reached. */
  readonly purpose: 'log' | 'proxy';
  readonly added?: Headers;
  /** Ends the exchange; default: the request's signal. */
  readonly signal?: AbortSignal;
  /** Streams the body: for requests whose body was not read before. */
  readonly streams?: boolean;
}

/** Go's time to connect. */
const dialMs = 30_000;

/** The error for a backend that cannot be reached. */
function unreachable(
  { protocol, host, port }: Upstream,
  path: string,
  why: string,
  purpose: 'log' | 'proxy',
): ApiError {
  return purpose === 'proxy'
    ? failure(503, 'ServiceUnavailable', `error trying to reach service: ${why}`)
    : failure(500, 'InternalError', `Get "${protocol}://${host}:${port}${path}": ${why}`);
}

/** The raw query, with `?`. */
export const queryOf = ({ rawQuery, query }: ApiRequest): string => {
  const text = rawQuery ?? query.toString();
  return text && `?${text}`;
};

/** A path or query escaped for a request line of HTTP/1.1: HTTP/2 allows more bytes. */
export const inRequestLine = (text: string): string =>
  text.replace(/[^\x21-\x7e]+/g, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

/** Sends the request on and streams the answer back. */
export async function forwardHttp(
  request: ApiRequest,
  upstream: Upstream,
  path: string,
  { purpose, added = {}, streams = false, signal = request.signal }: ForwardOptions,
): Promise<RawReply> {
  const method = purpose === 'log' ? 'GET' : request.method;
  const body = purpose === 'log' ? undefined : await bodyOf(request, streams);
  const headers = passedHeaders(request, added);
  // A component of this process sends none, and HTTP/1.1 requires it.
  if (!headers.some(([name]) => name.toLowerCase() === 'host'))
    headers.unshift(['Host', joinHostPort(upstream.host, upstream.port)]);
  if (body instanceof Uint8Array) headers.push(['Content-Length', String(body.length)]);
  else if (body) headers.push(framing(request));
  else if (['POST', 'PUT', 'PATCH'].includes(method)) headers.push(['Content-Length', '0']);
  const answer = await exchange(request, upstream, { path, method, headers, body, purpose, signal });
  const { 'Content-Type': contentType = '', ...others } = answerHeaders(answer);
  return {
    type: 'raw',
    code: answer.statusCode ?? 502,
    contentType: String(contentType),
    headers: others,
    body: answer,
  };
}

const framing = (request: ApiRequest): [string, string] => {
  const length = request.headers['content-length'];
  return length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', length];
};

async function bodyOf(request: ApiRequest, streams: boolean): Promise<Uint8Array | Readable | undefined> {
  if (streams && request.stream) return hasBody(request) ? request.stream : undefined;
  const body = await request.body();
  return body && ('bytes' in body ? body.bytes : Buffer.from(JSON.stringify(body.object)));
}

/** As in Go: a length other than 0, or, in HTTP/2, a stream that did not end with its headers. */
function hasBody({ headers, stream }: ApiRequest): boolean {
  const length = headers['content-length'];
  if (length !== undefined) return Number(length) > 0;
  if (headers['transfer-encoding'] !== undefined) return true;
  const h2 = (stream as { stream?: { endAfterHeaders?: boolean } }).stream;
  return h2?.endAfterHeaders === false;
}

interface Exchange {
  readonly path: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | Readable | undefined;
  readonly purpose: 'log' | 'proxy';
  readonly signal: AbortSignal;
}

function exchange(request: ApiRequest, upstream: Upstream, sent: Exchange): Promise<IncomingMessage> {
  const { path, method, headers, body, purpose, signal } = sent;
  const { protocol, host, port, tls } = upstream;
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => reject(unreachable(upstream, path, why, purpose));
    const outgoing = (protocol === 'https' ? httpsRequest : httpRequest)({
      host,
      port,
      path: inRequestLine(path),
      method,
      headers: headers.flat(),
      agent: false,
      signal,
      ...tls,
    });
    const timer = request.server.clock.after(dialMs, () => outgoing.destroy(new DialTimeout()), {
      background: true,
    });
    outgoing.on('socket', (socket) => {
      socket.setNoDelay(true);
      socket.once('connect', () => timer.cancel());
    });
    outgoing.on('response', (answer) => {
      // One that ends early is seen by its reader.
      answer.on('error', () => {});
      resolve(answer);
    });
    // Also after the response: a backend may close before it has read all input.
    outgoing.on('error', (error) => refuse(dialFault(error, upstream)));
    outgoing.on('close', () => {
      timer.cancel();
      refuse('EOF');
      if (body && !(body instanceof Uint8Array)) body.unpipe(outgoing);
    });
    if (body && !(body instanceof Uint8Array)) body.pipe(outgoing);
    else outgoing.end(body);
  });
}

/** Headers that HTTP/2 has once. */
const single = new Set(
  [
    ...['age', 'content-encoding', 'content-language', 'content-length', 'content-location', 'content-range'],
    ...['content-type', 'date', 'etag', 'expires', 'last-modified', 'location', 'retry-after'],
  ].concat('x-content-type-options'),
);

/** The response's headers, except those that the API server always sends. */
function answerHeaders(answer: IncomingMessage): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  const leaveOut = ownHeaders(answer.headersDistinct['connection'] ?? []);
  for (const [name, values = []] of Object.entries(answer.headersDistinct)) {
    if (leaveOut.has(name)) continue;
    found[canonical(name)] = values.length === 1 || single.has(name) ? values[0] : values;
  }
  const caching = found['Cache-Control'];
  if (caching) found['Cache-Control'] = ['no-cache, private', ...[caching].flat()];
  return found;
}

/** As Go writes the names of headers. */
const canonical = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, before, letter) => `${before}${letter.toUpperCase()}`);

/** The body of an answer as text, up to a length. */
export async function textOf({ body }: RawReply, most: number): Promise<string> {
  if (typeof body === 'string') return body;
  const decoder = new TextDecoder();
  if (body instanceof Uint8Array) return decoder.decode(body);
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > most) return text.slice(0, most);
  }
  return text;
}
