// The one way in which the server follows a resource for itself: the present state, then every change, and the state
// again whenever changes may have been missed. Watches of clients end then instead, and the clients list again.

import type { Clock } from '../../machinery/time/clock.ts';
import type { CacheEvent, ResourceCache } from './resource-cache.ts';

export interface Follower {
  /** The current state, at the beginning and after a gap: replaces all earlier state. */
  reset(cache: ResourceCache): void;
  event(event: CacheEvent): void;
}

const retryMs = 1_000;

export class Following {
  readonly #cacheOf: () => ResourceCache | Promise<ResourceCache>;
  readonly #follower: Follower;
  readonly #clock: Clock;
  readonly #stopping: AbortSignal | undefined;
  #present: Promise<void> | undefined;

  constructor(
    cacheOf: () => ResourceCache | Promise<ResourceCache>,
    follower: Follower,
    { clock, stopping }: { readonly clock: Clock; readonly stopping?: AbortSignal },
  ) {
    this.#cacheOf = cacheOf;
    this.#follower = follower;
    this.#clock = clock;
    this.#stopping = stopping;
  }

  /** Resolves once the follower has the present state. When that cannot be read it rejects, and the next call tries again. */
  ready(): Promise<void> {
    if (this.#present) return this.#present;
    const beginning = this.#begin();
    this.#present = beginning;
    beginning.catch(() => {
      if (this.#present === beginning) this.#present = undefined;
    });
    return beginning;
  }

  async #begin(): Promise<void> {
    let cache = await this.#cacheOf();
    while (cache.hasEnded) cache = await this.#cacheOf();
    this.#follower.reset(cache);
    cache.watch({
      scope: { by: 'all' },
      event: (event) => this.#follower.event(event),
      end: () => {
        this.#present = undefined;
        this.#again();
      },
    });
  }

  #again(): void {
    if (this.#stopping?.aborted) return;
    this.ready().catch(() => this.#clock.after(retryMs, () => this.#again(), { background: true }));
  }
}
