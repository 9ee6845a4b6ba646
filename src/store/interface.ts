// The store interface, in etcd's terms. `memory`, `embedded` and `etcd` implement it, and each passes
// store.contract.ts. Keys and values are those of Kubernetes (/registry/..., the storage version as JSON).

import type { Value } from './value.ts';

/** etcd's revision: one counter for the whole store, raised by one for every committed transaction. Starts at 1. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: Value;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Id of the lease that will remove the entry, 0 when it has none. */
  readonly lease: number;
}

/** Keys in [start, end), in byte order. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** The revision that the page was read at. */
  readonly revision: Revision;
  /** Entries of the range after the last of this page. */
  readonly remaining: number;
}

/** A put, also of an empty value, or a delete where `value` is undefined. */
export interface Write {
  readonly key: string;
  readonly value?: Value;
  /** The modRevision that this write replaces; 0: the key must be absent. Undefined: unconditional. */
  readonly expected?: Revision;
  readonly lease?: number;
}

export type CommitResult =
  | { readonly ok: true; readonly revision: Revision }
  /** No write happened; `current` has the existing entries of the written keys. */
  | { readonly ok: false; readonly current: readonly Entry[] };

/** A change as watchers see it. A delete has the entry as it was (`previous`) and the revision of the deletion. */
export type Change =
  | { readonly type: 'put'; readonly entry: Entry; readonly previous?: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision; readonly previous?: Entry };

/** The store rejects writes, and possibly reads. */
export interface StoreProblem {
  readonly message: string;
  readonly canBeRead: boolean;
}

/** A key management service, whose keys the store's values need. */
export interface KeyService {
  /** Why it cannot be used, undefined while it can. */
  health(): Promise<string | undefined>;
}

export interface KeyServices {
  /** The configuration is read again when it changes. */
  readonly canChange: boolean;
  /** Those of the configuration now, in its order. */
  list(): readonly KeyService[];
}

export interface Store {
  /** The newest committed (durable) revision. */
  revision(): Promise<Revision>;
  /** The entry as of `at` (default: now), undefined if absent. Throws Compacted or FutureRevision. */
  get(key: string, at?: Revision): Promise<Entry | undefined>;
  /** Throws Compacted or FutureRevision. */
  range(keys: KeyRange, page?: { at?: Revision; limit?: number }): Promise<Page>;
  /** All or nothing, one revision for all writes, and durable once it resolves. */
  commit(writes: readonly Write[]): Promise<CommitResult>;
  /**
   * All changes in `keys` after revision `after`, in order, each batch one or more whole transactions. Ends when
   * `signal` aborts; throws Compacted if `after` is older than the history. Contains durable changes only. An empty
   * batch reports progress: no change up to `revision`.
   */
  watch(
    keys: KeyRange,
    after: Revision,
    signal: AbortSignal,
  ): AsyncIterable<{ changes: readonly Change[]; revision: Revision }>;
  /**
   * Removes entries that were overwritten or deleted before `revision`. Local backends also compact by themselves
   * beyond some 10,000 transactions, because their history is in memory.
   */
  compact(revision: Revision): Promise<void>;
  /** Grants a lease: entries written with its id go when it runs out. Renewed by `keepAlive`. */
  grantLease(ttlSeconds: number): Promise<number>;
  /** Throws LeaseNotFound when the lease has expired or was revoked. */
  keepAlive(lease: number): Promise<void>;
  revokeLease(lease: number): Promise<void>;
  /** The seconds that a lease was granted for; undefined if it has ended. */
  leaseSeconds(lease: number): Promise<number | undefined>;
  /** Bytes on disk (or in memory). */
  size(): Promise<number>;
  /** The current problem, undefined if healthy. It ends by itself when its cause is gone. */
  health(): Promise<StoreProblem | undefined>;
  /** Of an encrypted store. */
  readonly keyServices?: KeyServices;
  /**
   * All entries of a range at one revision (default: now), in order, in pages of some megabytes; at least one page.
   * Values are in their stored form: an encrypted store does not decrypt them. Throws Compacted or FutureRevision, also
   * between two pages when history is compacted meanwhile.
   */
  readAll(keys: KeyRange, at?: Revision): AsyncIterable<Pick<Page, 'entries' | 'revision'>>;
  /** Ends watches, flushes, and closes files and sockets. */
  close(): Promise<void>;
}

/** The content of a store in order: each lease stands before the entries that have it. */
export type StoredPart =
  | { readonly type: 'lease'; readonly lease: number; readonly seconds: number }
  | { readonly type: 'entries'; readonly entries: readonly Entry[] };

/** The requested revision was compacted. */
export class Compacted extends Error {
  override readonly name = 'Compacted';
  readonly compactRevision: Revision;
  constructor(compactRevision: Revision) {
    super(`the requested revision has been compacted; the oldest is ${compactRevision}`);
    this.compactRevision = compactRevision;
  }
}

/** The requested revision is in the future. */
export class FutureRevision extends Error {
  override readonly name = 'FutureRevision';
  readonly current: Revision;
  constructor(current: Revision) {
    super(`the requested revision is newer than the newest, ${current}`);
    this.current = current;
  }
}

export class LeaseNotFound extends Error {
  override readonly name = 'LeaseNotFound';
}

/**
 * The store cannot be used as it is: damaged, of another version, in use by another process, the disk is full, or its
 * writes are paused for a moment.
 */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable';
  readonly reason: 'damaged' | 'version' | 'in-use' | 'disk-full' | 'unreachable' | 'paused';
  constructor(reason: StoreUnusable['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** All keys that begin with `prefix`. */
export function prefixRange(prefix: string): KeyRange {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { start: prefix, end: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}
