import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gzip as gzipCallback } from 'node:zlib';
import { ApiError, type Kind } from '../../api/api.ts';
import { drained } from '../../machinery/time/drained.ts';
import { protobufMediaType, protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf } from '../registry/codec.ts';
import type { ObjectReply, RawReply, Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { acceptedBy, type Encoded, encodeList, encodeObject, encodeRaw } from './encode.ts';
import { isGone } from './is-gone.ts';
import { type Body, BytesBody, ItemBody, ListBody, wholeOf as wholeBody } from './list-body.ts';
import type { Accepted } from './media-type.ts';
import { ProtobufList } from './protobuf-list.ts';
import { TextBody } from './text-body.ts';
import { streamWatch } from './watch-stream.ts';

type Response = ServerResponse | Http2ServerResponse;

const gzip = promisify(gzipCallback);
/** Smaller answers are not worth compressing (Kubernetes: 128 KiB). */
const gzipFromBytes = 128 << 10;
/** Objects and lists above this size are sent in pieces. */
const wholeBytes = 64 << 10;
const pieceBytes = 256 << 10;
/** While many responses wait for their readers, pieces are small. */
const smallPieceBytes = 16 << 10;
const mostWaitingBytes = 64 << 20;
let waitingBytes = 0;

const plainJson: Accepted = { format: 'json' };

/** The two protocols type the same call differently. */
const writeHead = (response: Response, code: number, headers: object) =>
  (response as ServerResponse).writeHead(code, headers as Record<string, string>);

/** HTTP/2 sends headers at once, HTTP/1.1 only with the first bytes unless flushed. */
function flush(response: Response): void {
  (response as { flushHeaders?: () => void }).flushHeaders?.();
}

export async function respond(request: ApiRequest, response: Response, reply: Reply): Promise<void> {
  if (reply.type === 'hijacked') return;
  const base = headersOf(request, reply);
  if (reply.type === 'watch') {
    const accepted = acceptedOr(request, response, base, () => hasProtobuf(typeOf(reply.kind)));
    if (!accepted) return reply.subscription.abandon?.();
    writeHead(response, reply.code, { ...base, 'Content-Type': streamType(accepted) });
    flush(response);
    return streamWatch(request, response, reply, accepted);
  }
  if (reply.type === 'raw') return sendRaw(request, response, reply, base);
  const encoded = encode(request, reply);
  await send(request, response, encoded, base);
}

const streamType = ({ format }: Accepted): string =>
  format === 'protobuf' ? `${protobufMediaType};stream=watch` : 'application/json';

const hasProtobuf = (type: { readonly kind?: string; readonly apiVersion?: string }): boolean =>
  protobufSchema(type) !== undefined;

const typeOf = (kind: Kind) => ({ kind: kind.kind, apiVersion: apiVersionOf(kind) });

/** Encoding errors become a Status, in plain JSON. */
function encode(request: ApiRequest, reply: Exclude<Reply, { type: 'hijacked' | 'watch' | 'raw' }>): Encoded {
  try {
    const accepted =
      reply.code >= 400 && reply.type === 'object' && !reply.kind
        ? acceptedOfError(request, reply.code)
        : acceptedBy(request, () => hasProtobuf(reply.type === 'list' ? typeOf(reply.kind) : reply.object));
    return reply.type === 'list' ? encodeList(request, reply, accepted) : encodeObject(request, reply, accepted);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return encodeObject(request, statusReply(error), plainJson);
  }
}

function acceptedOfError(request: ApiRequest, code: number): Accepted {
  try {
    const { as, ...accepted } = acceptedBy(request, () => true);
    return as || (code === 406 && accepted.format === 'protobuf') ? plainJson : accepted;
  } catch {
    return plainJson;
  }
}

const statusReply = (error: ApiError): ObjectReply => ({ type: 'object', code: error.code, object: error.status });

function acceptedOr(
  request: ApiRequest,
  response: Response,
  base: Record<string, string | string[]>,
  hasForm: () => boolean,
): Accepted | undefined {
  try {
    return acceptedBy(request, hasForm);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    void send(request, response, encodeObject(request, statusReply(error), plainJson), base);
    return undefined;
  }
}

function headersOf(request: ApiRequest, reply: Reply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    'Audit-Id': request.headers['audit-id'] ?? request.server.random.uuid(),
    'Cache-Control': 'no-cache, private',
    ...(reply.type !== 'hijacked' ? reply.headers : undefined),
  };
  const { schemaUid, levelUid } = request.flow ?? {};
  if (schemaUid) headers['X-Kubernetes-Pf-Flowschema-Uid'] = schemaUid;
  if (levelUid) headers['X-Kubernetes-Pf-Prioritylevel-Uid'] = levelUid;
  const warnings = shownWarnings(request.warnings);
  if (warnings.length) headers.Warning = warnings.map(warningHeader);
  return headers;
}

