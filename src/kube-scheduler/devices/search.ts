// The search for devices on one node: depth first, over all claims, requests and devices, until the first solution.
// https://kep.k8s.io/4381 The order of devices within one request does not matter, so each set is tried once.

import { toleratesDeviceTaint } from '../../api/api.ts';
import type { AllocatedDevices } from './allocated-devices.ts';
import { consumption, hasCapacity } from './capacity.ts';
import { type Device, deviceId, type ResourceSlice } from './claim-types.ts';
import type { Constraint } from './constraints.ts';
import type { TakenCounters } from './counters.ts';
import type { Pool } from './pools.ts';
import { AllocationError, type Alternative, mostDevices, type ParsedClaim } from './requests.ts';
import { amountsOf, TakenDevices } from './taken-devices.ts';

export interface Candidate {
  readonly id: string;
  readonly device: Device;
  readonly slice: ResourceSlice;
  readonly pool: Pool;
}

/** A device for a request. */
export interface Chosen extends Candidate {
  readonly request: Alternative;
  readonly shareId?: string;
  readonly consumed?: Readonly<Record<string, string>>;
}

interface SearchInput {
  readonly claims: readonly ParsedClaim[];
  readonly pools: readonly Pool[];
  readonly constraints: readonly (readonly Constraint[])[];
  readonly allocated: AllocatedDevices;
  readonly counters: TakenCounters;
  /** The devices of a request for all; computed before, because it may fail. */
  readonly all: ReadonlyMap<Alternative, readonly Candidate[]>;
  /** Whether the device matches the selectors and the node. */
  isSelectable(request: Alternative, claim: ParsedClaim, candidate: Candidate): boolean;
  /** Counts a step. Throws when there were too many. */
  spend(steps: number): void;
  newShareId(): string;
}

/** `too many devices`: no device for the requests before helps, only another alternative. */
type Outcome = 'found' | 'none' | 'too many devices';

interface Place {
  readonly claim: number;
  readonly request: number;
}

/** Where to continue in the pools. */
interface Start {
  readonly pool: number;
  readonly slice: number;
  readonly device: number;
}
const first: Start = { pool: 0, slice: 0, device: 0 };

const stepsOfTaking = 4;

export class Search {
  readonly #input: SearchInput;
  readonly #taken = new TakenDevices();
  readonly #chosen: Chosen[][];

  constructor(input: SearchInput) {
    this.#input = input;
    this.#chosen = input.claims.map(() => []);
  }

  /** By claim; undefined if there are too few devices. Throws AllocationError. */
  run(): readonly (readonly Chosen[])[] | undefined {
    return this.#fillRequest({ claim: 0, request: 0 }) === 'found' ? this.#chosen : undefined;
  }

