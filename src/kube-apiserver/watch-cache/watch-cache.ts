// All caches, fed by one watch of the store. Reads never use the disk (docs/design.md, idea 3).

import { setImmediate } from 'node:timers/promises';
import type { ApiObject } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Change, CommitResult, Entry, Write } from '../../store/store.ts';
import { Compacted, prefixRange, sameValue } from '../../store/store.ts';
import type { StorageSeries, StoreOperation } from '../metrics/storage-metrics.ts';
import { futureVersion } from '../status.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type CachedStore, cachedStore } from './cached-store.ts';
import { Item, type Serialized } from './item.ts';
import { type Decode, loadedItem } from './loaded-item.ts';
import { newestRevision } from './newest-revision.ts';
import { type IndexOf, ResourceCache } from './resource-cache.ts';
import { Retention } from './retention.ts';
import { RevisionTimes } from './revision-times.ts';
import { shareFields } from './shared-fields.ts';

/** A write of one object: its stored form, and the cached object. */
export interface ObjectWrite {
  readonly key: string;
  /** Undefined deletes. For a delete, `object` is the last state that watchers see. */
  readonly serialized?: Serialized;
  readonly object?: ApiObject;
  /** The revision that this replaces; 0: the key must be absent. */
  readonly expected?: number;
  readonly lease?: number;
}

interface WatchCacheOptions {
  readonly store: CachedStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The metrics of a resource, by the prefix of its keys. */
  readonly seriesOf: (prefix: string) => StorageSeries;
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing;
}

interface Loading {
  readonly cache: ResourceCache;
  readonly decode: Decode;
  readonly indexOf: IndexOf | undefined;
  readonly series: StorageSeries;
  /** Changes that arrived while the state was read; undefined once it is loaded. */
  early: Change[] | undefined;
  /** Revision of the loaded state: the watch may be older, and then repeats changes. */
  loadedRevision: number;
  loaded: Promise<ResourceCache>;
}

/** Every key, also outside /registry/, so that each revision of the store is seen. */
const everything = { start: '\u0001', end: '\u007f' };

/** Interval of evicting history of idle resources. */
const tidyMs = 15_000;

