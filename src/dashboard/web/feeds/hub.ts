// All feeds of a browser, shared by its pages: each list is watched once, while a page shows it.

import { after, every, now } from '../system.ts';
import { Feed } from './feed.ts';
import { type FeedTarget, type FromWorker, feedKey, type ToWorker } from './protocol.ts';

/** A page, as the hub sees it. */
export interface PagePort {
  postMessage(message: FromWorker): void;
}

interface Shared {
  readonly target: FeedTarget;
  readonly feed: Feed;
  readonly subscribers: Map<PagePort, Set<string>>;
}

/** Timers of hidden pages are slow: a page that is silent for longer was closed. */
const silentMs = 5 * 60_000;
const checkMs = 60_000;
/** A list stays for a moment: the user may come back to it. */
const lingerMs = 10_000;

export class Hub {
  readonly #root: string;
  readonly #feeds = new Map<string, Shared>();
  readonly #lastSeen = new Map<PagePort, number>();
  #key = '';

  constructor(root: string) {
    this.#root = root;
    every(checkMs, () => this.#dropSilent());
  }

  receive(port: PagePort, message: ToWorker): void {
    // After the sleep of the machine all pages were silent for long: each one reconnects with its next message.
    if (message.type === 'alive' && !this.#lastSeen.has(port)) port.postMessage({ type: 'forgotten' });
    this.#lastSeen.set(port, now());
    if (message.type === 'hello') this.#setKey(message.key);
    else if (message.type === 'open') this.#open(port, message.feed, message.target);
    else if (message.type === 'close') this.#close(port, message.feed);
    else if (message.type === 'bye') this.#drop(port);
  }

  /** Feeds of another session end: the user may be another one. */
  #setKey(key: string): void {
    if (key === this.#key) return;
    this.#key = key;
    for (const { feed } of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  #open(port: PagePort, id: string, target: FeedTarget): void {
    const shared = this.#shared(target);
    const ids = shared.subscribers.get(port) ?? new Set();
    shared.subscribers.set(port, ids.add(id));
    port.postMessage({ type: 'update', feed: id, ...shared.feed.snapshot() });
  }

  #shared(target: FeedTarget): Shared {
    const name = feedKey(target);
    const existing = this.#feeds.get(name);
    if (existing) return existing;
    const subscribers: Shared['subscribers'] = new Map();
    const feed = new Feed(target, {
      root: this.#root,
      key: () => this.#key,
      send(update) {
        for (const [port, ids] of subscribers)
          for (const id of ids) port.postMessage({ type: 'update', feed: id, ...update });
      },
      expired: () => this.#expire(),
    });
    const shared = { target, feed, subscribers };
    this.#feeds.set(name, shared);
    return shared;
  }

  #close(port: PagePort, id: string): void {
    for (const shared of this.#feeds.values()) {
      const ids = shared.subscribers.get(port);
      if (!ids?.delete(id)) continue;
      if (ids.size === 0) shared.subscribers.delete(port);
    }
    // A walk through the past leaves nothing behind.
    this.#stopUnused(({ target }) => target.at !== undefined);
    after(lingerMs, () => this.#stopUnused());
  }

  #drop(port: PagePort): void {
    this.#lastSeen.delete(port);
    for (const { subscribers } of this.#feeds.values()) subscribers.delete(port);
    after(lingerMs, () => this.#stopUnused());
  }

  #stopUnused(isUnused = (_: Shared) => true): void {
    for (const [name, shared] of this.#feeds) {
      const { feed, subscribers } = shared;
      if (subscribers.size === 0 && isUnused(shared)) {
        feed.stop();
        this.#feeds.delete(name);
      }
    }
  }

  #dropSilent(): void {
    for (const [port, seen] of this.#lastSeen) if (now() - seen > silentMs) this.#drop(port);
  }

  #expire(): void {
    this.#key = '';
    this.#feeds.clear();
    for (const port of this.#lastSeen.keys()) port.postMessage({ type: 'expired' });
  }
}
