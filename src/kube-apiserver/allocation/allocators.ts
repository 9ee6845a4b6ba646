// Values that the server allocates when an object is written: cluster IPs and node ports of services.

import type { ApiError, ApiObject } from '../../api/api.ts';
import type { ObjectWrite } from '../watch-cache/watch-cache.ts';

export interface AllocationRequest {
  /** Filled in. */
  readonly next: ApiObject;
  /** Undefined for a create. */
  readonly live?: ApiObject;
  readonly dryRun: boolean;
}

/** The allocation of one write: reserved until `release`, and from then on held by the object, if it was written. */
export interface Allocation {
  /** Go to the store in the same transaction as the object. */
  readonly writes: readonly ObjectWrite[];
  release(): void;
  /** Another server took one of the values first: releases, and undoes the changes to the object. */
  retract(): Promise<void>;
  /** The refusal of a value that stays taken. */
  contested(): Promise<ApiError>;
}

export interface RangeUsage {
  readonly kind: 'address' | 'port';
  /** Of addresses. */
  readonly cidr?: string;
  readonly size: number;
  readonly used: number;
}

/** For kinds with Kind.allocates. */
export interface Allocators {
  /** Fills in the fields that follow from the request and from the cluster's ranges. Throws an ApiError (422). */
  complete(request: Pick<AllocationRequest, 'next' | 'live'>): void;
  /** Throws an ApiError: 422 when the requested values are not free, 500 when the range is full. */
  allocate(request: AllocationRequest): Promise<Allocation>;
  usage(): readonly RangeUsage[];
  /** Writes that go together with the removal of an object. */
  removal(object: ApiObject): Promise<readonly ObjectWrite[]>;
}
