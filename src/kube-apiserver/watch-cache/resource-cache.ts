// The cache of one resource: its objects by key, a snapshot for each recent revision, and its watchers.

import type { ApiObject } from '../../api/api.ts';
import { OrderedTree, type OrderedView } from '../../machinery/collections/ordered-tree.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { StorageSeries } from '../metrics/storage-metrics.ts';
import type { Item } from './item.ts';
import { Retention } from './retention.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One change. For a deletion `item` is the object's last state, at the revision of the deletion. */
export interface CacheEvent {
  readonly type: EventType;
  readonly item: Item;
  readonly previous?: Item;
  readonly revision: number;
}

/** A segment of history: the state before it, and its events. */
interface Segment {
  readonly before: OrderedTree<Item>;
  /** Revision of `before`: the oldest for lists and watches. */
  readonly from: number;
  readonly events: CacheEvent[];
  lastMs: number;
  pastBytes: number;
}

/** The scope of a watch: everything, one namespace, one object, or a value of an indexed field. */
export type Scope =
  | { readonly by: 'all' }
  | { readonly by: 'namespace'; readonly value: string }
  | { readonly by: 'key'; readonly value: string }
  | { readonly by: 'field'; readonly value: string };

/** Value of the field that indexes a resource's watches. */
export type IndexOf = (object: ApiObject) => string;

interface CacheWatcher {
  readonly scope: Scope;
  /** A reader in this process, which holds the objects while they are current. */
  readonly keepsObjects?: boolean;
  event(event: CacheEvent): void;
  /** The end of the stream; the client must list again. */
  end?(): void;
}

/**
 * Limits of history for watches and past lists beside its duration (retention.ts): minimum and maximum events, and
 * bytes of objects that only history holds, for the minimum and the maximum.
 */
const history = { fewest: 512, most: 32_768, fewestBytes: 32 << 20, mostBytes: 16 << 20 };
/** Above this size, either JSON or objects are cached, not both. */
const keptBytes = 64 << 20;
/** Events of a segment. A snapshot costs a path of nodes, so there is one for many events; in between they are replayed. */
const segmentLength = 256;
/** A segment is dropped as a whole: one of large objects has fewer events. */
const segmentBytes = 4 << 20;

export class ResourceCache {
  /** Such as /registry/pods/ */
  readonly prefix: string;
  readonly series: StorageSeries;
  readonly #clock: Clock;
  readonly #items = new Map<string, Item>();
  readonly #tree = new OrderedTree<Item>();
  /** Never empty; the oldest first. */
  #segments: Segment[] = [];
  #eventCount = 0;
  #pastBytes = 0;
  readonly #watchers = new Map<string, Set<CacheWatcher>>();
  /** Revision of the last change of this resource. */
  #changedAt = 0;
  #hasEnded = false;

  readonly #indexOf: IndexOf | undefined;
  readonly #retention: Retention;

  constructor(
    prefix: string,
    clock: Clock,
    series: StorageSeries,
    { indexOf, retention = new Retention() }: { indexOf?: IndexOf | undefined; retention?: Retention } = {},
  ) {
    this.series = series;
    this.prefix = prefix;
    this.#clock = clock;
    this.#indexOf = indexOf;
    this.#retention = retention;
    this.#begin(0);
  }

  get(key: string): Item | undefined {
    return this.#items.get(key);
  }

  get size(): number {
    return this.#items.size;
  }

  /** Events of its history at most. */
  get capacity(): number {
    return history.most;
  }

  /** The current state, for synchronous use: it changes later. */
  get tree(): OrderedView<Item> {
    return this.#tree;
  }

  /** The current state, for later use. */
  snapshot(): OrderedView<Item> {
    return this.#tree.snapshot();
  }

  get changedAt(): number {
    return this.#changedAt;
  }

  /** Revisions before this one can be neither listed nor watched. */
  get oldestRevision(): number {
    return this.#segments[0].from;
  }

  /** Fills the empty cache with the state at `revision`, which was the same since `unchangedSince`. */
  load(items: Iterable<Item>, revision: number, unchangedSince = revision): void {
    for (const item of items) {
      this.#items.set(item.key, item);
      this.#tree.set(item.key, item);
    }
    this.#segments = [];
    this.#begin(unchangedSince);
    this.#changedAt = unchangedSince;
  }

  put(item: Item): void {
    const previous = this.#items.get(item.key);
    this.#items.set(item.key, item);
    this.#publish({ type: previous ? 'MODIFIED' : 'ADDED', item, previous, revision: item.revision });
  }

  /** `item` is the object's last state, at the revision of its deletion. */
  remove(item: Item): void {
    const previous = this.#items.get(item.key);
    if (!previous) return;
    this.#items.delete(item.key);
    this.#publish({ type: 'DELETED', item, previous, revision: item.revision });
  }

