// A store whose writes can be paused, while its content moves to another one. Reads and watches continue.

import { type Store, StoreUnusable } from './interface.ts';

export interface PausableStore extends Store {
  /**
   * From now on writes are rejected with StoreUnusable (`paused`) and this message. Resolves when the writes before have
   * ended, so that a read contains all that were acknowledged.
   */
  pause(message: string): Promise<void>;
  resume(): void;
}

export function pausableStore(store: Store): PausableStore {
  let pausedBy: string | undefined;
  const inFlight = new Set<Promise<unknown>>();
  async function write<T>(act: () => Promise<T>): Promise<T> {
    if (pausedBy !== undefined) throw new StoreUnusable('paused', pausedBy);
    const writing = act();
    inFlight.add(writing);
    try {
      return await writing;
    } finally {
      inFlight.delete(writing);
    }
  }
  return {
    revision: () => store.revision(),
    get: (key, at) => store.get(key, at),
    range: (keys, page) => store.range(keys, page),
    readAll: (keys, at) => store.readAll(keys, at),
    watch: (keys, after, signal) => store.watch(keys, after, signal),
    keepAlive: (lease) => store.keepAlive(lease),
    leaseSeconds: (lease) => store.leaseSeconds(lease),
    size: () => store.size(),
    health: () => store.health(),
    close: () => store.close(),
    commit: (writes) => write(() => store.commit(writes)),
    grantLease: (ttlSeconds) => write(() => store.grantLease(ttlSeconds)),
    revokeLease: (lease) => write(() => store.revokeLease(lease)),
    compact: (revision) => write(() => store.compact(revision)),
    async pause(message) {
      pausedBy = message;
      await Promise.allSettled(inFlight);
    },
    resume() {
      pausedBy = undefined;
    },
  };
}
