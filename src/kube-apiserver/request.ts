// What flows through the pipeline: a request, whether it came over a socket or from inside the process, and its reply.

import type { Duplex, Readable } from 'node:stream';
import type { ApiObject, Kind } from '../api/api.ts';
import type { AuditRecord } from './audit/record.ts';
import type { WatchSubscription } from './registry/watch.ts';
import type { Server } from './server.ts';
import type { Item } from './watch-cache/item.ts';

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export type ApiVerb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  | (string & {});

/** What a path and a method mean: the attributes that authorization and routing decide by. */
export interface RequestInfo {
  readonly isResource: boolean;
  readonly path: string;
  /** For paths that are no resource: the method in lower case. */
  readonly verb: ApiVerb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** '' for cluster-scoped resources and for all namespaces. For namespaces themselves: their own name. */
  readonly namespace: string;
  readonly name: string;
  /** What stands behind a subresource, such as the path of a proxied request. */
  readonly rest: string;
  /** The verb stood in the path, as in /api/v1/watch/pods: authorizers do not look at selectors then. */
  readonly viaPath?: boolean;
}

/** A body as it came: an object from inside the process, or bytes with their media type. */
export type Body = { readonly object: object } | { readonly bytes: Buffer; readonly mediaType: string };

export interface ApiRequest {
  readonly server: Server;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The query as it came over a socket, without its mark: what is passed on must not be written anew. */
  readonly rawQuery?: string;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Names and values in turn, as they came over a socket: a header that stands twice is here twice. */
  readonly rawHeaders?: readonly string[];
  readonly info: RequestInfo;
  /** Set by `identify`. */
  user: UserInfo;
  /** Reads the body; throws 413 when it is too large. Undefined when there is none. */
  body(): Promise<Body | undefined>;
  /** The body of a request over a socket while it comes, for those that pass it on and never call `body`. */
  readonly stream?: Readable;
  readonly signal: AbortSignal;
  /** Texts for Warning headers, in the order in which they are sent. */
  readonly warnings: string[];
  /** Set by `audit`, when requests are recorded. */
  audit?: AuditRecord;
  /** Set for a request over a socket. */
  readonly connection?: Connection;
}

export interface Connection {
  readonly remoteAddress: string;
  /** The subject of the client's certificate, when it showed one that a trusted CA signed. */
  readonly certificate?: ClientCertificate;
  /** It showed a certificate of the front proxy's CA, with this common name. */
  readonly frontProxy?: string;
  /** It showed a certificate that no trusted CA signed, or that is not valid now: why. */
  readonly certificateFault?: string;
  /** For requests that ask to leave HTTP (exec, attach, port-forward): takes the socket over. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer; readonly rawHeaders: readonly string[] };
}

export interface ClientCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly uid?: string;
  /** Hex SHA-256 of the certificate. */
  readonly fingerprint: string;
  /** When it ends, milliseconds since the epoch: a connection may live longer. */
  readonly notAfterMs?: number;
}

interface ReplyBase {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export interface ObjectReply extends ReplyBase {
  readonly type: 'object';
  readonly object: any;
  /** The kind that the object is of; undefined for a Status, a discovery document and the like. */
  readonly kind?: Kind;
  /** The cached item when `object` is exactly that, so that its bytes can be used. */
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

/** The socket has been taken over; there is nothing left to answer. */
export interface HijackedReply extends ReplyBase {
  readonly type: 'hijacked';
}

export type Reply = ObjectReply | ListReply | WatchReply | RawReply | HijackedReply;

export type Stage = (request: ApiRequest, next: () => Promise<Reply>) => Promise<Reply>;

export const objectReply = (code: number, object: any, kind?: Kind, item?: Item): ObjectReply => ({
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

/** Every value of a header, in the order in which they came. `name` is in lower case. */
export function headerValues(
  { headers, rawHeaders }: Pick<ApiRequest, 'headers' | 'rawHeaders'>,
  name: string,
): string[] {
  if (!rawHeaders) return headers[name] === undefined ? [] : [headers[name]];
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i].toLowerCase() === name) values.push(rawHeaders[i + 1]);
  return values;
}

/** True for values that a query parameter of type bool takes as true, as Kubernetes reads them. */
export const isTrue = (value: string | null): boolean =>
  value !== null && value.toLowerCase() !== 'false' && value !== '0';

export type { ApiObject };