export class WatchCache {
  readonly times = new RevisionTimes();
  readonly retention = new Retention();
  readonly #store: CachedStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #seriesOf: (prefix: string) => StorageSeries;
  readonly #caches = new Map<string, Loading>();
  /** Objects of pending writes, so that their changes are not parsed again. */
  readonly #written = new Map<string, { object: ApiObject; serialized?: Serialized }[]>();
  #revision = 0;
  /**
   * The last change of resources without a cache, by the first part of their keys: a new cache has the history since
   * then, because there was none.
   */
  readonly #unseen = new Map<string, number>();
  /** Changes before this revision are unknown. */
  #completeSince = 0;
  #fault: string | undefined;
  #compacted = 0;
  #tidiedAtMs = 0;
  #waiting: { revision: number; done: () => void }[] = [];
  readonly #newest = newestRevision(() => this.#store.revision());
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor({ store, clock, logger, seriesOf, tracing }: WatchCacheOptions) {
    this.#seriesOf = seriesOf;
    this.#store = cachedStore(store, tracing);
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#revision = await this.#store.revision();
    this.#completeSince = this.#revision;
    this.times.note(this.#revision, this.#clock.now());
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Why the store cannot be followed, undefined while it is. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** The caches have all changes up to this revision. */
  get revision(): number {
    return this.#revision;
  }

  /** Rejects lists of older revisions from now on, as the store does. */
  compact(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  isCompacted(revision: number): boolean {
    return revision < this.#compacted;
  }

  /** The cache of a resource; `prefix` is as in /registry/pods/. Read from the store on first use. */
  cache(prefix: string, decode: Decode, indexOf?: IndexOf): ResourceCache | Promise<ResourceCache> {
    const found = this.#caches.get(prefix);
    if (found) return found.early ? found.loaded : found.cache;
    const series = this.#seriesOf(prefix);
    const cache = new ResourceCache(prefix, this.#clock, series, { indexOf, retention: this.retention });
    const [early, loaded] = [[], Promise.resolve(cache)];
    const loading: Loading = { cache, decode, indexOf, series, early, loadedRevision: 0, loaded };
    this.#caches.set(prefix, loading);
    loading.loaded = this.#load(loading).catch((error) => {
      if (this.#caches.get(prefix) === loading) this.forget(prefix);
      throw error;
    });
    loading.loaded.catch(() => {}); // some callers only want a cache that is loaded already, and do not wait
    return loading.loaded;
  }

  /** For a resource that is no longer served. */
  forget(prefix: string): void {
    const found = this.#caches.get(prefix);
    this.#caches.delete(prefix);
    // While it was loading, it had not applied its changes yet.
    if (found) this.#noteUnseen(prefix, found.early ? this.#revision : found.cache.changedAt);
  }

  #noteUnseen(key: string, revision: number): void {
    const part = firstPart(key);
    if (part) this.#unseen.set(part, Math.max(revision, this.#unseen.get(part) ?? 0));
  }

  /** The cache of a resource that was read already. */
  loaded(prefix: string): ResourceCache | undefined {
    const found = this.#caches.get(prefix);
    return found?.early ? undefined : found?.cache;
  }

  get all(): readonly ResourceCache[] {
    return [...this.#caches.values()].map(({ cache }) => cache);
  }

  /** Resolves when the caches have `revision`; false on timeout. */
  async reach(revision: number, timeoutMs = 3_000): Promise<boolean> {
    if (revision <= this.#revision) return true;
    return new Promise((resolve) => {
      const waiter = {
        revision,
        done: () => {
          timer.cancel();
          resolve(true);
        },
      };
      const timer = this.#clock.after(
        timeoutMs,
        () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiter);
          resolve(false);
        },
        { background: true },
      );
      this.#waiting.push(waiter);
    });
  }

  /**
   * Resolves once all that was committed when it was called, by whomever, is in the caches. True: the caches changed
   * meanwhile. Throws the 504 that requests a retry when the store's watch does not deliver it in time.
   */
  async catchUp(): Promise<boolean> {
    const before = this.#revision;
    const revision = await this.#newest();
    if (revision > this.#revision && !(await this.reach(revision))) throw futureVersion(revision, this.#revision);
    return this.#revision > before;
  }

  /** Writes to the store; resolves when the write is durable and in the caches. */
  async commit(writes: readonly ObjectWrite[]): Promise<CommitResult> {
    const own: Write[] = [];
    for (const { key, serialized, object, expected, lease } of writes) {
      own.push({ key, value: serialized?.value, expected, ...(lease !== undefined && { lease }) });
      if (!object) continue;
      const list = this.#written.get(key);
      if (list) list.push({ object, serialized });
      else this.#written.set(key, [{ object, serialized }]);
    }
    try {
      const result = await this.#timed(writes[0], () => this.#store.commit(own));
      if (result.ok) await this.reach(result.revision);
      // The caller's next attempt starts from the state that this one was refused for.
      else await this.catchUp();
      return result;
    } finally {
      for (const { key, object } of writes) this.#forgetWritten(key, object);
    }
  }

  /** Several writes of one transaction count for the resource of the first. */
  async #timed(write: ObjectWrite | undefined, work: () => Promise<CommitResult>): Promise<CommitResult> {
    const series = write && this.#loadingOf(write.key)?.series;
    if (!series) return work();
    const startMs = this.#clock.monotonic();
    let hasFailed = true;
    try {
      const result = await work();
      hasFailed = false;
      return result;
    } finally {
      series.asked(operationOf(write), this.#clock.monotonic() - startMs, hasFailed);
    }
  }

  #forgetWritten(key: string, object: ApiObject | undefined): void {
    const list = this.#written.get(key);
    const at = list?.findIndex((written) => written.object === object) ?? -1;
    if (!list || at < 0) return;
    if (list.length === 1) this.#written.delete(key);
    else list.splice(at, 1);
  }

  async #load(loading: Loading): Promise<ResourceCache> {
    const { series } = loading;
    const startMs = this.#clock.monotonic();
    const { entries, revision } = await this.#store.range(prefixRange(loading.cache.prefix));
    series.asked('list', this.#clock.monotonic() - startMs, false);
    series.listedFromStore(entries.length);
    series.initializations.add();
    const items: Item[] = [];
    for (const entry of entries) {
      items.push(loadedItem(entry, loading.decode));
      // Many objects take seconds to parse: others get their turn in between.
      if (items.length % 2_000 === 0) await setImmediate();
    }
    // Every change up to the loaded state counts for how long that state has been the same.
    if (revision > this.#revision) await this.reach(revision);
    const early = loading.early ?? [];
    loading.cache.load(items, revision, this.#unchangedSince(loading.cache.prefix, early, revision));
    loading.early = undefined;
    loading.loadedRevision = revision;
    for (const change of early) this.#apply(loading, change);
    return loading.cache;
  }

  #unchangedSince(prefix: string, early: readonly Change[], loadedRevision: number): number {
    if (this.#revision < loadedRevision) return loadedRevision;
    const contained = early.map(revisionOf).filter((revision) => revision <= loadedRevision);
    const unseen = this.#unseen.get(firstPart(prefix)) ?? 0;
    return Math.min(loadedRevision, Math.max(this.#completeSince, unseen, ...contained.slice(-1)));
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    let mustStartOver = false;
    while (!signal.aborted) {
      try {
        if (mustStartOver) await this.#startOver();
        mustStartOver = false;
        for await (const batch of this.#store.watch(everything, this.#revision, signal)) {
          this.#fault = undefined;
          for (const change of batch.changes) this.#take(change);
          this.#arrived(batch.revision);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#fault = String(error);
        this.#logger.error('store watch ended, restarting', { error: String(error) });
        if (error instanceof Compacted) mustStartOver = true;
        else await this.#clock.sleep(500, signal).catch(() => {});
      }
    }
  }

  /** Changes in between are unknown: reloads everything, and makes watchers list again. */
  async #startOver(): Promise<void> {
    const revision = await this.#store.revision();
    this.#completeSince = revision;
    const old = [...this.#caches.values()];
    this.#caches.clear();
    // They load while the watch continues: a load that is ahead waits for it.
    for (const { cache, decode, indexOf } of old)
      Promise.resolve(this.cache(cache.prefix, decode, indexOf)).catch(() => {});
    for (const { cache } of old) cache.end();
    this.#arrived(revision);
  }

  #arrived(revision: number): void {
    if (revision <= this.#revision) return;
    this.times.note(revision, this.#clock.now());
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#tidiedAtMs > tidyMs) {
      this.#tidiedAtMs = nowMs;
      for (const { cache } of this.#caches.values()) {
        cache.forgetOld(nowMs);
        cache.settle();
      }
    }
    this.#revision = revision;
    if (!this.#waiting.length) return;
    const ready = this.#waiting.filter((waiter) => waiter.revision <= revision);
    if (!ready.length) return;
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of ready) waiter.done();
  }

  #take(change: Change): void {
    const key = change.type === 'put' ? change.entry.key : change.key;
    const loading = this.#loadingOf(key);
    if (!loading) {
      this.#noteUnseen(key, revisionOf(change));
      return;
    }
    loading.series.eventReceived();
    if (loading.early) loading.early.push(change);
    else
      try {
        this.#apply(loading, change);
      } catch (error) {
        this.#drop(loading, error);
      }
  }

  /** An object cannot be read: requests for its resource fail until that is mended, and no others. */
  #drop({ cache }: Loading, error: unknown): void {
    this.#logger.error('the changes of a resource cannot be read', { prefix: cache.prefix, error: String(error) });
    this.forget(cache.prefix);
    cache.end();
  }

  /** Keys are /registry/<plural>/... or /registry/<group>/<plural>/... */
  #loadingOf(key: string): Loading | undefined {
    const second = key.indexOf('/', '/registry/'.length);
    if (second < 0) return undefined;
    const found = this.#caches.get(key.slice(0, second + 1));
    if (found) return found;
    const third = key.indexOf('/', second + 1);
    return third < 0 ? undefined : this.#caches.get(key.slice(0, third + 1));
  }

  #apply({ cache, decode, loadedRevision }: Loading, change: Change): void {
    if (change.type === 'put') {
      if (revisionOf(change) <= loadedRevision) return;
      cache.put(this.#itemOf(change.entry, decode));
    } else {
      if (revisionOf(change) <= loadedRevision) return;
      const last = this.#written.get(change.key)?.find((written) => !written.serialized)?.object;
      const previous = cache.get(change.key)?.object;
      const object = last ?? (previous && withVersion(previous));
      if (object) cache.remove(new Item(change.key, change.revision, object));
    }
  }

  #itemOf(entry: Entry, decode: Decode): Item {
    for (const { object, serialized } of this.#written.get(entry.key) ?? []) {
      if (!serialized) continue;
      if (!sameValue(serialized.value, entry.value)) continue;
      shareFields(object);
      return new Item(entry.key, entry.modRevision, object, serialized);
    }
    return loadedItem(entry, decode);
  }
}

const operationOf = ({ serialized, expected }: ObjectWrite): StoreOperation =>
  serialized ? (expected === 0 ? 'create' : 'update') : 'delete';

const revisionOf = (change: Change): number => (change.type === 'put' ? change.entry.modRevision : change.revision);

/** A resource of the core group, or another group. */
const firstPart = (key: string): string => key.split('/', 3)[2] ?? '';

/** A copy whose resourceVersion may be set. */
export function withVersion(object: ApiObject, resourceVersion?: string): ApiObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: resourceVersion as string } };
}
