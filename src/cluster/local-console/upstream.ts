// Requests of the console that continue at the API server of a kubeconfig, with the credentials of that file.

import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Duplex, pipeline } from 'node:stream';
import type { Kubeconfig } from '../../client/client.ts';
import type { Forward } from '../../dashboard/dashboard.ts';
import { trusting } from '../../machinery/certificates/trusting.ts';
import { sandboxHeaders } from '../../machinery/sandbox-headers.ts';
import { leadingTo, placesOf } from './preview-links.ts';

/** They belong to the browser and the console, or to one connection. */
const withheld =
  /^(:|cookie$|authorization$|host$|origin$|referer$|connection$|keep-alive$|upgrade$|te$|transfer-encoding$|http2-|proxy-|sec-fetch-|sec-ch-|sec-websocket-protocol$|x-coracle-|x-remote-|x-forwarded-|impersonate-)/;
const notAnswered =
  /^(connection|upgrade|keep-alive|transfer-encoding|set-cookie|clear-site-data|alt-svc|strict-transport-security)$/;

type Head = Record<string, string | string[]>;

export class Upstream {
  readonly #base: URL;
  readonly #isSecure: boolean;
  readonly #token: Kubeconfig['token'];
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(config: Kubeconfig) {
    this.#base = new URL(config.server);
    this.#isSecure = this.#base.protocol === 'https:';
    this.#token = config.token;
    const { ca, cert, key, serverName: servername, insecureSkipTlsVerify } = config;
    this.#agent = this.#isSecure
      ? new HttpsAgent({
          ...{ keepAlive: true, ...trusting(ca), cert, key, servername },
          rejectUnauthorized: !insecureSkipTlsVerify,
        })
      : new HttpAgent({ keepAlive: true });
  }

  close(): void {
    this.#agent.destroy();
  }

  async forward(
    incoming: Http2ServerRequest,
    outgoing: Http2ServerResponse,
    to: Forward,
    rawQuery: string,
  ): Promise<void> {
    const headers = await this.#headers(incoming.headers, to);
    const call = this.#request(incoming.method, to, rawQuery, headers);
    const end = () => call.destroy();
    outgoing.on('close', end);
    to.ends.addEventListener('abort', end, { once: true });
    outgoing.on('close', () => to.ends.removeEventListener('abort', end));
    call.on('error', (error) => {
      if (outgoing.headersSent) return outgoing.stream?.destroy();
      outgoing.writeHead(502, { 'content-type': 'application/json' });
      outgoing.end(unreachable(error));
    });
    call.on('response', (response) => this.#answer(response, outgoing, to));
    incoming.pipe(call);
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
    const headers = await this.#headers(incoming.headers, to);
    const call = this.#request('GET', to, rawQuery, {
      ...headers,
      ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
      ...(to.protocols && { 'Sec-WebSocket-Protocol': to.protocols }),
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

  #request(method: string, to: Forward, rawQuery: string, headers: Head) {
    const send = this.#isSecure ? httpsRequest : httpRequest;
    return send({
      agent: this.#agent,
      host: this.#base.hostname.replace(/^\[|\]$/g, ''),
      port: this.#base.port || (this.#isSecure ? 443 : 80),
      method,
      path: this.#base.pathname.replace(/\/$/, '') + to.path + rawQuery,
      headers,
    });
  }

  async #headers(from: IncomingHttpHeaders, { preview }: Forward): Promise<Head> {
    const token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    const headers: Head = {};
    for (const [name, value] of Object.entries(from))
      if (value !== undefined && !withheld.test(name)) headers[name] = value;
    // Links in a compressed page could not be changed.
    if (preview !== undefined) headers['accept-encoding'] = 'identity';
    if (token) headers['authorization'] = `Bearer ${token}`;
    return headers;
  }
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

const unreachable = (error: Error): string =>
  JSON.stringify({
    ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 502, reason: 'BadGateway' },
    message: `the API server does not answer: ${error.message}`,
  });
