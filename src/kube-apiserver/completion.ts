// The end of a request: with its reply, or at the end of its stream.

import type { Reply, WatchSubscription } from './reply.ts';
import type { ApiRequest } from './request.ts';

/** Calls `complete` once, now or when the stream of the reply ends. The returned reply takes the place of the given one. */
export function completing(request: ApiRequest, reply: Reply, complete: () => void): Reply {
  let isDone = false;
  const once = () => {
    if (isDone) return;
    isDone = true;
    complete();
  };
  if (reply.type === 'watch') return { ...reply, subscription: observed(reply.subscription, once) };
  if (reply.type === 'raw' && typeof reply.body === 'object' && !(reply.body instanceof Uint8Array))
    return { ...reply, body: observedBody(reply.body, once) };
  const socket = request.connection?.upgrade?.socket;
  if (reply.type === 'hijacked' && socket && !socket.destroyed) {
    socket.once('close', once);
    return reply;
  }
  once();
  return reply;
}

const observed = (subscription: WatchSubscription, complete: () => void): WatchSubscription => ({
  open(sink) {
    const close = subscription.open({
      ...(sink.keepsObjects !== undefined && { keepsObjects: sink.keepsObjects }),
      ...(sink.ready && { ready: () => sink.ready?.() }),
      send: (type, item) => sink.send(type, item),
      bookmark: (object) => sink.bookmark(object),
      error: (status) => sink.error(status),
      end() {
        sink.end();
        complete();
      },
    });
    return () => {
      close();
      complete();
    };
  },
});

async function* observedBody(body: AsyncIterable<Uint8Array>, complete: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    complete();
  }
}