  /** The resource's state at `revision`; undefined after its eviction. */
  treeAt(revision: number): OrderedView<Item> | undefined {
    if (revision >= this.#changedAt) return this.snapshot();
    const segment = this.#segments.findLast(({ from }) => from <= revision);
    if (!segment) return undefined;
    const tree = segment.before.snapshot();
    for (const event of segment.events) {
      if (event.revision > revision) break;
      replay(event, tree);
    }
    return tree;
  }

  /** The events after `revision`; undefined after their eviction. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    if (revision < this.oldestRevision) return undefined;
    const first = this.#segments.findLastIndex(({ from }) => from <= revision);
    const events = this.#segments.slice(first).flatMap((segment) => segment.events);
    return events.slice(firstAfter(events, revision));
  }

  /** Whether it ended: no more events, and its state may be stale. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  watch(watcher: CacheWatcher): () => void {
    if (this.#hasEnded) {
      queueMicrotask(() => watcher.end?.());
      return () => {};
    }
    const bucket = bucketOf(watcher.scope);
    let set = this.#watchers.get(bucket);
    if (!set) this.#watchers.set(bucket, (set = new Set()));
    set.add(watcher);
    return () => {
      set.delete(watcher);
      if (!set.size && this.#watchers.get(bucket) === set) this.#watchers.delete(bucket);
    };
  }

  get watcherCount(): number {
    let count = 0;
    for (const set of this.#watchers.values()) count += set.size;
    return count;
  }

  /** Ends all watches: changes in between are unknown. */
  end(): void {
    this.#hasEnded = true;
    for (const set of this.#watchers.values()) for (const watcher of set) watcher.end?.();
    this.#watchers.clear();
  }

  /** The next event opens a new segment. */
  #begin(from: number): Segment {
    const segment = { before: this.#tree.snapshot(), from, events: [], lastMs: 0, pastBytes: 0 };
    this.#segments.push(segment);
    return segment;
  }

  #publish(event: CacheEvent): void {
    let segment = this.#segments[this.#segments.length - 1];
    if (segment.events.length >= segmentLength || segment.pastBytes >= segmentBytes)
      segment = this.#begin(this.#changedAt);
    replay(event, this.#tree);
    this.#changedAt = event.revision;
    segment.events.push(event);
    segment.lastMs = this.#clock.monotonic();
    const bytes = pastBytesOf(event);
    segment.pastBytes += bytes;
    this.#pastBytes += bytes;
    this.#eventCount++;
    this.forgetOld(segment.lastMs);
    this.#tellAll(event);
    event.previous?.forgetObject();
  }

  #tellAll(event: CacheEvent): void {
    if (!this.#watchers.size) return;
    this.series.dispatched.add();
    this.#tell('all', event);
    const { key, object } = event.item;
    if (object.metadata.namespace) this.#tell(`namespace:${object.metadata.namespace}`, event);
    this.#tell(`key:${key}`, event);
    if (this.#indexOf) this.#tellIndexed(this.#indexOf, event);
    event.item.forgetFrames();
  }

  #tellIndexed(indexOf: IndexOf, event: CacheEvent): void {
    const now = indexOf(event.item.object);
    this.#tell(`field:${now}`, event);
    const before = event.previous ? indexOf(event.previous.object) : now;
    if (before !== now) this.#tell(`field:${before}`, event);
  }

  #tell(bucket: string, event: CacheEvent): void {
    const set = this.#watchers.get(bucket);
    if (set) for (const watcher of set) watcher.event(event);
  }

  /** Called at intervals: keeps one form of the resource's objects if both would be too large. */
  settle(): void {
    let bytes = 0;
    for (const item of this.#items.values()) bytes += item.keptBytes;
    if (bytes <= keptBytes) return;
    let isShared = false;
    for (const set of this.#watchers.values()) for (const watcher of set) isShared ||= watcher.keepsObjects ?? false;
    // Oldest first: they are read least.
    for (const item of this.#items.values()) {
      if (bytes <= keptBytes) return;
      bytes -= item.keptBytes;
      if (isShared) item.forgetBytes();
      else item.forgetObject();
    }
  }

  /** Evicts old and excess history; also called at intervals without events. */
  forgetOld(nowMs: number): void {
    const { fewest, most, fewestBytes, mostBytes } = history;
    const oldestMs = this.#retention.oldestMs(nowMs);
    while (this.#segments.length > 1) {
      const { events, lastMs, pastBytes } = this.#segments[0];
      const left = this.#eventCount - events.length;
      const tooMuch = this.#eventCount > most || this.#pastBytes > mostBytes;
      const mayGo = left >= fewest ? tooMuch || lastMs < oldestMs : this.#pastBytes > fewestBytes;
      if (!mayGo) return;
      this.#segments.shift();
      this.#eventCount = left;
      this.#pastBytes -= pastBytes;
    }
  }
}

function replay({ type, item }: CacheEvent, tree: OrderedTree<Item>): void {
  if (type === 'DELETED') tree.remove(item.key);
  else tree.set(item.key, item);
}

/** Index of the first event after `revision`. */
function firstAfter(events: readonly CacheEvent[], revision: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (events[middle].revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

const pastBytesOf = ({ type, previous }: CacheEvent): number =>
  (previous?.byteLength(true) ?? 0) * (type === 'DELETED' ? 2 : 1);

function bucketOf(scope: Scope): string {
  return scope.by === 'all' ? 'all' : `${scope.by}:${scope.value}`;
}
