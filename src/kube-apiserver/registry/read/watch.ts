// Watches: the events since a version, then all later ones, as frames that all watchers share.

import { type ApiObject, internalError, type Kind } from '../../../api/api.ts';
import type { OrderedView } from '../../../machinery/collections/ordered-tree.ts';
import { must } from '../../../machinery/must.ts';
import { asserted } from '../../../machinery/parsed.ts';
import type { Timer } from '../../../machinery/time/clock.ts';
import { ownTurn } from '../../../machinery/time/turn.ts';
import { watchMetrics } from '../../metrics/watch-metrics.ts';
import type { WatchReply, WatchSink } from '../../request/reply.ts';
import type { Server } from '../../server.ts';
import { failure, futureVersion } from '../../status.ts';
import { Item } from '../../watch-cache/item.ts';
import type { CacheEvent } from '../../watch-cache/resource-cache.ts';
import { withVersion } from '../../watch-cache/watch-cache.ts';
import type { Place } from '../operation.ts';
import { listPrefix } from '../target.ts';
import { type ConvertingSink, convertingSink } from './converting-sink.ts';
import { caughtUp, reachVersion } from './get.ts';
import { type ListOptions, parseVersion } from './list-options.ts';
import { type Selection, selectionOf } from './selection.ts';
import { checkSelectorRoom, takeSelectorRoom } from './watched-selectors.ts';

/** Bookmarks come this often, and once this long before the end: then the client resumes from a recent version. */
const bookmarkMs = 60_000;
const lastBookmarkMs = 2_000;

/** Objects that a watch sends at its beginning in a millisecond or so; a larger state is sent in pieces. */
const largeState = 500;
/** Events that wait for the end of a large state; a watch with more has a client that is too slow. */
const mostWaiting = 32_768;

export async function watch(target: Place, options: ListOptions): Promise<WatchReply> {
  const startMs = target.server.clock.monotonic();
  checkSelectorRoom(target.server, options);
  const selection = await selectionOf(target, options);
  const { resourceVersion } = options;
  const from = resourceVersion ? parseVersion(resourceVersion, 'other') : 0;
  if (!resourceVersion) await caughtUp(target);
  if (options.sendInitialEvents) await reachVersion(target, from);
  else if (from > target.server.cache.revision) await target.server.cache.reach(from);
  // Many watches may begin at one time, each with all that there is.
  if (target.cache.size > largeState) await ownTurn();
  return {
    type: 'watch',
    code: 200,
    kind: target.kind,
    subscription: {
      open: (sink) => {
        const asked = { target, options, selection, from, startMs };
        return new Watcher(asked, sink).open();
      },
    },
  };
}

interface Asked {
  readonly target: Place;
  readonly options: ListOptions;
  readonly selection: Selection;
  readonly from: number;
  /** When the request began, on the monotonic clock. */
  readonly startMs: number;
}

class Watcher {
  readonly #target: Place;
  readonly #options: ListOptions;
  readonly #selection: Selection;
  readonly #from: number;
  readonly #startMs: number;
  /** For the events that are selected. */
  readonly #selected: WatchSink;
  /** Undefined where no webhook converts the objects. */
  readonly #converting: ConvertingSink | undefined;
  /** For all others, in their order with the events. */
  readonly #sink: WatchSink;
  #timers: Timer[] = [];
  #unwatch: (() => void) | undefined;
  #giveRoomBack: (() => void) | undefined;
  #closed = false;
  /** Events during a large state; undefined once it is sent. */
  #waiting: CacheEvent[] | undefined;
  readonly #stop = () => this.#end();

  constructor({ target, options, selection, from, startMs }: Asked, sink: WatchSink) {
    this.#target = target;
    this.#options = options;
    this.#selection = selection;
    this.#from = from;
    this.#startMs = startMs;
    this.#selected = sink;
    this.#converting = convertingSink(target.kind, sink);
    this.#sink = this.#converting ?? sink;
  }

