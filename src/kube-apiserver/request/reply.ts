// Answers of the API server, before a form and an encoding are chosen for them.

import type { ApiObject, Kind } from '../../api/api.ts';
import type { Item } from '../watch-cache/item.ts';
import type { EventType } from '../watch-cache/resource-cache.ts';

interface ReplyBase {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export interface ObjectReply extends ReplyBase {
  readonly type: 'object';
  readonly object: object;
  /** The kind that the object is of; undefined for a Status, a discovery document and the like. */
  readonly kind?: Kind;
  /** The cached item of `object`, if its bytes can be sent. */
  readonly item?: Item;
}

export interface ListReply extends ReplyBase {
  readonly type: 'list';
  readonly kind: Kind;
  readonly items: readonly Item[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

export interface WatchReply extends ReplyBase {
  readonly type: 'watch';
  readonly kind: Kind;
  readonly subscription: WatchSubscription;
}

export interface RawReply extends ReplyBase {
  readonly type: 'raw';
  readonly contentType: string;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
}

/** The socket was taken over; there is no response to send. */
interface HijackedReply extends ReplyBase {
  readonly type: 'hijacked';
}

export type Reply = ObjectReply | ListReply | WatchReply | RawReply | HijackedReply;

export const objectReply = (code: number, object: object, kind?: Kind, item?: Item): ObjectReply => ({
  type: 'object',
  code,
  object,
  ...(kind && { kind }),
  ...(item && { item }),
});

export const textReply = (code: number, body: string, contentType = 'text/plain; charset=utf-8'): RawReply => ({
  type: 'raw',
  code,
  body,
  contentType,
});

/** A short text that browsers may not take for another type, as Go's http.Error writes it. */
export const plainText = (code: number, body: string): RawReply => ({
  ...textReply(code, body),
  headers: { 'X-Content-Type-Options': 'nosniff' },
});

/** The receiver of a watch: HTTP writes frames, a client in the process takes objects. */
export interface WatchSink {
  /** The receiver holds its objects while they are current. */
  readonly keepsObjects?: boolean;
  send(type: EventType, item: Item): void;
  bookmark(object: ApiObject): void;
  /** Called between the pieces of a large state: a promise while the receiver is not ready. */
  ready?(): Promise<void> | undefined;
  error(status: object): void;
  /** The end of the stream. */
  end(): void;
}

export interface WatchSubscription {
  /** Begins to send; call once. Due events are sent synchronously, a large state in pieces. Returns the end of the watch. */
  open(sink: WatchSink): () => void;
  /** Called instead of `open` when the watch cannot be sent. */
  abandon?(): void;
}
