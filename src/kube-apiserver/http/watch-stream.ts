// A watch over HTTP: JSON lines or protobuf frames, shared by all watchers.

import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { ApiObject } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { watchSeries } from '../metrics/watch-metrics.ts';
import { encodeWatchEvent, protobufSchema } from '../protobuf/protobuf.ts';
import { served, sharesBytes } from '../registry/codec.ts';
import type { WatchReply, WatchSink } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { isGone } from './is-gone.ts';
import type { Accepted } from './media-type.ts';
import { includeObject, partial, table } from './table.ts';

type Response = ServerResponse | Http2ServerResponse;

/** A client with more pending bytes is disconnected, and lists again. */
const mostPendingBytes = 64 << 20;
/** A large state waits for the client at this many pending bytes. */
const enoughPendingBytes = 1 << 20;
/** A client that reads nothing for this long is disconnected. */
const slowMs = 60_000;

export function streamWatch(request: ApiRequest, response: Response, reply: WatchReply, accepted: Accepted): void {
  // Past its headers an HTTP/1.1 response is chunks, which are shared ready-made; HTTP/2 frames them itself.
  const socket = 'flushHeaders' in response && response.chunkedEncoding ? response.socket : null;
  const target = socket ?? (response as ServerResponse);
  const { events, sizes } = watchSeries(request.server, reply.kind);
  const write = (bytes: Buffer) => {
    events.add();
    sizes.observe(bytes.length);
    if (target.writableLength > mostPendingBytes) response.destroy();
    else if (!isGone(response)) target.write(bytes);
  };
  const chunked = socket !== null;
  const send = (bytes: Buffer) => write(chunked ? chunk(bytes) : bytes);
  const line = (type: string, object: object) => send(frameOf(accepted, type, object));
  const shape = shaper(request, reply, accepted);
  const sink: WatchSink = {
    send(type, item) {
      if (!shape && accepted.format !== 'protobuf') return write(item.frame(type, chunked));
      const { form, of } = shape?.() ?? asIs;
      write(
        item.sharedFrame([type, form, accepted.format, chunked].join(' '), () => {
          const frame = frameOf(accepted, type, of?.(served(reply.kind, item)) ?? item.peek());
          return chunked ? chunk(frame) : frame;
        }),
      );
    },
    bookmark: (object) => line('BOOKMARK', (accepted.as && shape?.().of?.(object)) ?? object),
    ready: () => {
      if (isGone(response) || target.writableLength < enoughPendingBytes) return undefined;
      return drained(target, response, request.server.clock);
    },
    error: (status) => line('ERROR', status),
    end: () => response.end(),
  };
  const close = reply.subscription.open(sink);
  response.on('close', close);
  request.signal.addEventListener('abort', () => {
    close();
    response.destroy();
  });
}

/** Resolves when the client has read the pending data, or has disconnected. */
function drained(target: EventEmitter, response: Response, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(slowMs, () => response.destroy(), { background: true });
  target.once('drain', resolve);
  response.once('close', resolve);
  return promise.finally(() => {
    timer.cancel();
    target.off('drain', resolve);
    response.off('close', resolve);
  });
}

function frameOf({ format }: Accepted, type: string, object: object): Buffer {
  const schema = format === 'protobuf' ? protobufSchema(object) : undefined;
  if (schema) return encodeWatchEvent(type, schema, object);
  return Buffer.from(`${JSON.stringify({ type, object })}\n`);
}

/** RFC 9112, section 7.1. */
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

/** How the next object is shown. */
interface Shape {
  /** The same for the same result: all watchers share it. */
  readonly form: string;
  readonly of?: (object: ApiObject) => object;
}

const asIs: Shape = { form: '' };

/** Undefined when the shared frames are right as they are. */
function shaper(request: ApiRequest, { kind }: WatchReply, { as }: Accepted): (() => Shape) | undefined {
  if (!as) return sharesBytes(kind) ? undefined : () => ({ form: kind.version, of: (object) => object });
  const form = `${kind.version} ${as.kind} ${as.version}`;
  if (as.kind !== 'Table') return () => ({ form, of: (object) => partial(object, `meta.k8s.io/${as.version}`) });
  const include = includeObject(request.query);
  let isFirst = true;
  return () => {
    const columns = isFirst;
    isFirst = false;
    return {
      form: `${form} ${include} ${columns}`,
      of(object) {
        const now = request.server.clock.now();
        const { resourceVersion } = object.metadata;
        return table(kind, [object], { resourceVersion }, { as, include, now, columns });
      },
    };
  };
}
