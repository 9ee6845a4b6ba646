// Events go after an hour: they are written with a lease of the store, which many of them share.

import type { Kind } from '../../api/api.ts';
import type { Server } from '../server.ts';

const keptSeconds = 3_600;
/** Events written within this time share one lease, so that a flood of events is not a flood of leases. */
const sharedSeconds = 60;

interface Shared {
  readonly lease: Promise<number>;
  readonly grantedMs: number;
}

const current = new WeakMap<object, Shared>();

export async function eventLease({ store, clock }: Server, kind: Kind): Promise<number | undefined> {
  if (kind.storagePrefix !== 'events') return undefined;
  const now = clock.monotonic();
  let shared = current.get(store);
  if (!shared || now - shared.grantedMs > sharedSeconds * 1_000) {
    shared = { lease: store.grantLease(keptSeconds + sharedSeconds), grantedMs: now };
    current.set(store, shared);
    shared.lease.catch(() => current.delete(store));
  }
  return shared.lease;
}
