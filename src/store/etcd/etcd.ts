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
import { bidiStream, connect, type Endpoint, entryOf, type Method, methods, numberOf, unary } from './proto.ts';
import { settled } from './restore.ts';
import { watchEtcd } from './watch.ts';

const callTimeoutMs = 10_000;
/** Timeout for connecting to an endpoint, and for its status and health. */
const statusTimeoutMs = 2_000;
/** A key outside of all clients' ranges, to test whether a full etcd accepts writes again. */
const probeKey = 'coracle/health';

export interface EtcdOptions {
  readonly clock: Clock;
  /** Such as https://10.0.0.1:2379; all members of one cluster. */
  readonly endpoints: readonly string[];
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
  if (options.endpoints.length === 0) throw new StoreUnusable('unreachable', 'no etcd endpoint was given');
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
  readonly #endpoints: readonly Endpoint[];
  readonly #closing = new AbortController();
  /** The endpoint that answered last. */
  #current = 0;
  #nextLease: number;
  /** The newest compaction so far; etcd's errors do not contain it. */
  #compacted: Revision = 0;
  /** The last error for lack of space. */
  #full: string | undefined;

  constructor({ clock, endpoints, tls }: EtcdOptions) {
    this.#clock = clock;
    this.#endpoints = endpoints.map((url) => connect(url, tls));
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
    const { succeeded, header, responses } = await this.#write(methods.txn, { compare, success, failure });
    if (succeeded) return { ok: true, revision: numberOf(header.revision) };
    return { ok: false, current: responses.flatMap(({ responseRange }) => responseRange.kvs.map(entryOf)) };
  }

  async *watch(keys: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    let seen = after;
    /**
     * The revision to resume from after a broken stream. It lags one report behind: old members report ahead of their
     * changes.
     */
    let resume = after;
    while (!stop.aborted) {
      try {
        for await (const batch of watchEtcd(this.#endpoints[this.#current], keys, resume, this.#clock, stop)) {
          // A transaction without a matching change only reports progress.
          if (batch.changes.length > 0 || batch.revision > seen) yield batch;
          resume = batch.changes.length > 0 ? batch.revision : seen;
          seen = Math.max(seen, batch.revision);
        }
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof Compacted) {
          this.#compacted = Math.max(this.#compacted, error.compactRevision);
          throw error;
        }
        if (!isUnavailable(error)) throw error;
        // No change is lost: another member resumes from the same revision.
        this.#current = (this.#current + 1) % this.#endpoints.length;
        await this.#clock.sleep(200, stop).catch(() => {});
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
        await this.#write(methods.leaseGrant, { TTL: ttlSeconds, ID: id });
        return id;
      } catch (error) {
        if (!/lease already exists/.test(String(error))) throw error;
      }
    }
  }

  async keepAlive(lease: number): Promise<void> {
    const stream = bidiStream(this.#endpoints[this.#current], methods.leaseKeepAlive);
    try {
      const answer = await new Promise<{ TTL: Parameters<typeof numberOf>[0] }>((resolve, reject) => {
        stream.on('data', resolve);
        stream.on('error', reject);
        stream.on('end', () => reject(new StoreUnusable('unreachable', 'etcd ended the keep-alive')));
        stream.write({ ID: lease });
      });
      if (numberOf(answer.TTL) <= 0) throw new LeaseNotFound(`lease ${lease} has expired or was revoked`);
    } catch (error) {
      throw this.#translate(error);
    } finally {
      stream.on('error', () => {});
      stream.cancel();
    }
  }

  async revokeLease(lease: number): Promise<void> {
    await this.#write(methods.leaseRevoke, { ID: lease });
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
    for (const { client } of this.#endpoints) client.close();
  }

  /** An idempotent call: it tries every endpoint before it fails. */
  async #call<Response>(
    method: Method<Response>,
    request: object,
    at?: Revision,
    timeoutMs = this.#endpoints.length > 1 && method.path === methods.status.path ? statusTimeoutMs : callTimeoutMs,
  ): Promise<Response> {
    let failure: unknown;
    for (const _ of this.#endpoints) {
      try {
        return await unary(this.#endpoints[this.#current], method, request, this.#clock.now() + timeoutMs);
      } catch (error) {
        failure = error;
        if (!isUnavailable(error)) break;
        this.#current = (this.#current + 1) % this.#endpoints.length;
      }
    }
    throw this.#translate(failure, at);
  }

  /**
   * A write with a lost response may have succeeded, so a retry could not know its author: only one reachable endpoint
   * is tried, once.
   */
  async #write<Response>(method: Method<Response>, request: object): Promise<Response> {
    let failure: unknown;
    for (const _ of this.#endpoints) {
      const endpoint = this.#endpoints[this.#current];
      try {
        await this.#connected(endpoint);
      } catch (error) {
        failure = error;
        this.#current = (this.#current + 1) % this.#endpoints.length;
        continue;
      }
      try {
        const answer = await unary(endpoint, method, request, this.#clock.now() + callTimeoutMs);
        this.#full = undefined;
        return answer;
      } catch (error) {
        const reason = this.#translate(error);
        if (reason instanceof StoreUnusable && reason.reason === 'disk-full') this.#full = reason.message;
        throw reason;
      }
    }
    throw new StoreUnusable('unreachable', `no etcd endpoint can be reached: ${String(failure)}`, { cause: failure });
  }

  #connected({ client }: Endpoint): Promise<void> | undefined {
    if (client.getChannel().getConnectivityState(false) === grpc.connectivityState.READY) return undefined;
    return new Promise((resolve, reject) => {
      client.waitForReady(this.#clock.now() + statusTimeoutMs, (error) => (error ? reject(error) : resolve()));
    });
  }

  #translate(error: unknown, at?: Revision): unknown {
    const text = String((error as grpc.ServiceError)?.details ?? error);
    if (/has been compacted/.test(text)) return new Compacted(Math.max(this.#compacted, (at ?? 0) + 1));
    if (/is a future revision/.test(text)) return new FutureRevision((at ?? 1) - 1);
    if (/lease not found/.test(text)) return new LeaseNotFound(text);
    if (/database space exceeded/.test(text)) return new StoreUnusable('disk-full', 'mvcc: database space exceeded');
    if (isUnavailable(error))
      return new StoreUnusable('unreachable', `no etcd endpoint answers: ${text}`, { cause: error });
    return error;
  }
}

const isUnavailable = (error: unknown): boolean => {
  const { code } = (error ?? {}) as grpc.ServiceError;
  return code === grpc.status.UNAVAILABLE || code === grpc.status.DEADLINE_EXCEEDED || code === grpc.status.CANCELLED;
};
