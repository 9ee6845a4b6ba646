// The transport for components of the same process: the same pipeline with a user, without socket and bytes.

import type { KubeObject, Status } from '../../api/api.ts';
import type { Transport, TransportRequest, TransportResponse, WatchEvent } from '../../client/client.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { isTurnOver, ownTurn, TurnGate } from '../../machinery/time/turn.ts';
import { listObject } from '../http/encode.ts';
import { run } from '../pipeline.ts';
import { served } from '../registry/codec.ts';
import type { ListReply, Reply, WatchReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Server } from '../server.ts';
import { parsed } from '../threads/parsing.ts';
import { ownRead } from './own-reads.ts';

/** Of an answer from another server. */
const mostBytes = 16 << 20;
const mostMs = 60_000;
/** Of one event of another server: an object has 3 MB at most. */
const longestLine = 4 << 20;

const gates = new WeakMap<Server, TurnGate>();

function gateOf(server: Server): TurnGate {
  let gate = gates.get(server);
  if (!gate) gates.set(server, (gate = new TurnGate(server.clock)));
  return gate;
}

export function inProcess(server: Server, user: UserInfo): Transport {
  const agent = user.name.replace(/^system:(serviceaccount:[^:]*:)?/, '').replace(/^node:.*/, 'kubelet');
  const gate = gateOf(server);
  return {
    async send(asked: TransportRequest): Promise<TransportResponse> {
      // Requests without a socket follow each other in one turn of the event loop, however many a component sends.
      const turn = gate.pass();
      if (turn) await turn;
      const cached = ownRead(server, user, asked);
      if (cached) return cached;
      const signal = asked.signal ?? new AbortController().signal;
      signal.throwIfAborted();
      const request = requestOf(server, user, agent, asked, signal);
      return responseOf(await run(request), server, signal, request.info.verb === 'watch');
    },
  };
}

function requestOf(
  server: Server,
  user: UserInfo,
  agent: string,
  asked: TransportRequest,
  signal: AbortSignal,
): ApiRequest {
  const query = new URLSearchParams(asked.query);
  const body = asked.body && { object: asked.body };
  return {
    server,
    method: asked.method,
    path: asked.path,
    query,
    headers: {},
    contentType: asked.contentType ?? 'application/json',
    agent,
    info: requestInfo(asked.method, asked.path, query),
    user,
    body: async () => body,
    signal,
    warnings: [],
  };
}

async function responseOf(
  reply: Reply,
  server: Server,
  signal: AbortSignal,
  watches: boolean,
): Promise<TransportResponse> {
  switch (reply.type) {
    case 'object':
      return { code: reply.code, body: reply.object };
    case 'list':
      return { code: reply.code, body: await sharedList(reply, server.clock) };
    case 'watch':
      return { code: reply.code, events: eventsOf(reply, signal) };
    case 'raw':
      if (watches && reply.code === 200 && typeof reply.body === 'object' && !(reply.body instanceof Uint8Array))
        return { code: 200, events: eventsOfLines(reply.body, signal) };
      return { code: reply.code, body: await rawBody(reply, server, signal) };
    case 'hijacked':
      throw new Error('a request from inside the process cannot take over a socket');
  }
}

/** The items are the cache's objects: shared, immutable, with kind and apiVersion. Some are still to be parsed. */
async function sharedList({ kind, items, metadata }: ListReply, clock: Clock): Promise<object> {
  const { kind: listKind, apiVersion } = listObject({ type: 'list', code: 200, kind, items: [], metadata }) as {
    kind: string;
    apiVersion: string;
  };
  const objects: object[] = [];
  for (const item of items) {
    objects.push(served(kind, item));
    if (isTurnOver(clock)) await ownTurn();
  }
  return { kind: listKind, apiVersion, metadata, items: objects };
}

async function rawBody(
  { body, contentType }: Extract<Reply, { type: 'raw' }>,
  { clock }: Server,
  signal: AbortSignal,
): Promise<unknown> {
  let text = '';
  if (typeof body === 'string') text = body;
  else if (body instanceof Uint8Array) text = new TextDecoder().decode(body);
  else text = await streamedText(body, clock, signal);
  return contentType.startsWith('application/json') ? (await parsed(text, 'json'))().value : text;
}

/** A kubelet or an extension API server answers: it must not fill the memory, or hold a component up for ever. */
async function streamedText(body: AsyncIterable<Uint8Array>, clock: Clock, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  const chunks = body[Symbol.asyncIterator]();
  const over = new AbortController();
  const late = clock.sleep(mostMs, AbortSignal.any([over.signal, signal])).then(() => {
    throw new Error(`the answer did not end in ${mostMs / 1000} s`);
  });
  try {
    let text = '';
    for (let bytes = 0; ; ) {
      const chunk = await Promise.race([chunks.next(), late]);
      if (chunk.done) return text + decoder.decode();
      bytes += chunk.value.length;
      if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes >> 20} MiB`);
      text += decoder.decode(chunk.value, { stream: true });
    }
  } finally {
    over.abort();
    late.catch(() => {});
    void chunks.return?.();
  }
}

/** Watches of an aggregated API are lines of JSON. */
async function* eventsOfLines(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<KubeObject>> {
  const decoder = new TextDecoder();
  let begun = '';
  for await (const chunk of body) {
    if (signal.aborted) return;
    // Only the new text is searched: a line may come in many pieces.
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    begun += first;
    if (begun.length > longestLine) throw new Error(`a line of the watch has more than ${longestLine >> 20} MiB`);
    for (const next of others) {
      if (begun) yield parseExact(begun) as WatchEvent<KubeObject>;
      begun = next;
    }
  }
}

async function* eventsOf(
  { kind, subscription }: WatchReply,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<KubeObject>> {
  const queue: WatchEvent<KubeObject>[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const push = (event: WatchEvent<KubeObject>) => {
    queue.push(event);
    wake?.();
  };
  const finish = () => {
    ended = true;
    wake?.();
  };
  if (signal.aborted) return;
  const close = subscription.open({
    keepsObjects: true,
    send: (type, item) => push({ type, object: served(kind, item) }),
    bookmark: (object) => push({ type: 'BOOKMARK', object }),
    error: (status) => push({ type: 'ERROR', object: status as Status }),
    end: finish,
  });
  signal.addEventListener('abort', finish, { once: true });
  try {
    while (!signal.aborted) {
      const batch = queue.splice(0);
      for (const event of batch) {
        yield event;
        if (signal.aborted) return;
      }
      if (queue.length) continue;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  } finally {
    signal.removeEventListener('abort', finish);
    close();
  }
}
