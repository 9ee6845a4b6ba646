// Leases of the local backends. As in etcd, they count from the last keep-alive, and a restart renews them.

import type { Clock, Timer } from '../machinery/time/clock.ts';
import { LeaseNotFound } from './interface.ts';

interface Lease {
  readonly ttlMs: number;
  timer: Timer;
}

export class Leases {
  readonly #leases = new Map<number, Lease>();
  readonly #clock: Clock;
  readonly #expire: (lease: number) => void;
  #next: number;

  /** `expire` removes the entries of a lease that ran out. */
  constructor(clock: Clock, expire: (lease: number) => void, next = 1) {
    this.#clock = clock;
    this.#expire = expire;
    this.#next = next;
  }

  grant(ttlSeconds: number): number {
    const id = this.#next++;
    this.restore(id, ttlSeconds);
    return id;
  }

  restore(id: number, ttlSeconds: number): void {
    const ttlMs = ttlSeconds * 1000;
    this.#leases.set(id, { ttlMs, timer: this.#arm(id, ttlMs) });
    this.#next = Math.max(this.#next, id + 1);
  }

  has(id: number): boolean {
    return this.#leases.has(id);
  }

  keepAlive(id: number): void {
    const lease = this.#get(id);
    lease.timer.cancel();
    lease.timer = this.#arm(id, lease.ttlMs);
  }

  /** Granted seconds; undefined if it has ended. */
  seconds(id: number): number | undefined {
    const lease = this.#leases.get(id);
    return lease && lease.ttlMs / 1000;
  }

  revoke(id: number): void {
    this.#get(id).timer.cancel();
    this.#leases.delete(id);
  }

  close(): void {
    for (const lease of this.#leases.values()) lease.timer.cancel();
    this.#leases.clear();
  }

  #get(id: number): Lease {
    const lease = this.#leases.get(id);
    if (!lease) throw new LeaseNotFound(`lease ${id} has expired or was revoked`);
    return lease;
  }

  #arm(id: number, ttlMs: number): Timer {
    return this.#clock.after(
      ttlMs,
      () => {
        this.#leases.delete(id);
        this.#expire(id);
      },
      { background: true },
    );
  }
}
