// Deletions, for the console: an object says when its deletion began, and neither who began it nor how.

import type { WrittenPlace } from './kept-writes.ts';

export interface Deletion extends WrittenPlace {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly uid: string;
  readonly user: string;
  /** `delete`, `deletecollection`, or `create` of the subresource `eviction`. */
  readonly verb: string;
  readonly subresource: string;
  /** False: the object stays until its grace period and its finalizers end. */
  readonly isGone: boolean;
}
