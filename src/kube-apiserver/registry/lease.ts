// Objects of expiring kinds (events) are written with a lease of the store, which many objects share.

import type { Kind } from '../../api/api.ts';
import type { Environment } from '../environment.ts';

/** Objects written within this time share one lease, which bounds the number of leases. */
const sharedSeconds = 60;

interface Shared {
  readonly lease: Promise<number>;
  readonly grantedMs: number;
}

/** The current lease of each lifetime in seconds, by store. */
const current = new WeakMap<object, Map<number, Shared>>();

/** Undefined for kinds without expiry. */
export function leaseOf({ store, clock }: Environment, { keptSeconds }: Kind): Promise<number> | undefined {
  if (keptSeconds === undefined) return undefined;
  let leases = current.get(store);
  if (!leases) current.set(store, (leases = new Map()));
  const now = clock.monotonic();
  const shared = leases.get(keptSeconds);
  if (shared && now - shared.grantedMs <= sharedSeconds * 1_000) return shared.lease;
  const lease = store.grantLease(keptSeconds + sharedSeconds);
  leases.set(keptSeconds, { lease, grantedMs: now });
  lease.catch(() => leases.delete(keptSeconds));
  return lease;
}
