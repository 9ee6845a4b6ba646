// The client's interface. Two transports serve it: in process, straight into the API server's pipeline without bytes, and
// HTTPS. Objects that come back are shared and immutable: copy before changing (structuredClone).

import type { Draft, KubeObject, Resources, Status } from '../api/api.ts';

export type ResourceName = keyof Resources;

/** A resource without a built-in name, such as one of a CustomResourceDefinition. */
export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespaced: boolean;
}

export type ObjectOf<R> = R extends ResourceName ? Resources[R] : KubeObject;

export interface Name {
  readonly name: string;
  /** Left out for cluster-scoped resources. */
  readonly namespace?: string;
}

export interface Selection {
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListOptions extends Selection {
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  /** Streaming list: state first, then a bookmark with the annotation k8s.io/initial-events-end. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: Status };

export interface WriteOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  /** Write this subresource: 'status', 'scale', 'binding', 'eviction', 'token', ... */
  readonly subresource?: string;
}

export type Patch =
  | { readonly type: 'json'; readonly body: readonly object[] }
  | { readonly type: 'merge' | 'strategic'; readonly body: object }
  | { readonly type: 'apply'; readonly body: object; readonly force?: boolean };

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

/** Every call rejects with ApiError for an error response, and with other errors if the server is unreachable. */
export interface Client {
  get<R extends ResourceName | ResourceRef>(
    resource: R,
    name: Name,
    options?: { subresource?: string },
  ): Promise<ObjectOf<R>>;
  list<R extends ResourceName | ResourceRef>(resource: R, options?: ListOptions): Promise<List<ObjectOf<R>>>;
  /** Ends when the server closes the watch or `signal` aborts. */
  watch<R extends ResourceName | ResourceRef>(
    resource: R,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<ObjectOf<R>>>;
  /** The object has its namespace. */
  create<R extends ResourceName | ResourceRef>(
    resource: R,
    object: Draft<ObjectOf<R>>,
    options?: WriteOptions,
  ): Promise<ObjectOf<R>>;
  /** POST to a subresource of an existing object (binding, eviction, token); the caller names the response's type. */
  createSubresource<T = KubeObject>(
    resource: ResourceName | ResourceRef,
    name: Name,
    subresource: string,
    body: object,
    options?: WriteOptions,
  ): Promise<T>;
  update<R extends ResourceName | ResourceRef>(
    resource: R,
    object: ObjectOf<R>,
    options?: WriteOptions,
  ): Promise<ObjectOf<R>>;
  patch<R extends ResourceName | ResourceRef>(
    resource: R,
    name: Name,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<ObjectOf<R>>;
  /** Resolves with the object while it terminates (finalizers, grace period), otherwise with a Status. */
  delete(resource: ResourceName | ResourceRef, name: Name, options?: DeleteOptions): Promise<KubeObject | Status>;
  deleteCollection(resource: ResourceName | ResourceRef, selection: Selection, options?: DeleteOptions): Promise<void>;
  /** For paths without objects: /version, /readyz, discovery. Returns the parsed JSON, or the text. */
  raw<T = unknown>(method: string, path: string, body?: object, options?: { signal?: AbortSignal }): Promise<T>;
}

/**
 * The transport under a Client: one request and its response. The API server offers it in process, `https.ts` over the
 * network. `body` is an object, never bytes; a watch responds with `events`.
 */
export interface Transport {
  send(request: TransportRequest): Promise<TransportResponse>;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path without query, such as /api/v1/namespaces/default/pods. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** For PATCH: application/merge-patch+json and its like. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly code: number;
  /** The object, list or Status; undefined for a watch. */
  readonly body?: unknown;
  readonly events?: AsyncIterable<WatchEvent<KubeObject>>;
}
