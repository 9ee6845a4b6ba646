// The store of one machine: LMDB in the API server's process. Writes during a flush share the next one (group commit).
// Responses and watches only contain flushed data.

import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { ChangeLog } from '../change-log.ts';
import {
  type Change,
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
import { Leases } from '../leases.ts';
import { causeOf, full, openDatabase, type Tables, told, unusable } from './database.ts';
import { LeasedKeys } from './leased-keys.ts';
import { openLog } from './past.ts';
import { Reader, readPages } from './reader.ts';
import { RecentEntries } from './recent-entries.ts';
import { copyEntry, decodeEntry, encodeEntry, encodeText, encodeUndo, undoOf } from './records.ts';
import { fits, mostWhenFull, Reserve, type Room, reserveEveryMs, takenWhenFull } from './reserve.ts';
import { locked } from './restore.ts';

/** Transactions per flush; later ones wait for the next flush, to bound the latency of the first. */
const largestBatch = 2_000;
const expireAgainMs = 10_000;
/** A flush that takes longer is reported. */
const slowFlushMs = 5_000;

export { restoreEmbeddedStore } from './restore.ts';

interface EmbeddedOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Whether the directory belongs to a cluster that has a store: a missing one is damage then, and not a beginning. */
  readonly mustExist?: boolean;
  readonly unsafeNoFsync?: boolean;
}

/** Throws StoreUnusable: in use, damaged, lost, of another format version, or without space. */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  return locked(options.directory, async (unlock) => {
    const tables = await openDatabase(options.directory, options);
    return new EmbeddedStore(tables, options, unlock);
  });
}

interface Waiting {
  readonly writes: readonly Write[];
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

class EmbeddedStore implements Store {
  readonly #tables: Tables;
  readonly #log: ChangeLog;
  readonly #leases: Leases;
  readonly #reserve: Reserve;
  readonly #leased = new LeasedKeys();
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #unlock: () => void;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  /** Keys of the current batch with their entries before it, which reads return until the flush. */
  readonly #before = new Map<string, Entry | undefined>();
  readonly #recent = new RecentEntries();
  readonly #readers = new Set<Reader>();
  readonly #afterFlush: (() => void)[] = [];
  readonly #unsafeNoFsync: boolean;
  #closed = false;
  /** Why the last flush failed. */
  #failure: string | undefined;
  #flushBeganMs: number | undefined;
  #reserving: Timer | undefined;
  #filling: Promise<void> | undefined;

  constructor(tables: Tables, { clock, directory, unsafeNoFsync }: EmbeddedOptions, unlock: () => void) {
    this.#clock = clock;
    this.#directory = directory;
    this.#tables = tables;
    this.#unlock = unlock;
    this.#unsafeNoFsync = unsafeNoFsync ?? false;
    this.#log = openLog(tables, (key) => this.#read(key));
    this.#leases = new Leases(clock, (lease) => this.#expire(lease));
    this.#leased.restore(tables, (lease, seconds) => this.#leases.restore(lease, seconds));
    this.#reserve = new Reserve(tables, directory);
    // Most tests end before the first interval: they do not wait for the reserve to be written.
    this.#fillReserve(unsafeNoFsync);
  }

  async revision(): Promise<Revision> {
    return this.#log.revision;
  }

  async get(key: string, at?: Revision): Promise<Entry | undefined> {
    if (!this.#isNow(at)) {
      const then = this.#log.since(at as Revision, { start: key, end: `${key}\0` });
      if (then.has(key)) return then.get(key);
    }
    return this.#before.has(key) ? this.#before.get(key) : this.#read(key);
  }

