// Reads the bodies of requests: at most as long as allowed, within a minute, and in all no more than memory is there for.

import type { IncomingMessage } from 'node:http';
import { constants, type Http2ServerRequest } from 'node:http2';
import { badRequest, timeout, tooLarge, tooManyRequests } from '../../api/api.ts';
import { Pieces } from '../../machinery/collections/pieces.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { ServerConfig } from '../environment.ts';
import type { ApiRequest } from '../request/request.ts';

type Incoming = IncomingMessage | Http2ServerRequest;
type Limits = Pick<ServerConfig, 'maxBodyBytes' | 'requestTimeoutMs'>;

/** Bodies that are being read, in bytes: of all clients, and of one connection once there are many. */
const mostBytes = 128 << 20;
const mostBytesOfOne = 16 << 20;
const many = mostBytes / 2;

/** Each chunk costs as much as a thousand bytes: a body of so many may not have smaller ones on average. */
const mostSmallChunks = 50_000;
const smallBytes = 16;

const lingerMs = 10_000;

let heldBytes = 0;
const heldOf = new WeakMap<object, { bytes: number }>();

/** Reads once and shares the result. */
export function bodyReader(incoming: Incoming, clock: Clock, limits: Limits): ApiRequest['body'] {
  let body: ReturnType<ApiRequest['body']> | undefined;
  return () => (body ??= readBody(incoming, clock, limits));
}

async function readBody(incoming: Incoming, clock: Clock, limits: Limits): ReturnType<ApiRequest['body']> {
  const { maxBodyBytes: most } = limits;
  const { headers } = incoming;
  if (Number(headers['content-length'] ?? 0) > most) throw tooMuch(most);
  const bytes = await new Reader(incoming, clock, limits).read();
  if (!bytes.length) return undefined;
  return { bytes, mediaType: (headers['content-type'] ?? '').split(';')[0].trim().toLowerCase() };
}

const tooMuch = (most: number) => tooLarge(`Request entity too large: limit is ${most}`);

class Reader {
  readonly #incoming: Incoming;
  readonly #clock: Clock;
  readonly #most: number;
  /** A body that takes longer is not waited for. */
  readonly #mostMs: number;
  readonly #ofConnection: { bytes: number };
  readonly #pieces = new Pieces();
  #chunks = 0;
  #timer: Timer | undefined;

  constructor(incoming: Incoming, clock: Clock, { maxBodyBytes, requestTimeoutMs }: Limits) {
    this.#incoming = incoming;
    this.#clock = clock;
    this.#most = maxBodyBytes;
    this.#mostMs = requestTimeoutMs;
    const connection = ('stream' in incoming && incoming.stream?.session) || incoming.socket;
    let held = heldOf.get(connection);
    if (!held) heldOf.set(connection, (held = { bytes: 0 }));
    this.#ofConnection = held;
  }

  read(): Promise<Buffer> {
    return new Promise<Buffer>((resolve, reject) => {
      const late = () => reject(timeout('request did not complete within the allotted timeout'));
      this.#timer = this.#clock.after(this.#mostMs, late, { background: true });
      const early = (error?: Error) =>
        reject(badRequest(`the body of the request ended early: ${error?.message ?? 'aborted'}`));
      this.#incoming.on('data', (chunk: Buffer) => this.#take(chunk, reject));
      this.#incoming.on('end', () => {
        const parts = this.#pieces.parts();
        const [{ buffer, byteOffset, length } = new Uint8Array(0)] = parts;
        resolve(parts.length > 1 ? Buffer.concat(parts) : Buffer.from(buffer, byteOffset, length));
      });
      this.#incoming.on('error', early);
      this.#incoming.on('aborted', () => early());
    }).finally(() => this.#release());
  }

  #take(chunk: Buffer, reject: (error: Error) => void): void {
    if (!this.#timer) return;
    heldBytes += chunk.length;
    this.#ofConnection.bytes += chunk.length;
    this.#pieces.add(chunk);
    const refuse = (error: Error) => {
      this.#release();
      reject(error);
    };
    this.#chunks++;
    if (this.#chunks > mostSmallChunks && this.#pieces.length < this.#chunks * smallBytes) {
      refuse(badRequest('the body of the request has too many small chunks'));
      endConnection(this.#incoming);
    } else if (this.#pieces.length > this.#most) refuse(tooMuch(this.#most));
    else if (heldBytes > mostBytes || (heldBytes > many && this.#ofConnection.bytes > mostBytesOfOne))
      refuse(tooManyRequests('too many requests, please try again later.', 1));
  }

  /** From here on, remaining input is dropped. */
  #release(): void {
    if (!this.#timer) return;
    this.#timer.cancel();
    this.#timer = undefined;
    heldBytes -= this.#pieces.length;
    this.#ofConnection.bytes -= this.#pieces.length;
    this.#pieces.clear();
  }
}

/** Of an HTTP/2 connection, ends the stream alone. */
function endConnection(incoming: Incoming, code: number = constants.NGHTTP2_ENHANCE_YOUR_CALM): void {
  if ('stream' in incoming) incoming.stream.close(code);
  else incoming.socket.destroy();
}

/**
 * After an early response, drops the remaining input, so that the connection stays usable. A slow sender is cut off: an
 * HTTP/2 stream is reset, an HTTP/1.1 connection ends.
 */
export function abandonRest(incoming: Incoming, clock: Clock): void {
  if (incoming.complete || incoming.readableEnded) return;
  if ('stream' in incoming && incoming.stream.endAfterHeaders) return;
  incoming.resume();
  const end = () => endConnection(incoming, constants.NGHTTP2_NO_ERROR);
  const timer = clock.after(lingerMs, end, { background: true });
  incoming.once('close', () => timer.cancel());
}
