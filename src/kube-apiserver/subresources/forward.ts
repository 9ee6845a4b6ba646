// Passes a request on to a kubelet, a pod or a service: as HTTP, or as a raw connection once it is upgraded.

import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { withoutTokens } from '../authentication.ts';
import type { ApiRequest, RawReply, Reply } from '../request.ts';
import { failure } from '../status.ts';
import type { Upstream } from './kubelet-address.ts';

/** Headers that are sent beside those of the client. */
type Headers = Readonly<Record<string, string | string[]>>;

/** Headers that speak of this connection, or that only the API server should see. */
const ownHeaders = new Set([
  'authorization',
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
]);

const isOwn = (name: string): boolean =>
  name.startsWith(':') || ownHeaders.has(name) || /^(impersonate|x-remote)-/.test(name);

/** What cannot be reached is this error; `purpose` chooses between Kubernetes' two forms of it. */
function unreachable({ protocol, host, port }: Upstream, path: string, error: Error, purpose: 'log' | 'proxy') {
  const why = `dial tcp ${host}:${port}: connect: ${dialFault(error)}`;
  return purpose === 'proxy'
    ? failure(503, 'ServiceUnavailable', `error trying to reach service: ${why}`)
    : failure(500, 'InternalError', `Get "${protocol}://${host}:${port}${path}": ${why}`);
}

function dialFault(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNREFUSED' ? 'connection refused' : code === 'EHOSTUNREACH' ? 'no route to host' : error.message;
}

/** Sends the request on and streams the answer back. */
export async function forwardHttp(
  request: ApiRequest,
  upstream: Upstream,
  path: string,
  purpose: 'log' | 'proxy',
  added: Headers = {},
): Promise<RawReply> {
  const body = purpose === 'proxy' ? await request.body() : undefined;
  const bytes = body && ('bytes' in body ? body.bytes : Buffer.from(JSON.stringify(body.object)));
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name, value]) => !isOwn(name) && value !== undefined),
  ) as Record<string, string>;
  const send = upstream.protocol === 'https' ? httpsRequest : httpRequest;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = send(
      {
        host: upstream.host,
        port: upstream.port,
        path,
        method: purpose === 'log' ? 'GET' : request.method,
        headers: { ...headers, ...added, ...(bytes && { 'content-length': bytes.length }) },
        agent: false,
        signal: request.signal,
        ...upstream.tls,
      },
      resolve,
    );
    outgoing.once('error', (error) => reject(unreachable(upstream, path, error, purpose)));
    outgoing.end(bytes);
  });
  answer.on('error', () => {});
  const { 'content-type': contentType = '', ...rest } = answer.headers;
  return {
    type: 'raw',
    code: answer.statusCode ?? 502,
    contentType,
    headers: passedOn(rest),
    body: answer,
  };
}

function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => typeof value === 'string' && !isOwn(name) && name !== 'date',
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

/** Joins the client's socket and one to the upstream: from here on nobody reads what passes. */
export async function forwardUpgrade(
  request: ApiRequest,
  upstream: Upstream,
  path: string,
  added: Headers = {},
): Promise<Reply> {
  const upgrade = request.connection?.upgrade;
  if (!upgrade) throw new Error('the request asks for no upgrade');
  const { socket, head, rawHeaders } = upgrade;
  const { host, port, tls } = upstream;
  const far = await new Promise<Duplex>((resolve, reject) => {
    const connection = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port });
    connection.setNoDelay(true);
    connection.once(tls ? 'secureConnect' : 'connect', () => resolve(connection));
    connection.once('error', (error: Error) => reject(unreachable(upstream, path, error, 'proxy')));
  });
  const lines = [`${request.method} ${path} HTTP/1.1`, `Host: ${host}:${port}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (name !== 'upgrade' && name !== 'connection' && isOwn(name)) continue;
    const value = name === 'sec-websocket-protocol' ? withoutTokens(rawHeaders[i + 1]) : rawHeaders[i + 1];
    if (value) lines.push(`${rawHeaders[i]}: ${value}`);
  }
  for (const [name, value] of Object.entries(added)) for (const one of [value].flat()) lines.push(`${name}: ${one}`);
  far.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length) far.write(head);
  join(socket, far);
  join(far, socket);
  return { type: 'hijacked', code: 101 };
}

function join(from: Duplex, to: Duplex): void {
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
  from.pipe(to);
}
