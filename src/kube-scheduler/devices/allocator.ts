// Allocates the devices of a pod's claims for one node after the other. It is made for one scheduling attempt.

import type { DeviceClass, Node } from '../../api/api.ts';
import type { AllocatedDevices } from './allocated-devices.ts';
import { allocationResult } from './allocation-result.ts';
import { hasCapacity } from './capacity.ts';
import { type AllocationResult, deviceId, type ResourceClaim } from './claim-types.ts';
import { AvailableCounters, TakenCounters } from './counters.ts';
import { type Pool, poolsOf, type SliceIndex, selectsNode } from './pools.ts';
import {
  AllocationError,
  type Alternative,
  constraintsOf,
  mostDevices,
  type ParsedClaim,
  parseClaim,
} from './requests.ts';
import { type Candidate, Search } from './search.ts';
import type { Selection } from './selection.ts';

interface AllocatorInput {
  readonly slices: SliceIndex;
  readonly allocated: AllocatedDevices;
  readonly selection: Selection;
  findClass(name: string): DeviceClass | undefined;
  newShareId(): string;
}

export type Allocation =
  | { readonly results: readonly AllocationResult[] }
  /** Why this node has no solution; others may have one. */
  | { readonly why: string };

/** Devices looked at, and the costs of selectors: together they limit the time of a search. */
const mostSteps = 200_000;

/** The search took too long, as Kubernetes' filterTimeout. */
export class AllocationTimeout extends Error {
  override readonly name = 'AllocationTimeout';
}

export class Allocator {
  readonly #input: AllocatorInput;
  readonly #counters: AvailableCounters;
  readonly #parsed = new Map<ResourceClaim, ParsedClaim>();
  #steps = 0;

  constructor(input: AllocatorInput) {
    this.#input = input;
    this.#counters = new AvailableCounters(input.allocated);
  }

  /** One result for each claim. Throws AllocationError, or AllocationTimeout. */
  allocate(node: Node, claims: readonly ResourceClaim[]): Allocation {
    const parsed = claims.map((claim) => this.#parse(claim));
    const pools = poolsOf(node, this.#input.slices);
    const isSelectable = this.#selectable(node);
    const all = this.#findAll(parsed, pools, isSelectable);
    for (const claim of parsed) checkCount(claim, all);
    const chosen = new Search({
      claims: parsed,
      pools,
      constraints: parsed.map(constraintsOf),
      allocated: this.#input.allocated,
      counters: new TakenCounters(this.#counters),
      all,
      isSelectable,
      spend: (steps) => this.#spend(steps, node),
      newShareId: () => this.#input.newShareId(),
    }).run();
    if (chosen)
      return { results: parsed.map((claim, index) => allocationResult(claim, chosen[index], node.metadata.name)) };
    const hasInvalid = pools.some(({ isInvalid }) => isInvalid);
    return { why: hasInvalid ? 'invalid resource pools were encountered' : 'cannot allocate all claims' };
  }

  #parse(claim: ResourceClaim): ParsedClaim {
    const cached = this.#parsed.get(claim) ?? parseClaim(claim, (name) => this.#input.findClass(name));
    this.#parsed.set(claim, cached);
    return cached;
  }

  #spend(steps: number, node: Node): void {
    this.#steps += steps;
    if (this.#steps > mostSteps)
      throw new AllocationTimeout(`node ${node.metadata.name}: timed out trying to allocate devices`);
  }

  #selectable(node: Node): (request: Alternative, claim: ParsedClaim, candidate: Candidate) => boolean {
    const cached = new Map<Alternative, Map<string, boolean>>();
    return (request, claim, candidate) => {
      let results = cached.get(request);
      if (!results) cached.set(request, (results = new Map()));
      const result = results.get(candidate.id) ?? this.#matches(node, request, claim, candidate);
      results.set(candidate.id, result);
      return result;
    };
  }

  #matches(node: Node, request: Alternative, { key }: ParsedClaim, { device, slice, pool }: Candidate): boolean {
    const { selection } = this.#input;
    const { name } = request.class.metadata;
    const spend = (cost: number) => this.#spend(cost, node);
    return (
      selection.matches(request.class.spec.selectors ?? [], `class ${name}`, pool.driver, device, spend) &&
      selection.matches(request.selectors, `claim ${key}`, pool.driver, device, spend) &&
      (!slice.spec.perDeviceNodeSelection || selectsNode(device, node))
    );
  }

  /** The devices of requests for all: they must be cached completely. */
  #findAll(
    claims: readonly ParsedClaim[],
    pools: readonly Pool[],
    isSelectable: (request: Alternative, claim: ParsedClaim, candidate: Candidate) => boolean,
  ): ReadonlyMap<Alternative, readonly Candidate[]> {
    const all = new Map<Alternative, readonly Candidate[]>();
    for (const claim of claims)
      for (const request of claim.requests.flat()) {
        if (request.count !== undefined) continue;
        const found: Candidate[] = [];
        for (const pool of pools) {
          checkPool(pool, claim, request);
          for (const candidate of candidatesOf(pool))
            if (isSelectable(request, claim, candidate) && this.#hasRoom(request, candidate)) found.push(candidate);
        }
        all.set(request, found);
      }
    return all;
  }

  #hasRoom({ capacity }: Alternative, { id, device }: Candidate): boolean {
    return hasCapacity(capacity, device, this.#input.allocated.consumed(id));
  }
}

function* candidatesOf(pool: Pool): Generator<Candidate> {
  for (const slice of pool.slices)
    for (const device of slice.spec.devices ?? [])
      yield { id: deviceId(pool.driver, pool.name, device.name), device, slice, pool };
}

function checkPool({ id, isIncomplete, isInvalid }: Pool, { key }: ParsedClaim, { own }: Alternative): void {
  if (!isIncomplete && !isInvalid) return;
  const state = isIncomplete ? 'being updated' : 'invalid';
  throw new AllocationError(
    `claim ${key}, request ${own}: asks for all devices, but resource pool ${id} is currently ${state}`,
  );
}

/** The smallest alternatives must fit into the claim's status. */
function checkCount({ key, requests }: ParsedClaim, all: ReadonlyMap<Alternative, readonly Candidate[]>): void {
  const countOf = (request: Alternative) => request.count ?? all.get(request)?.length ?? 0;
  const least = requests.reduce((sum, alternatives) => sum + Math.min(...alternatives.map(countOf)), 0);
  if (least > mostDevices)
    throw new AllocationError(
      `claim ${key}: number of requested devices ${least} exceeds the claim limit of ${mostDevices}`,
    );
}
