// The store of tests and simulations: everything in memory, gone with the process.

import { OrderedTree } from '../machinery/collections/ordered-tree.ts';
import type { Clock } from '../machinery/time/clock.ts';
import { ChangeLog } from './change-log.ts';
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
  type Write,
} from './interface.ts';
import { Leases } from './leases.ts';

interface MemoryOptions {
  readonly clock: Clock;
}

export const createMemoryStore = (options: MemoryOptions): Store => new MemoryStore(options.clock);

class MemoryStore implements Store {
  readonly #entries = new OrderedTree<Entry>();
  readonly #log: ChangeLog;
  readonly #leases: Leases;
  readonly #leased = new Map<number, Set<string>>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#log = new ChangeLog(1);
    this.#leases = new Leases(clock, (lease) => this.#deleteLeased(lease));
  }

  async revision(): Promise<Revision> {
    return this.#log.revision;
  }

  async get(key: string, at?: Revision): Promise<Entry | undefined> {
    if (this.#isNow(at)) return this.#entries.get(key);
    const then = this.#log.since(at as Revision, { start: key, end: `${key}\0` });
    return then.has(key) ? then.get(key) : this.#entries.get(key);
  }

  async range(keys: KeyRange, page: { at?: Revision; limit?: number } = {}): Promise<Page> {
    const { at, limit = Number.POSITIVE_INFINITY } = page;
    if (this.#isNow(at)) {
      const entries = this.#entries.range(keys.start, keys.end, limit);
      const remaining = this.#entries.count(keys.start, keys.end) - entries.length;
      return { entries, revision: this.#log.revision, remaining };
    }
    const then = this.#log.since(at as Revision, keys);
    const unchanged = this.#entries.range(keys.start, keys.end).filter((entry) => !then.has(entry.key));
    const restored = [...then.values()].filter((entry) => entry !== undefined);
    const all = restored.length === 0 ? unchanged : [...unchanged, ...restored].sort(byKey);
    const entries = all.slice(0, limit);
    return { entries, revision: at as Revision, remaining: all.length - entries.length };
  }

  async commit(writes: readonly Write[]): Promise<CommitResult> {
    for (const { expected, key } of writes)
      if (expected !== undefined && (this.#entries.get(key)?.modRevision ?? 0) !== expected)
        return { ok: false, current: writes.flatMap((write) => this.#entries.get(write.key) ?? []) };
    if (new Set(writes.map((write) => write.key)).size < writes.length)
      throw new Error('one transaction may write a key only once');
    for (const { lease } of writes)
      if (lease && !this.#leases.has(lease)) throw new LeaseNotFound(`lease ${lease} has expired or was revoked`);
    const revision = this.#log.revision + 1;
    const changes = writes.flatMap((write) => this.#apply(write, revision));
    // Deleting an absent key changes nothing, and uses no revision.
    if (changes.length === 0) return { ok: true, revision: this.#log.revision };
    this.#log.append({ revision, changes });
    if (this.#log.surplus) this.#log.compact(this.#log.surplus);
    return { ok: true, revision };
  }

  watch(keys: KeyRange, after: Revision, signal: AbortSignal) {
    return this.#log.watch(keys, after, signal);
  }

  async compact(revision: Revision): Promise<void> {
    if (revision > this.#log.revision) throw new FutureRevision(this.#log.revision);
    if (revision < this.#log.compacted) throw new Compacted(this.#log.compacted);
    this.#log.compact(revision);
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    return this.#leases.grant(ttlSeconds);
  }

  async keepAlive(lease: number): Promise<void> {
    this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: number): Promise<void> {
    this.#leases.revoke(lease);
    this.#deleteLeased(lease);
  }

  async leaseSeconds(lease: number): Promise<number | undefined> {
    return this.#leases.seconds(lease);
  }

  async size(): Promise<number> {
    return this.#bytes;
  }

  async health(): Promise<undefined> {}

  async *readAll(keys: KeyRange, at?: Revision) {
    yield await this.range(keys, at === undefined ? {} : { at });
  }

  async close(): Promise<void> {
    this.#leases.close();
    this.#log.close();
  }

  /** Whether a read `at` a revision reads the current state. */
  #isNow(at: Revision | undefined): boolean {
    if (at === undefined || at === this.#log.revision) return true;
    if (at > this.#log.revision) throw new FutureRevision(this.#log.revision);
    if (at < this.#log.compacted) throw new Compacted(this.#log.compacted);
    return false;
  }

  #apply({ key, value, lease = 0 }: Write, revision: Revision): Change[] {
    const previous = this.#entries.get(key);
    if (previous) this.#forget(previous);
    if (value === undefined) {
      this.#entries.remove(key);
      return previous ? [{ type: 'delete', key, revision, previous }] : [];
    }
    const entry = { key, value, createRevision: previous?.createRevision ?? revision, modRevision: revision, lease };
    this.#put(entry);
    return [{ type: 'put', entry, ...(previous && { previous }) }];
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    this.#bytes += entry.key.length + entry.value.length;
    if (!entry.lease) return;
    const keys = this.#leased.get(entry.lease);
    if (keys) keys.add(entry.key);
    else this.#leased.set(entry.lease, new Set([entry.key]));
  }

  #forget(entry: Entry): void {
    this.#bytes -= entry.key.length + entry.value.length;
    if (entry.lease) this.#leased.get(entry.lease)?.delete(entry.key);
  }

  #deleteLeased(lease: number): void {
    const keys = this.#leased.get(lease);
    this.#leased.delete(lease);
    if (keys?.size) void this.commit([...keys].map((key) => ({ key })));
  }
}

const byKey = (a: Entry, b: Entry) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
