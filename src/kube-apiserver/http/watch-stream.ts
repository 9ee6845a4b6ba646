// A watch over HTTP: one JSON object a line, frames shared by all who watch.

import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { ApiObject } from '../../api/api.ts';
import { served, sharesBytes } from '../registry/codec.ts';
import type { WatchSink } from '../registry/watch.ts';
import type { ApiRequest, WatchReply } from '../request.ts';
import type { Accepted } from './media-type.ts';
import { includeObject, partial, table } from './table.ts';

type Response = ServerResponse | Http2ServerResponse;

/** A client that lets this much pile up is cut off: it lists again when it comes back. */
const mostPendingBytes = 64 << 20;

export function streamWatch(request: ApiRequest, response: Response, reply: WatchReply, accepted: Accepted): void {
  // Past its headers an HTTP/1.1 response is chunks, which are shared ready-made; HTTP/2 frames them itself.
  const socket = 'flushHeaders' in response && response.chunkedEncoding ? response.socket : null;
  const target = socket ?? (response as ServerResponse);
  const write = (bytes: Buffer) => {
    if (target.writableLength > mostPendingBytes) response.destroy();
    else if (!response.destroyed) target.write(bytes);
  };
  const line = (type: string, object: object) => {
    const text = Buffer.from(`${JSON.stringify({ type, object })}\n`);
    write(socket ? Buffer.concat([Buffer.from(`${text.length.toString(16)}\r\n`), text, Buffer.from('\r\n')]) : text);
  };
  const shape = shaper(request, reply, accepted);
  const sink: WatchSink = {
    send: (type, item) =>
      shape ? line(type, shape(served(reply.kind, item))) : write(item.frame(type, socket !== null)),
    bookmark: (object) => line('BOOKMARK', shape && accepted.as ? shape(object) : object),
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

/** How an object is shown; undefined when the shared frames are right as they are. */
function shaper(
  request: ApiRequest,
  { kind }: WatchReply,
  { as }: Accepted,
): ((object: ApiObject) => object) | undefined {
  if (!as) return sharesBytes(kind) ? undefined : (object) => object;
  if (as.kind !== 'Table') return (object) => partial(object, `meta.k8s.io/${as.version}`);
  const include = includeObject(request.query);
  let columns = true;
  return (object) => {
    const now = request.server.clock.now();
    const { resourceVersion } = object.metadata;
    const shown = table(kind, [object], { resourceVersion }, { as, include, now, columns });
    columns = false;
    return shown;
  };
}