/** Kubernetes' limits on warnings: total characters, and characters of each if the total is exceeded. */
const mostWarningText = 4 << 10;
const mostOfOne = 256;

/** Each once; those that do not fit are cut, and then left out. */
function shownWarnings(all: readonly string[]): string[] {
  const warnings = [...new Set(all)];
  if (warnings.reduce((sum, text) => sum + text.length, 0) <= mostWarningText) return warnings;
  let left = mostWarningText;
  const shown: string[] = [];
  for (const text of warnings) {
    const cut = text.slice(0, mostOfOne);
    left -= cut.length;
    if (left < 0) break;
    shown.push(cut);
  }
  return shown;
}

/** RFC 7234, section 5.5, as Kubernetes writes it: `299 - "text"`, in UTF-8. Node writes a character as one byte. */
const warningHeader = (text: string): string => {
  const printable = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replace(/[^\P{C}\t]/gu, ' ');
  return `299 - "${Buffer.from(printable).toString('latin1')}"`;
};

async function send(
  request: ApiRequest,
  response: Response,
  { code, contentType, body }: Encoded,
  base: Record<string, string | string[]>,
): Promise<void> {
  const isMade = body instanceof ListBody || body instanceof ItemBody;
  if (isMade && request.method !== 'HEAD' && body.length > wholeBytes && !compresses(request, body.length)) {
    writeHead(response, code, { ...base, 'Content-Type': contentType, 'Content-Length': body.length });
    request.series?.responseSizes?.observe(body.length);
    return sendPieces(response, body);
  }
  if (body instanceof ProtobufList) {
    const { length, pieces, release } = await body.encode();
    try {
      if (length <= pieceBytes)
        return await send(request, response, { code, contentType, body: await wholeOf(pieces) }, base);
      return await sendStream(request, response, code, { ...base, 'Content-Type': contentType }, pieces, length);
    } finally {
      release();
    }
  }
  if (body instanceof TextBody) return sendText(request, response, { code, contentType, body }, base);
  let bytes: Uint8Array = typeof body === 'string' ? Buffer.from(body) : isMade ? wholeBody(body) : body;
  const headers: Record<string, string | string[] | number> = {
    ...base,
    ...(contentType && { 'Content-Type': contentType }),
  };
  if (compresses(request, bytes.length)) {
    // Level 1: a list is compressed while its client waits.
    bytes = await gzip(bytes, { level: 1 });
    headers['Content-Encoding'] = 'gzip';
    headers.Vary = 'Accept-Encoding';
  }
  headers['Content-Length'] = bytes.length;
  request.series?.responseSizes?.observe(bytes.length);
  writeHead(response, code, headers);
  if (request.method === 'HEAD') response.end();
  else if (bytes.length > pieceBytes) await sendPieces(response, new BytesBody(bytes));
  else (response.end as (body: Uint8Array) => void)(bytes);
}