  async range(keys: KeyRange, page: { at?: Revision; limit?: number } = {}): Promise<Page> {
    const { at, limit = Number.POSITIVE_INFINITY } = page;
    const revision = this.#isNow(at) ? this.#log.revision : (at as Revision);
    const overrides = this.#isNow(at) ? new Map<string, Entry | undefined>() : this.#log.since(revision, keys);
    for (const [key, entry] of this.#before)
      if (key >= keys.start && key < keys.end && !overrides.has(key)) overrides.set(key, entry);
    if (overrides.size === 0) {
      const entries = this.#scan(keys, limit);
      const rest = entries.length < limit ? undefined : entries.at(-1);
      const remaining = rest ? this.#tables.entries.getKeysCount({ start: `${rest.key}\0`, end: keys.end }) : 0;
      return { entries, revision, remaining };
    }
    const all = [
      ...this.#scan(keys).filter((entry) => !overrides.has(entry.key)),
      ...[...overrides.values()].filter((entry) => entry !== undefined),
    ].sort((a, b) => (a.key < b.key ? -1 : 1));
    const entries = all.slice(0, limit);
    return { entries, revision, remaining: all.length - entries.length };
  }

  commit(writes: readonly Write[]): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new StoreUnusable('unreachable', 'the store is closed'));
    if (writes.length > 1 && new Set(writes.map((write) => write.key)).size < writes.length)
      return Promise.reject(new Error('one transaction may write a key only once'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, resolve, reject });
      this.#flushing ??= this.#flushAll();
    });
  }

  watch(keys: KeyRange, after: Revision, signal: AbortSignal) {
    return this.#log.watch(keys, after, signal);
  }

  async compact(revision: Revision): Promise<void> {
    if (revision > this.#log.revision) throw new FutureRevision(this.#log.revision);
    if (revision < this.#log.compacted) throw new Compacted(this.#log.compacted);
    this.#log.compact(revision);
    const { env, history, meta } = this.#tables;
    await env.batch(() => {
      void meta.put('compacted', encodeText('compacted', revision));
      for (const key of history.getKeys({ end: revision + 1 })) void history.remove(key);
    });
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    const lease = this.#leases.grant(ttlSeconds);
    await this.#tables.leases.put(lease, encodeText(`lease ${lease}`, ttlSeconds));
    return lease;
  }

  async keepAlive(lease: number): Promise<void> {
    this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: number): Promise<void> {
    this.#leases.revoke(lease);
    await this.#endLease(lease);
  }

  leaseSeconds = async (lease: number): Promise<number | undefined> => this.#leases.seconds(lease);

  async size(): Promise<number> {
    const { mapSize, pageSize, lastPageNumber } = this.#tables.env.getStats() as Record<string, number>;
    return lastPageNumber ? (lastPageNumber + 1) * (pageSize || 4096) : mapSize;
  }

  async health(): Promise<StoreProblem | undefined> {
    const message = this.#closed ? 'the store is closed' : await this.#writeProblem();
    return message === undefined ? undefined : { message, canBeRead: !this.#closed };
  }

  async #writeProblem(): Promise<string | undefined> {
    const flushingMs = this.#flushBeganMs === undefined ? 0 : this.#clock.monotonic() - this.#flushBeganMs;
    if (flushingMs > slowFlushMs) return `a write waits for the disk for ${Math.round(flushingMs / 1000)} s`;
    const { problem } = this.#reserve;
    if (problem) return problem;
    // Retries now, because the next write may be far away.
    if (this.#failure !== undefined && !this.#flushing) await this.#persist([]).catch(told);
    return this.#failure;
  }

  readAll(keys: KeyRange, at?: Revision) {
    return readPages(this.#readers, () =>
      this.#betweenFlushes(() => {
        const changed = this.#isNow(at) ? new Map<string, undefined>() : this.#log.since(at as Revision, keys);
        return new Reader(this.#tables, keys, { current: this.#log.revision, at: at ?? this.#log.revision, changed });
      }),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leases.close();
    this.#reserving?.cancel();
    await this.#filling;
    await this.#flushing;
    this.#log.close();
    if (this.#unsafeNoFsync) await this.#tables.env.flushed;
    for (const reader of this.#readers) reader.close();
    const closed = this.#tables.env.close();
    // After a failed flush, LMDB waits for a flush that never happens.
    if (this.#failure === undefined) await closed;
    this.#unlock();
  }

  /** Whether a read `at` a revision reads the current state. */
  #isNow(at: Revision | undefined): boolean {
    if (at === undefined || at === this.#log.revision) return true;
    if (at > this.#log.revision) throw new FutureRevision(this.#log.revision);
    if (at < this.#log.compacted) throw new Compacted(this.#log.compacted);
    return false;
  }

  #read(key: string): Entry | undefined {
    return copyEntry(key, this.#tables.entries);
  }

  #scan({ start, end }: KeyRange, limit = Number.POSITIVE_INFINITY): Entry[] {
    const options = { start, end, ...(Number.isFinite(limit) && { limit }) };
    return [...this.#tables.entries.getRange(options)].map(({ key, value }) => decodeEntry(key, value));
  }

  /** Calls `act` when the database has exactly the transactions of the log: in this call, or right after a flush. */
  async #betweenFlushes<T>(act: () => T): Promise<T> {
    if (!this.#flushing) return act();
    return new Promise((resolve, reject) =>
      this.#afterFlush.push(() => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      }),
    );
  }

  async #flushAll(): Promise<void> {
    // Other writes of this turn of the event loop share the first flush.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        const { room } = this.#reserve;
        await this.#flush(this.#queue.splice(0, room === 'all' ? largestBatch : mostWhenFull), room);
        for (const act of this.#afterFlush.splice(0)) act();
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  async #flush(batch: readonly Waiting[], room: Room): Promise<void> {
    const written: { revision: Revision; changes: Change[] }[] = [];
    const answers: (() => void)[] = [];
    const fresh = new Map<string, Entry | undefined>();
    for (const waiting of batch)
      try {
        const result = this.#decide(waiting.writes, fresh, this.#log.revision + written.length + 1, room);
        if (result.changes?.length) written.push({ revision: result.revision, changes: result.changes });
        const revision = this.#log.revision + written.length;
        answers.push(() =>
          waiting.resolve(result.current ? { ok: false, current: result.current } : { ok: true, revision }),
        );
      } catch (error) {
        waiting.reject(error);
      }
    try {
      if (written.length > 0) await this.#persist(written, room);
    } catch (reason) {
      this.#before.clear();
      for (const waiting of batch) waiting.reject(reason);
      return;
    }
    this.#before.clear();
    for (const { changes } of written) this.#leased.note(changes);
    for (const transaction of written) {
      this.#recent.take(transaction.changes);
      this.#log.append(transaction);
    }
    if (room !== 'all') this.#log.compact(this.#log.revision);
    for (const answer of answers) answer();
    if (this.#log.surplus) await this.compact(this.#log.surplus).catch(told);
  }

  /** The changes of a transaction, given those before it in the batch; or its conflict. */
  #decide(
    writes: readonly Write[],
    fresh: Map<string, Entry | undefined>,
    revision: Revision,
    room: Room,
  ): { revision: Revision; changes?: Change[]; current?: Entry[] } {
    const now = (key: string) => (fresh.has(key) ? fresh.get(key) : (this.#recent.get(key) ?? this.#read(key)));
    for (const { key, expected } of writes)
      if (expected !== undefined && (now(key)?.modRevision ?? 0) !== expected)
        return { revision, current: writes.flatMap((write) => now(write.key) ?? []) };
    for (const { lease } of writes)
      if (lease && !this.#leases.has(lease)) throw new LeaseNotFound(`lease ${lease} has expired or was revoked`);
    if (!fits(writes, now, room)) throw full(this.#directory, takenWhenFull);
    const changes = writes.flatMap(({ key, value, lease = 0 }): Change[] => {
      const previous = now(key);
      if (value === undefined && !previous) return [];
      if (!this.#before.has(key)) this.#before.set(key, previous);
      if (value === undefined) {
        fresh.set(key, undefined);
        return [{ type: 'delete', key, revision, previous }];
      }
      const createRevision = previous?.createRevision ?? revision;
      const entry = { key, value, createRevision, modRevision: revision, lease };
      fresh.set(key, entry);
      return [{ type: 'put', entry, ...(previous && { previous }) }];
    });
    return { revision, changes };
  }

  /**
   * Throws the error for the writers. Without transactions it only tests whether the disk accepts writes. On a full
   * disk it skips the history, which would take as much space as a deletion frees.
   */
  async #persist(
    transactions: readonly { revision: Revision; changes: readonly Change[] }[],
    room: Room = 'all',
  ): Promise<void> {
    const { env, entries, history, meta } = this.#tables;
    const revision = transactions.at(-1)?.revision ?? this.#log.revision;
    this.#flushBeganMs = this.#clock.monotonic();
    try {
      const committed = env.batch(() => {
        for (const { changes } of transactions)
          for (const change of changes)
            if (change.type === 'put') entries.put(change.entry.key, encodeEntry(change.entry)).catch(told);
            else entries.remove(change.key).catch(told);
        const undo = transactions.map((transaction) => ({ ...transaction, undo: undoOf(transaction.changes) }));
        if (room !== 'all') {
          for (const key of history.getKeys()) history.remove(key).catch(told);
          meta.put('compacted', encodeText('compacted', revision)).catch(told);
        } else if (undo.length > 0) history.put(revision, encodeUndo(undo)).catch(told);
        meta.put('revision', encodeText('revision', revision)).catch(told);
      });
      // The batch resolves on LMDB's commit; `flushed` resolves when the data is on the disk.
      await Promise.all([committed, this.#unsafeNoFsync ? undefined : env.flushed]);
      this.#failure = undefined;
    } catch (error) {
      const reason = unusable(await causeOf(error), this.#directory);
      this.#failure = String((reason as Error)?.message ?? reason);
      throw reason;
    } finally {
      this.#flushBeganMs = undefined;
    }
  }

  /** Runs at intervals: the store grew by free pages. */
  #fillReserve(later = false): void {
    if (!later) this.#filling = this.#reserve.fill().catch(told);
    this.#reserving = this.#clock.after(reserveEveryMs, () => this.#fillReserve(), { background: true });
  }

  /** Removals that fail for lack of space are retried, also after a restart. */
  #expire(lease: number): void {
    this.#endLease(lease).catch(() => {
      if (!this.#closed) this.#clock.after(expireAgainMs, () => this.#expire(lease), { background: true });
    });
  }

  async #endLease(lease: number): Promise<void> {
    const keys = this.#leased.keysOf(lease);
    if (keys.length > 0) await this.commit(keys.map((key) => ({ key })));
    this.#leased.delete(lease);
    await this.#tables.leases.remove(lease);
  }
}
