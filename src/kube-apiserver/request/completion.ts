// The end of a request: with its reply, or at the end of its stream.

import type { Reply, WatchSubscription } from './reply.ts';
import type { ApiRequest } from './request.ts';

interface Completion {
  /** Called when the stream of the reply begins; not called without a stream. */
  begin?(): void;
  /** Called once, now or when the stream of the reply ends. */
  end(): void;
}

/** Observes the end of a reply. The returned reply takes the place of the given one. */
export function completing(request: ApiRequest, reply: Reply, { begin, end }: Completion): Reply {
  let isDone = false;
  const once = () => {
    if (isDone) return;
    isDone = true;
    end();
  };
  const completion = { ...(begin && { begin }), end: once };
  if (reply.type === 'watch') return { ...reply, subscription: observed(reply.subscription, completion) };
  if (reply.type === 'raw' && typeof reply.body === 'object' && !(reply.body instanceof Uint8Array))
    return { ...reply, body: observedBody(reply.body, completion) };
  const socket = request.connection?.upgrade?.socket;
  if (reply.type === 'hijacked' && socket && !socket.destroyed) {
    begin?.();
    socket.once('close', once);
    return reply;
  }
  once();
  return reply;
}

const observed = (subscription: WatchSubscription, { begin, end }: Completion): WatchSubscription => ({
  open(sink) {
    begin?.();
    const close = subscription.open({
      ...(sink.keepsObjects !== undefined && { keepsObjects: sink.keepsObjects }),
      ...(sink.ready && { ready: () => sink.ready?.() }),
      send: (type, item) => sink.send(type, item),
      bookmark: (object) => sink.bookmark(object),
      error: (status) => sink.error(status),
      end() {
        sink.end();
        end();
      },
    });
    return () => {
      close();
      end();
    };
  },
  abandon() {
    subscription.abandon?.();
    end();
  },
});

async function* observedBody(body: AsyncIterable<Uint8Array>, { begin, end }: Completion): AsyncGenerator<Uint8Array> {
  begin?.();
  try {
    yield* body;
  } finally {
    end();
  }
}