  #fillRequest(at: Place): Outcome {
    const claim = this.#input.claims[at.claim];
    if (!claim) return 'found';
    const alternatives = claim.requests[at.request];
    if (!alternatives) {
      const outcome = this.#fillRequest({ claim: at.claim + 1, request: 0 });
      // Other devices for this claim may leave room for smaller alternatives in the next one.
      return outcome === 'too many devices' ? 'none' : outcome;
    }
    if (alternatives.length === 1) return this.#fill(at, alternatives[0], 0, first);
    let tooMany = true;
    for (const alternative of alternatives) {
      const outcome = this.#fill(at, alternative, 0, first);
      if (outcome === 'found') return outcome;
      if (outcome === 'none') tooMany = false;
    }
    return tooMany ? 'too many devices' : 'none';
  }

  /** Chooses the devices of one alternative from the index on. */
  #fill(at: Place, request: Alternative, index: number, start: Start): Outcome {
    const all = request.count === undefined ? (this.#input.all.get(request) ?? []) : undefined;
    const count = all?.length ?? request.count ?? 0;
    // A request for all needs at least one.
    if (all?.length === 0) return 'none';
    if (index >= count) return this.#fillRequest({ claim: at.claim, request: at.request + 1 });
    if (this.#chosen[at.claim].length + count - index > mostDevices) return 'too many devices';
    if (all) return this.#tryDevice(at, request, index, all[index], first, true);
    return this.#fillFromPools(at, request, index, start);
  }

  #fillFromPools(at: Place, request: Alternative, index: number, start: Start): Outcome {
    const claim = this.#input.claims[at.claim];
    for (let p = start.pool; p < this.#input.pools.length; p++) {
      const pool = this.#input.pools[p];
      const { driver, name, slices } = pool;
      for (let s = p === start.pool ? start.slice : 0; s < slices.length; s++) {
        const slice = slices[s];
        const devices = slice.spec.devices ?? [];
        for (let d = p === start.pool && s === start.slice ? start.device : 0; d < devices.length; d++) {
          this.#input.spend(1);
          const candidate = { id: deviceId(driver, name, devices[d].name), device: devices[d], slice, pool };
          if (this.#isInUse(at, request, candidate)) continue;
          if (!this.#input.isSelectable(request, claim, candidate)) continue;
          const next = { pool: p, slice: s, device: d + 1 };
          const outcome = this.#tryDevice(at, request, index, candidate, next, false);
          if (outcome !== 'none') return outcome;
        }
      }
    }
    return 'none';
  }

  #isInUse(at: Place, request: Alternative, { id, device }: Candidate): boolean {
    if (!request.adminAccess) return this.#input.allocated.isOwned(id) || this.#taken.isTaken(id);
    return !device.allowMultipleAllocations && this.#taken.isTakenBy(id, at.claim);
  }

  /** Takes the device and goes on. Gives it back if that leads to no solution. */
  #tryDevice(
    at: Place,
    request: Alternative,
    index: number,
    candidate: Candidate,
    next: Start,
    must: boolean,
  ): Outcome {
    const release = this.#take(at, request, candidate, must);
    if (!release) return 'none';
    const outcome = this.#fill(at, request, index + 1, next);
    if (outcome !== 'found') release();
    return outcome;
  }

  /** Undefined if the device cannot be used; otherwise how to give it back. */
  #take(at: Place, request: Alternative, candidate: Candidate, must: boolean): (() => void) | undefined {
    const { id, device, pool } = candidate;
    this.#input.spend(this.#effortOf(at, request, device));
    if (this.#isInUse(at, request, candidate) || isRepelled(device, request.tolerations)) return undefined;
    if (!hasCapacity(request.capacity, device, this.#input.allocated.consumed(id), this.#taken.consumed(id)))
      return undefined;
    const isShared = device.allowMultipleAllocations === true;
    // The first share has paid for all.
    const isPaid = isShared && (this.#input.allocated.isShared(id) || this.#taken.isShared(id));
    const pays = !isPaid && (device.consumesCounters?.length ?? 0) > 0;
    if (pays && !this.#input.counters.take(pool, device)) return undefined;
    if (!this.#meetsConstraints(at, request, candidate)) {
      if (pays) this.#input.counters.release(pool, device);
      if (!must) return undefined;
      throw new AllocationError(
        `claim ${this.#input.claims[at.claim].key}, request ${request.own}: cannot add device ${id} because a claim constraint would not be satisfied`,
      );
    }
    const consumed = isShared ? consumption(request.capacity, device) : {};
    const amounts = isShared ? amountsOf(consumed) : undefined;
    this.#taken.take(id, at.claim, amounts);
    this.#chosen[at.claim].push({
      ...candidate,
      request,
      ...(isShared && { shareId: this.#input.newShareId() }),
      ...(Object.keys(consumed).length > 0 && { consumed }),
    });
    return () => {
      this.#chosen[at.claim].pop();
      this.#taken.release(id, at.claim, amounts);
      for (const constraint of this.#input.constraints[at.claim]) constraint.remove(request.name);
      if (pays) this.#input.counters.release(pool, device);
    };
  }

  /** Of taking a device, compared with looking at one. */
  #effortOf(at: Place, { tolerations = [] }: Alternative, { taints = [] }: Device): number {
    return stepsOfTaking + this.#input.constraints[at.claim].length + taints.length * (1 + tolerations.length);
  }

  #meetsConstraints(at: Place, request: Alternative, { device, pool }: Candidate): boolean {
    const constraints = this.#input.constraints[at.claim];
    for (const [index, constraint] of constraints.entries()) {
      if (constraint.add(request.name, pool.driver, device)) continue;
      for (const before of constraints.slice(0, index)) before.remove(request.name);
      return false;
    }
    return true;
  }
}

const isRepelled = ({ taints = [] }: Device, tolerations: Alternative['tolerations']): boolean =>
  taints.some(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !tolerations?.some((toleration) => toleratesDeviceTaint(toleration, taint)),
  );