/** A short text in one go, a long one as it is written. */
async function sendText(
  request: ApiRequest,
  response: Response,
  { code, contentType, body }: Encoded & { body: TextBody },
  base: Record<string, string | string[]>,
): Promise<void> {
  const pieces = body.pieces();
  const first = (await pieces.next()).value as string;
  const second = (await pieces.next()).value as string | undefined;
  if (second === undefined) return send(request, response, { code, contentType, body: first }, base);
  const rest = async function* () {
    yield Buffer.from(first);
    yield Buffer.from(second);
    for await (const piece of pieces) yield Buffer.from(piece);
  };
  return sendStream(request, response, code, { ...base, 'Content-Type': contentType }, rest());
}

async function wholeOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** `length` in bytes, if known. */
async function sendStream(
  request: ApiRequest,
  response: Response,
  code: number,
  base: Record<string, string | string[]>,
  pieces: AsyncIterable<Buffer>,
  length?: number,
): Promise<void> {
  const isCompressed = compresses(request, length ?? Number.POSITIVE_INFINITY);
  const form = isCompressed
    ? { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' }
    : length !== undefined && { 'Content-Length': length };
  writeHead(response, code, { ...base, ...form });
  if (request.method === 'HEAD') return void response.end();
  const out = response as ServerResponse;
  const source = Readable.from(counted(pieces, request), { objectMode: false });
  // A reader that leaves early is no fault of the server.
  await (isCompressed ? pipeline(source, createGzip({ level: 1 }), out) : pipeline(source, out)).catch(() =>
    out.destroy(),
  );
}

/** Records the size of the response; one that ends early counts with the part that was sent. */
async function* counted(pieces: AsyncIterable<Buffer>, { series }: ApiRequest): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      bytes += piece.length;
      yield piece;
    }
  } finally {
    series?.responseSizes?.observe(bytes);
  }
}

/** On the loopback interface, compression costs more time than it saves. */
function compresses({ headers, connection }: ApiRequest, length: number): boolean {
  if (length <= gzipFromBytes || !/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return false;
  return !/^(::ffff:)?127\.|^::1$/.test(connection?.remoteAddress ?? '');
}

/** Two buffers take turns: one is filled while the other is on its way. */
async function sendPieces(response: Response, body: Body): Promise<void> {
  const size = Math.min(body.length, waitingBytes < mostWaitingBytes ? pieceBytes : smallPieceBytes);
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  let isClosed = false;
  const closed = new Promise<void>((resolve) =>
    (response as ServerResponse).once('close', () => {
      isClosed = true;
      resolve();
    }),
  );
  const write = response.write as (chunk: Uint8Array, done: () => void) => boolean;
  let previous: Promise<void> | undefined;
  waitingBytes += 2 * size;
  try {
    for (let turn = 0; !isClosed; turn ^= 1) {
      const length = body.fill(buffers[turn]);
      if (!length) break;
      const sent = new Promise<void>((resolve) => write.call(response, buffers[turn].subarray(0, length), resolve));
      if (previous) await Promise.race([previous, closed]);
      previous = sent;
    }
    if (previous) await Promise.race([previous, closed]);
  } finally {
    waitingBytes -= 2 * size;
  }
  response.end();
}

const isStream = (body: Encoded['body'] | RawReply['body']): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && Symbol.asyncIterator in body;

async function sendRaw(
  request: ApiRequest,
  response: Response,
  reply: RawReply,
  base: Record<string, string | string[]>,
): Promise<void> {
  const { code, contentType, body } = encodeRaw(reply, () => acceptedBy(request, () => false));
  if (!isStream(body)) return send(request, response, { code, contentType, body }, base);
  writeHead(response, code, { ...base, ...(contentType && { 'Content-Type': contentType }) });
  flush(response);
  for await (const chunk of body) {
    if (isGone(response)) break;
    if (!(response.write as (chunk: Uint8Array) => boolean)(chunk)) await drained(response as ServerResponse);
  }
  response.end();
}
