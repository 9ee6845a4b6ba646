// An operation on a resource: a user, a verb and an object. Everything behind authorization takes operations and never
// HTTP. from-request.ts makes them of requests, `ownOperation` for the server's own parts.

import type { Kind } from '../../api/api.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { Work } from '../heavy.ts';
import type { ApiVerb } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Waits } from '../request/waits.ts';
import type { Server } from '../server.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';

export interface Operation {
  readonly server: Server;
  readonly verb: ApiVerb;
  readonly kind: Kind;
  /** '' for cluster-scoped kinds, and for a list of all namespaces. */
  readonly namespace: string;
  /** '' for collections, also while an object is created in one. */
  readonly name: string;
  readonly subresource: string;
  readonly user: UserInfo;
  /** Texts that the client is warned with, in this order. */
  readonly warnings: string[];
  /** Undefined without auditing. */
  readonly audit?: AuditTrail;
  /** Undefined for operations of the server itself. */
  readonly waits?: Waits;
  /** A signal that aborts when the client disconnects, made on first use. */
  signal(): AbortSignal;
  /** Work on large objects takes turns with that of others by this. */
  readonly work: Work;
}

/** The location of an object of a stored kind. */
export interface Place {
  readonly server: Server;
  readonly kind: Kind;
  readonly cache: ResourceCache;
  readonly namespace: string;
  readonly name: string;
}

/** An operation on a stored kind. */
export interface Target extends Operation, Place {}

/** An operation of the API server itself, with normal admission. */
export const ownOperation = (place: Place, verb: ApiVerb, user: UserInfo): Target => ({
  ...place,
  verb,
  user,
  subresource: '',
  warnings: [],
  signal: () => place.server.stopping,
  work: { server: place.server },
});
