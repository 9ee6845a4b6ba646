// The store of several control planes: a real etcd, over its v3 API.

import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../machinery/time/clock.ts';
import type { ChangeBatch } from '../change-log.ts';
import {
  type CommitResult,
  Compacted,
  type Entry,
  FutureRevision,
  type KeyRange,
  LeaseNotFound,
  type Page,
  type Revision,
  type Store,
  type StoreProblem,
  StoreUnusable,
  type Write,
} from '../interface.ts';
import { firstPageEntries, nextPageEntries } from '../page-size.ts';
import { bytesOf } from '../value.ts';
import { Endpoints, type Link } from './endpoints.ts';
import { outcomeOf } from './outcome.ts';
import { bidiStream, entryOf, type Method, methods, numberOf, unary } from './proto.ts';
import { settled } from './restore.ts';
import { watchEtcd } from './watch.ts';

const callTimeoutMs = 10_000;
/** Of a health check, and of one attempt of a keep-alive. */
const statusTimeoutMs = 2_000;
/** While a leader is elected, and while members are tried. */
const retryEveryMs = 100;
/** A key outside of all clients' ranges, to test whether a full etcd accepts writes again. */
const probeKey = 'coracle/health';

export interface EtcdOptions {
  readonly clock: Clock;
  /** Such as https://10.0.0.1:2379; all members of one cluster. A function is called again when members change. */
  readonly endpoints: readonly string[] | (() => readonly string[]);
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Throws StoreUnusable: no endpoint answers (`unreachable`), or a restore is unfinished (`damaged`). */
export async function openEtcdStore(options: EtcdOptions): Promise<Store> {
  const store = await openRawEtcd(options);
  try {
    return await settled(store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** With etcd's own revisions, also if a restore is unfinished. */
export async function openRawEtcd(options: EtcdOptions): Promise<Store> {
  const { endpoints } = options;
  if ((typeof endpoints === 'function' ? endpoints() : endpoints).length === 0)
    throw new StoreUnusable('unreachable', 'no etcd endpoint was given');
  const store = new EtcdStore(options);
  try {
    await store.revision();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

const bytes = (text: string) => Buffer.from(text, 'utf8');

class EtcdStore implements Store {
  readonly #clock: Clock;
  readonly #endpoints: Endpoints;
  readonly #closing = new AbortController();
  #nextLease: number;
  /** The newest compaction so far; etcd's errors do not contain it. */
  #compacted: Revision = 0;
  /** The last error for lack of space. */
  #full: string | undefined;

  constructor({ clock, endpoints, tls }: EtcdOptions) {
    this.#clock = clock;
    this.#endpoints = new Endpoints({ clock, urls: endpoints, tls });
    // etcd assigns 63-bit ids, too large for a number.
    this.#nextLease = clock.now() * 1000;
  }

  async revision(): Promise<Revision> {
    const { header } = await this.#call(methods.range, { key: bytes('\0'), countOnly: true, limit: 1 });
    return numberOf(header.revision);
  }

  async get(key: string, at?: Revision): Promise<Entry | undefined> {
    const { kvs } = await this.#call(methods.range, { key: bytes(key), revision: at ?? 0 }, at);
    return kvs[0] && entryOf(kvs[0]);
  }

  async range({ start, end }: KeyRange, { at, limit }: { at?: Revision; limit?: number } = {}): Promise<Page> {
    const request = { key: bytes(start || '\0'), rangeEnd: bytes(end), revision: at ?? 0, limit: limit ?? 0 };
    const { kvs, count, header } = await this.#call(methods.range, request, at);
    const entries = kvs.map(entryOf);
    return { entries, revision: at ?? numberOf(header.revision), remaining: numberOf(count) - entries.length };
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    const compare = writes.flatMap(({ key, expected }) =>
      expected === undefined ? [] : [{ result: 'EQUAL', target: 'MOD', key: bytes(key), modRevision: expected }],
    );
    const success = writes.map(({ key, value, lease = 0 }) =>
      value !== undefined
        ? { requestPut: { key: bytes(key), value: bytesOf(value), lease } }
        : { requestDeleteRange: { key: bytes(key) } },
    );
    const failure = compare.length > 0 ? writes.map(({ key }) => ({ requestRange: { key: bytes(key) } })) : [];
    return this.#transact(writes, { compare, success, failure });
  }

  async *watch(keys: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    /** The next stream begins after it: no change is lost or repeated. */
    let seen = after;
    while (!stop.aborted) {
      const link = this.#endpoints.current;
      try {
        const until = AbortSignal.any([stop, link.left]);
        for await (const batch of watchEtcd(link.endpoint, keys, seen, this.#clock, until)) {
          seen = batch.revision;
          yield batch;
        }
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof Compacted) {
          this.#compacted = Math.max(this.#compacted, error.compactRevision);
          throw error;
        }
        if (!isUnavailable(error)) throw error;
        this.#endpoints.leave(link);
        await this.#clock.sleep(retryEveryMs, stop).catch(() => {});
      }
    }
  }

  async compact(revision: Revision): Promise<void> {
    await this.#call(methods.compact, { revision }, revision);
    this.#compacted = Math.max(this.#compacted, revision);
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    for (;;) {
      const id = this.#nextLease++;
      try {
        // A grant with a lost answer is not used: it expires by itself.
        await this.#call(methods.leaseGrant, { TTL: ttlSeconds, ID: id });
        return id;
      } catch (error) {
        if (!/lease already exists/.test(String(error))) throw error;
      }
    }
  }

  async keepAlive(lease: number): Promise<void> {
    const ttl = await this.#retrying((link) => this.#keepAliveOnce(link, lease));
    if (ttl <= 0) throw new LeaseNotFound(`lease ${lease} has expired or was revoked`);
  }

  async #keepAliveOnce({ endpoint, left }: Link, lease: number): Promise<number> {
    const stream = bidiStream(endpoint, methods.leaseKeepAlive);
    const cancel = () => stream.cancel();
    left.addEventListener('abort', cancel, { once: true });
    const timer = this.#clock.after(statusTimeoutMs, cancel);
    try {
      const { TTL } = await new Promise<{ TTL: Parameters<typeof numberOf>[0] }>((resolve, reject) => {
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.on('end', () => reject(new StoreUnusable('unreachable', 'etcd ended the keep-alive')));
        stream.write({ ID: lease });
      });
      return numberOf(TTL);
    } finally {
      timer.cancel();
      left.removeEventListener('abort', cancel);
      stream.on('error', () => {});
      stream.cancel();
    }
  }

  async revokeLease(lease: number): Promise<void> {
    await this.#call(methods.leaseRevoke, { ID: lease });
  }

  async leaseSeconds(lease: number): Promise<number | undefined> {
    const { TTL, grantedTTL } = await this.#call(methods.leaseTimeToLive, { ID: lease });
    return numberOf(TTL) > 0 ? numberOf(grantedTTL) : undefined;
  }

  async size(): Promise<number> {
    return numberOf((await this.#call(methods.status, {})).dbSize);
  }

  async health(): Promise<StoreProblem | undefined> {
    let canBeRead = false;
    try {
      // Linearizable, so that a member without quorum is unhealthy.
      await this.#call(methods.range, { key: bytes(probeKey), limit: 1 }, undefined, statusTimeoutMs);
      canBeRead = true;
      if (this.#full) await this.commit([{ key: probeKey, value: 'ok' }]);
      return undefined;
    } catch (error) {
      const { message, reason } = error as StoreUnusable;
      const hint = reason === 'disk-full' ? ': compact and defragment etcd, and disarm its alarm' : '';
      return { message: `${message}${hint}`, canBeRead };
    }
  }

  async *readAll({ start, end }: KeyRange, at?: Revision) {
    let limit = firstPageEntries;
    for (let [from, revision] = [start, at]; ; ) {
      const { remaining, ...page } = await this.range(
        { start: from, end },
        { limit, ...(revision && { at: revision }) },
      );
      revision = page.revision;
      yield page;
      const last = page.entries.at(-1);
      if (!last || remaining === 0) return;
      from = `${last.key}\0`;
      limit = nextPageEntries(page.entries);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#endpoints.close();
  }

  /** An idempotent call. */
  async #call<Response>(
    method: Method<Response>,
    request: object,
    at?: Revision,
    timeoutMs = callTimeoutMs,
  ): Promise<Response> {
    const deadlineMs = this.#clock.now() + timeoutMs;
    const needsLeader = method.path !== methods.status.path;
    const answer = await this.#retrying(
      ({ endpoint, left }) => unary(endpoint, method, request, { deadlineMs, needsLeader, signal: left }),
      at,
      timeoutMs,
    );
    if (method.path === methods.leaseGrant.path) this.#full = undefined;
    return answer;
  }

  /** Tries members until one answers. Throws the store's errors. */
  async #retrying<T>(attempt: (link: Link) => Promise<T>, at?: Revision, timeoutMs = callTimeoutMs): Promise<T> {
    const lastMs = this.#clock.monotonic() + timeoutMs;
    for (;;) {
      const link = this.#endpoints.current;
      try {
        return await attempt(link);
      } catch (error) {
        if (!(await this.#mayRetry(error, link, lastMs))) throw this.#translate(error, at);
      }
    }
  }

  /** Leaves a member that does not serve, and waits a little. False: there is no other, or no time left. */
  async #mayRetry(error: unknown, link: Link, lastMs: number): Promise<boolean> {
    if (!isUnavailable(error) || this.#closing.signal.aborted) return false;
    // A single member that cannot be reached is reported at once, one without a leader soon has one.
    if (this.#endpoints.count === 1 && !isOfMember(error)) return false;
    this.#endpoints.leave(link);
    if (this.#clock.monotonic() + retryEveryMs > lastMs) return false;
    await this.#clock.sleep(retryEveryMs, this.#closing.signal).catch(() => {});
    return true;
  }

  /**
   * A transaction with a lost answer may have been made. It is sent again only if it can be made no more than once,
   * because it names a revision that it replaces; `outcomeOf` then finds which of the two was made.
   */
  async #transact(writes: readonly Write[], request: object): Promise<CommitResult> {
    const lastMs = this.#clock.monotonic() + callTimeoutMs;
    const isGuarded = writes.some(({ expected }) => expected !== undefined);
    let lost: unknown;
    for (;;) {
      const link = this.#endpoints.current;
      let wasSent = false;
      try {
        await this.#endpoints.connected(link);
        wasSent = true;
        const deadlineMs = this.#clock.now() + callTimeoutMs;
        const options = { deadlineMs, needsLeader: true, signal: link.left };
        const { succeeded, header, responses } = await unary(link.endpoint, methods.txn, request, options);
        this.#full = undefined;
        if (succeeded) return { ok: true, revision: numberOf(header.revision) };
        const current = responses.flatMap(({ responseRange }) => responseRange.kvs.map(entryOf));
        if (lost === undefined) return { ok: false, current };
        const outcome = await outcomeOf(writes, current, (key, at) => this.get(key, at));
        if (outcome) return outcome;
        throw this.#translate(lost);
      } catch (error) {
        const isLost = wasSent && isUnavailable(error) && !wasRefused(error);
        if (isLost && !isGuarded) throw this.#translate(error);
        if (isLost) lost = error;
        if (!(await this.#mayRetry(error, link, lastMs))) throw this.#noteFull(this.#translate(lost ?? error));
      }
    }
  }

  #noteFull(error: unknown): unknown {
    if (error instanceof StoreUnusable && error.reason === 'disk-full') this.#full = error.message;
    return error;
  }

  #translate(error: unknown, at?: Revision): unknown {
    const text = String((error as grpc.ServiceError)?.details ?? error);
    if (/has been compacted/.test(text)) return new Compacted(Math.max(this.#compacted, (at ?? 0) + 1));
    if (/is a future revision/.test(text)) return new FutureRevision((at ?? 1) - 1);
    if (/lease not found/.test(text)) return new LeaseNotFound(text);
    if (/database space exceeded/.test(text)) return new StoreUnusable('disk-full', 'mvcc: database space exceeded');
    if (error instanceof StoreUnusable) return error;
    if (isUnavailable(error))
      return new StoreUnusable('unreachable', `no etcd endpoint answers: ${text}`, { cause: error });
    return error;
  }
}

const isUnavailable = (error: unknown): boolean => {
  const { code } = (error ?? {}) as grpc.ServiceError;
  return code === grpc.status.UNAVAILABLE || code === grpc.status.DEADLINE_EXCEEDED || code === grpc.status.CANCELLED;
};

const detailsOf = (error: unknown): string => (error as grpc.ServiceError).details ?? '';

/** An answer, not the end of a connection. */
const isOfMember = (error: unknown): boolean => detailsOf(error).startsWith('etcdserver:');

/** The member had no leader, so it did not propose the write to the others. */
const wasRefused = (error: unknown): boolean => detailsOf(error) === 'etcdserver: no leader';
