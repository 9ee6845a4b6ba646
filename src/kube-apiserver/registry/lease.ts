// Objects of expiring kinds (events) are written with a lease of the store, which many objects share.

import type { Kind } from '../../api/api.ts';
import type { Environment } from '../environment.ts';
import { storageMetrics } from '../metrics/storage-metrics.ts';

/** Objects written within this time share one lease, which bounds the number of leases. */
const sharedSeconds = 60;

interface Shared {
  readonly lease: Promise<number>;
  readonly grantedMs: number;
  objects: number;
}

/** The current lease of each lifetime in seconds, by store. */
const current = new WeakMap<object, Map<number, Shared>>();

/** Undefined for kinds without expiry. */
export function leaseOf({ store, clock, metrics }: Environment, { keptSeconds }: Kind): Promise<number> | undefined {
  if (keptSeconds === undefined) return undefined;
  let leases = current.get(store);
  if (!leases) current.set(store, (leases = new Map()));
  const now = clock.monotonic();
  const shared = leases.get(keptSeconds);
  if (shared && now - shared.grantedMs <= sharedSeconds * 1_000) {
    shared.objects++;
    return shared.lease;
  }
  if (shared) storageMetrics(metrics).leaseObjects.observe(shared.objects);
  const lease = store.grantLease(keptSeconds + sharedSeconds);
  leases.set(keptSeconds, { lease, grantedMs: now, objects: 1 });
  lease.catch(() => leases.delete(keptSeconds));
  return lease;
}
