// What the server hands out itself when an object is written: cluster IPs and node ports of services.

import type { ApiObject, Kind } from '../../api/api.ts';

export interface AllocationRequest {
  readonly kind: Kind;
  /** Filled in. */
  readonly next: ApiObject;
  /** Undefined for a create. */
  readonly live?: ApiObject;
  readonly dryRun: boolean;
}

/** What was handed out for one write: given back by `release` unless `keep` was called before. */
export interface Allocation {
  keep(): void;
  release(): void;
}

export interface Allocators {
  allocate(request: AllocationRequest): Promise<Allocation | undefined>;
  /** The object is gone; what it held is free. */
  forget(kind: Kind, object: ApiObject): void;
}

export const noAllocators: Allocators = { allocate: async () => undefined, forget() {} };
