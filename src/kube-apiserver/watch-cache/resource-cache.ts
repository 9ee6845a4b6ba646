// The cache of one resource: its objects by key, a snapshot for each recent revision, and its watchers.

import type { ApiObject } from '../../api/api.ts';
import type { Clock } from '../../machinery/clock.ts';
import type { Item } from './item.ts';
import { OrderedTree } from './ordered-tree.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One change. For a deletion `item` is the object's last state, at the revision of the deletion. */
export interface CacheEvent {
  readonly type: EventType;
  readonly item: Item;
  readonly previous?: Item;
  readonly revision: number;
  readonly atMs: number;
  /** The resource after this change. */
  readonly tree: OrderedTree<Item>;
}

/** What a watcher asks to be told of: everything, one namespace, one object, or a value of an indexed field. */
export type Scope =
  | { readonly by: 'all' }
  | { readonly by: 'namespace'; readonly value: string }
  | { readonly by: 'key'; readonly value: string }
  | { readonly by: 'node'; readonly value: string };

export interface CacheWatcher {
  readonly scope: Scope;
  event(event: CacheEvent): void;
  /** The cache has seen everything up to `revision`. */
  progress?(revision: number): void;
  /** Nothing more will come; the client must list again. */
  end?(): void;
}

/**
 * How long, and how many at least and at most, events are kept for watches and lists of the past; and how many bytes of
 * objects that only the past still has.
 */
const history = { keptMs: 60_000, fewest: 512, most: 32_768, mostBytes: 32 << 20 };

const nodeNameOf = (object: ApiObject): string => object.spec?.nodeName ?? '';

export class ResourceCache {
  /** Such as /registry/pods/ */
  readonly prefix: string;
  readonly #clock: Clock;
  readonly #items = new Map<string, Item>();
  #tree = new OrderedTree<Item>();
  #events: CacheEvent[] = [];
  #firstEvent = 0;
  #pastBytes = 0;
  /** Watches and lists can start from here. */
  #oldest = 0;
  #oldestTree = new OrderedTree<Item>();
  readonly #watchers = new Map<string, Set<CacheWatcher>>();
  /** Revision of the last change of this resource. */
  #changedAt = 0;

  constructor(prefix: string, clock: Clock) {
    this.prefix = prefix;
    this.#clock = clock;
  }

  get(key: string): Item | undefined {
    return this.#items.get(key);
  }

  get size(): number {
    return this.#items.size;
  }

  get tree(): OrderedTree<Item> {
    return this.#tree;
  }

  get changedAt(): number {
    return this.#changedAt;
  }

  /** Revisions before this one can be neither listed nor watched. */
  get oldestRevision(): number {
    return this.#oldest;
  }

  /** Fills the empty cache with the state at `revision`. */
  load(items: Iterable<Item>, revision: number): void {
    for (const item of items) {
      this.#items.set(item.key, item);
      this.#tree = this.#tree.set(item.key, item);
    }
    this.#oldest = revision;
    this.#oldestTree = this.#tree;
    this.#changedAt = revision;
  }

  put(item: Item): void {
    const previous = this.#items.get(item.key);
    this.#items.set(item.key, item);
    this.#tree = this.#tree.set(item.key, item);
    this.#publish({ type: previous ? 'MODIFIED' : 'ADDED', item, previous, revision: item.revision });
  }

  /** `item` is the object's last state, at the revision of its deletion. */
  remove(item: Item): void {
    const previous = this.#items.get(item.key);
    if (!previous) return;
    this.#items.delete(item.key);
    this.#tree = this.#tree.remove(item.key);
    this.#publish({ type: 'DELETED', item, previous, revision: item.revision });
  }

  /** The resource as it was at `revision`; undefined when that is no longer kept. */
  treeAt(revision: number): OrderedTree<Item> | undefined {
    if (revision >= this.#changedAt) return this.#tree;
    if (revision < this.#oldest) return undefined;
    const at = this.#after(revision) - 1;
    return at < this.#firstEvent ? this.#oldestTree : this.#events[at].tree;
  }

  /** The events after `revision`; undefined when they are no longer kept. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    return revision < this.#oldest ? undefined : this.#events.slice(this.#after(revision));
  }

  watch(watcher: CacheWatcher): () => void {
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

  progress(revision: number): void {
    for (const set of this.#watchers.values()) for (const watcher of set) watcher.progress?.(revision);
  }

  /** Ends all watches: what happened meanwhile is not known. */
  end(): void {
    for (const set of this.#watchers.values()) for (const watcher of set) watcher.end?.();
    this.#watchers.clear();
  }

  /** Index of the first event after `revision`. */
  #after(revision: number): number {
    let low = this.#firstEvent;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle].revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #publish(change: Omit<CacheEvent, 'atMs' | 'tree'>): void {
    const event: CacheEvent = { ...change, atMs: this.#clock.monotonic(), tree: this.#tree };
    this.#changedAt = event.revision;
    this.#events.push(event);
    this.#pastBytes += pastBytesOf(event);
    this.forgetOld(event.atMs);
    if (!this.#watchers.size) return;
    this.#tell('all', event);
    const { key, object } = event.item;
    if (object.metadata.namespace) this.#tell(`namespace:${object.metadata.namespace}`, event);
    this.#tell(`key:${key}`, event);
    const node = nodeNameOf(object);
    this.#tell(`node:${node}`, event);
    const before = event.previous ? nodeNameOf(event.previous.object) : node;
    if (before !== node) this.#tell(`node:${before}`, event);
    event.item.forgetFrames();
  }

  #tell(bucket: string, event: CacheEvent): void {
    const set = this.#watchers.get(bucket);
    if (set) for (const watcher of set) watcher.event(event);
  }

  /** Lets go of what is too old or too much; also to be called now and then when nothing happens. */
  forgetOld(nowMs: number): void {
    const { keptMs, fewest, most, mostBytes } = history;
    const kept = () => this.#events.length - this.#firstEvent;
    const tooMuch = () => kept() > most || this.#pastBytes > mostBytes;
    while (kept() > fewest && (tooMuch() || this.#events[this.#firstEvent].atMs < nowMs - keptMs)) {
      const event = this.#events[this.#firstEvent++];
      this.#pastBytes -= pastBytesOf(event);
      this.#oldest = event.revision;
      this.#oldestTree = event.tree;
    }
    if (this.#firstEvent > 1024 && this.#firstEvent > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#firstEvent);
      this.#firstEvent = 0;
    }
  }
}

const pastBytesOf = ({ type, previous }: CacheEvent): number =>
  (previous?.byteLength(true) ?? 0) * (type === 'DELETED' ? 2 : 1);

function bucketOf(scope: Scope): string {
  return scope.by === 'all' ? 'all' : `${scope.by}:${scope.value}`;
}
