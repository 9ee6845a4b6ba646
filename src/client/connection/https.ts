// The HTTPS transport: JSON over kept-alive connections, watches as streams.

import type * as http from 'node:http';
import type { KubeObject } from '../../api/api.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Transport, TransportRequest, TransportResponse, WatchEvent } from '../interface.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

/** client-go's limit of repeats after a 429. */
const mostRepeats = 10;

export interface HttpsOptions extends ConnectionOptions {
  readonly userAgent?: string;
  /** With it, requests that the server puts off (429, Retry-After) are repeated, up to ten times. */
  readonly clock?: Clock;
}

export interface HttpsTransport extends Transport {
  /** Ends all connections. */
  close(): void;
}

export function httpsTransport(options: HttpsOptions): HttpsTransport {
  const connection = new Connection(options);

  /** The server may have closed a kept-alive connection just now: reads are repeated once. */
  const open = async (request: TransportRequest): Promise<http.IncomingMessage> => {
    try {
      return await openOnce(request);
    } catch (error) {
      const lost = (error as NodeJS.ErrnoException).code === 'ECONNRESET' && request.method === 'GET';
      if (!lost || request.signal?.aborted) throw error;
      return openOnce(request);
    }
  };
  const openOnce = async (request: TransportRequest): Promise<http.IncomingMessage> => {
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const query = new URLSearchParams(request.query ?? {}).toString();
    const { request: call, refuse } = await connection.start({
      method: request.method,
      path: request.path + (query && `?${query}`),
      headers: {
        accept: 'application/json',
        'user-agent': options.userAgent ?? 'coracle',
        ...(body && {
          'content-type': request.contentType ?? 'application/json',
          'content-length': body.length,
        }),
      },
      signal: request.signal,
    });
    return new Promise((resolve, reject) => {
      call.on('response', (response) => {
        if (response.statusCode === 401) refuse();
        resolve(response);
      });
      call.on('error', reject);
      call.end(body);
    });
  };

  return {
    async send(request): Promise<TransportResponse> {
      const response = await patiently(() => open(request), options.clock, request.signal);
      const code = response.statusCode ?? 500;
      if (request.query?.watch && code < 400) return { code, events: events(response, request.signal) };
      return { code, body: await bodyOf(response) };
    },
    close: () => connection.close(),
  };
}

async function patiently(
  open: () => Promise<http.IncomingMessage>,
  clock: Clock | undefined,
  signal: AbortSignal | undefined,
): Promise<http.IncomingMessage> {
  for (let attempt = 0; ; attempt++) {
    const response = await open();
    const seconds = Number(response.headers['retry-after']);
    if (!clock || response.statusCode !== 429 || !(seconds >= 0) || attempt >= mostRepeats) return response;
    response.resume();
    await clock.sleep(seconds * 1000, signal);
  }
}

async function bodyOf(response: http.IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const text = Buffer.concat(pieces).toString('utf8');
  return response.headers['content-type']?.includes('json') ? parseExact(text) : text;
}

/** One event a line. */
async function* events(response: http.IncomingMessage, signal?: AbortSignal): AsyncIterable<WatchEvent<KubeObject>> {
  let rest: Buffer[] = [];
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
        const line = Buffer.concat([...rest, piece.subarray(start, end)]);
        rest = [];
        start = end + 1;
        if (line.length > 0) yield parseExact(line.toString('utf8')) as WatchEvent<KubeObject>;
      }
      if (start < piece.length) rest.push(piece.subarray(start));
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    response.destroy();
  }
}