  open(): () => void {
    const { server, cache } = this.#target;
    this.#giveRoomBack = takeSelectorRoom(server, this.#options);
    if (server.stopping.aborted) this.#end();
    else if (this.#sendBacklog()) {
      server.stopping.addEventListener('abort', this.#stop);
      this.#unwatch = cache.watch({
        scope: this.#selection.scope,
        keepsObjects: this.#sink.keepsObjects,
        event: (event) => this.#receive(event),
        end: this.#stop,
      });
      this.#startTimers(server);
    }
    return () => this.#close();
  }

  /** Sends the events before the live ones. False when the watch ended with that. */
  #sendBacklog(): boolean {
    const { cache, server } = this.#target;
    if (this.#options.sendInitialEvents) {
      this.#sendState();
      return true;
    }
    if (this.#from === 0) return true;
    if (this.#from > server.cache.revision) {
      this.#sink.error(futureVersion(this.#from, server.cache.revision).status);
      this.#end();
      return false;
    }
    const events = cache.eventsAfter(this.#from);
    if (!events) {
      this.#sink.error(
        failure(410, 'Expired', `too old resource version: ${this.#from} (${cache.oldestRevision})`).status,
      );
      this.#end();
      return false;
    }
    for (const event of events) if (this.#concerns(event)) this.#send(event);
    return true;
  }

  #sendState(): void {
    const { cache, server } = this.#target;
    const prefix = listPrefix(this.#target);
    const { key } = this.#selection;
    const { revision } = server.cache;
    const [start, end] = key ? [key, `${key}\0`] : [prefix, `${prefix.slice(0, -1)}0`];
    if (key || cache.size <= largeState) {
      cache.tree.forEach(start, end, (item) => this.#sendItem(item));
      this.#endState(revision);
      return;
    }
    this.#waiting = [];
    this.#sendPieces(cache.snapshot(), start, end)
      .then(() => this.#endPieces(revision))
      .catch((error: unknown) => {
        this.#sink.error(internalError(String(error)).status);
        this.#end();
      });
  }

  #sendItem(item: Item): void {
    this.#whenReadable([item], () => {
      if (this.#selection.matches(item)) this.#selected.send('ADDED', item);
    });
  }

  /** Field selectors concern the version of the watch. */
  #whenReadable(items: readonly Item[], act: () => void): void {
    if (this.#converting) this.#converting.whenConverted(items, act);
    else act();
  }

  /** Between the pieces others have their turn, and the client reads. */
  async #sendPieces(state: OrderedView<Item>, start: string, end: string): Promise<void> {
    for (let from: string | undefined = start; from !== undefined && !this.#closed; ) {
      let count = 0;
      let next: string | undefined;
      state.forEach(from, end, (item) => {
        if (++count > largeState) next = item.key;
        else this.#sendItem(item);
        return next === undefined;
      });
      from = next;
      await this.#sink.ready?.();
      await ownTurn();
    }
  }

  #endPieces(revision: number): void {
    if (this.#closed) return;
    this.#endState(revision);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const event of waiting) this.#send(event);
  }

  #endState(revision: number): void {
    if (!this.#options.sendInitialEvents || !this.#options.bookmarks) return;
    this.#tell(revision, { 'k8s.io/initial-events-end': 'true' });
    const { server, kind, namespace } = this.#target;
    const { group, version, resource } = kind;
    const scope = this.#selection.key ? 'resource' : namespace ? 'namespace' : 'cluster';
    const seconds = (server.clock.monotonic() - this.#startMs) / 1_000;
    watchMetrics(server.metrics).lists.observe(seconds, { group, version, resource, scope });
  }

  #receive(event: CacheEvent): void {
    if (!this.#waiting) this.#send(event);
    else if (this.#waiting.push(event) > mostWaiting) this.#end();
  }

  /** The cache filters live events; this filters past ones. */
  #concerns({ item }: CacheEvent): boolean {
    const { scope } = this.#selection;
    if (scope.by === 'namespace') return item.object.metadata.namespace === scope.value;
    return scope.by === 'key' ? item.key === scope.value : true;
  }

  #send(event: CacheEvent): void {
    const { type, item, previous, revision } = event;
    if (this.#selection.everything) {
      this.#sink.send(type, item);
      return;
    }
    if (!this.#converting) {
      this.#select(event, previous, () => leaving(must(previous, 'the item that matched'), revision));
      return;
    }
    const left = previous && leaving(previous, revision);
    const items = left ? [item, left] : [item];
    this.#converting.whenConverted(items, () => this.#select(event, left, () => must(left, 'the item that matched')));
  }

  /** An object that enters the selection is ADDED, one that leaves it DELETED, regardless of its own change. */
  #select({ type, item }: CacheEvent, previous: Item | undefined, left: () => Item): void {
    const before = previous !== undefined && this.#selection.matches(previous);
    if (type === 'DELETED') {
      if (before) this.#selected.send('DELETED', item);
      return;
    }
    const now = this.#selection.matches(item);
    if (now) this.#selected.send(before ? 'MODIFIED' : 'ADDED', item);
    else if (before) this.#selected.send('DELETED', left());
  }

  #startTimers(server: Server): void {
    const { timeoutSeconds, bookmarks } = this.#options;
    const least = server.config.minWatchSeconds * 1_000;
    const timeoutMs = timeoutSeconds ? timeoutSeconds * 1_000 : least + server.random.next() * least;
    this.#timers.push(server.clock.after(timeoutMs, this.#stop, { background: true }));
    if (bookmarks) this.#bookmarkLater(server, server.clock.monotonic() + timeoutMs - lastBookmarkMs);
  }

  #bookmarkLater(server: Server, lastMs: number): void {
    const waitMs = Math.min(bookmarkMs, lastMs - server.clock.monotonic());
    if (waitMs <= 0) return;
    const timer = server.clock.after(
      waitMs,
      () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        this.#bookmark(server.cache.revision);
        this.#bookmarkLater(server, lastMs);
      },
      { background: true },
    );
    this.#timers.push(timer);
  }

  /** None while the client lacks objects of an older revision. */
  #bookmark(revision: number): void {
    if (!this.#waiting) this.#tell(revision);
  }

  #tell(revision: number, annotations?: Record<string, string>): void {
    this.#sink.bookmark(bookmarkOf(this.#target.kind, revision, annotations));
  }

  #end(): void {
    if (this.#closed) return;
    this.#close();
    this.#sink.end();
  }

  #close(): void {
    this.#closed = true;
    this.#giveRoomBack?.();
    this.#unwatch?.();
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#target.server.stopping.removeEventListener('abort', this.#stop);
  }
}

/** The last state of an object that a watch selected, at the revision at which it left the selection. */
const leaving = (previous: Item, revision: number): Item =>
  new Item(previous.key, revision, withVersion(previous.object));

function bookmarkOf(kind: Kind, revision: number, annotations?: Record<string, string>): ApiObject {
  const bookmark = {
    kind: kind.kind,
    apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version,
    metadata: { resourceVersion: String(revision), creationTimestamp: null, ...(annotations && { annotations }) },
  };
  return asserted<ApiObject>(bookmark, 'a bookmark has neither name nor uid');
}
