// The newest state of each claim, also when it was just written and is not in the cache yet, and the devices that all of
// them hold together.

import { type Informer, keyOf } from '../../client/client.ts';
import { AllocatedDevices } from './allocated-devices.ts';
import type { AllocationResult, ResourceClaim } from './claim-types.ts';

export class ClaimTracker {
  readonly #informer: Informer<ResourceClaim>;
  readonly allocated = new AllocatedDevices();
  /** The allocation of each claim that counts in `allocated`. */
  readonly #counted = new Map<string, AllocationResult>();
  readonly #assumed = new Map<string, ResourceClaim>();
  readonly #held = new Set<string>();

  constructor(informer: Informer<ResourceClaim>) {
    this.#informer = informer;
    informer.handle((next, old) => {
      for (const claim of [old, next]) if (claim) this.#recount(claim.metadata.uid, this.get(keyOf(claim)));
    });
  }

  get(key: string): ResourceClaim | undefined {
    return this.#assumed.get(key) ?? this.#informer.get(key);
  }

  assumed(): Iterable<ResourceClaim> {
    return this.#assumed.values();
  }

  isPending(uid: string): boolean {
    return this.#held.has(uid);
  }

  hold(uid: string, allocation: AllocationResult): () => void {
    this.#held.add(uid);
    this.allocated.add(allocation);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#held.delete(uid);
      this.allocated.remove(allocation);
    };
  }

  assume(claim: ResourceClaim): void {
    const key = keyOf(claim);
    const { uid, resourceVersion = '' } = claim.metadata;
    this.#assumed.set(key, claim);
    this.#recount(uid, claim);
    void this.#informer.seen(resourceVersion).then(() => {
      if (this.#assumed.get(key) !== claim) return;
      this.#assumed.delete(key);
      this.#recount(uid, this.#informer.get(key));
    });
  }

  #recount(uid: string, claim: ResourceClaim | undefined): void {
    const next = claim?.metadata.uid === uid ? claim.status?.allocation : undefined;
    const previous = this.#counted.get(uid);
    if (next === previous) return;
    if (previous) this.allocated.remove(previous);
    if (next) this.allocated.add(next);
    if (next) this.#counted.set(uid, next);
    else this.#counted.delete(uid);
  }
}
