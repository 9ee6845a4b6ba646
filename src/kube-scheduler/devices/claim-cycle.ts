// One scheduling attempt of a pod with resource claims: whether a node reaches allocated devices, and which free ones it
// gives to the other claims. The choice for the chosen node is held until it is written.

import { matchesNodeSelector, type Pod } from '../../api/api.ts';
import {
  type BindTools,
  CycleError,
  type FilterCycle,
  type PostFilterAnswer,
  type Rejection,
  type Reservation,
  type ScoreCycle,
  scaleToMax,
  unresolvable,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import { AllocationTimeout, Allocator } from './allocator.ts';
import { isBindingOverdue, isReadyForBinding } from './binding-conditions.ts';
import { deallocate, deleteClaim } from './claim-binding.ts';
import { type NodeAllocation, reserveClaims } from './claim-reservation.ts';
import type { ResourceClaim } from './claim-types.ts';
import type { Devices } from './devices.ts';
import { extendedRequests, isDeviceResource, isInMemory } from './extended-resources.ts';
import { AllocationError } from './requests.ts';

/** Alternatives of a request: the limit of the API. The first one scores the most. */
const mostAlternatives = 8;

interface ClaimCycleInput {
  readonly info: PodInfo;
  readonly claims: readonly ResourceClaim[];
  /** For extended resources, perhaps left over from an earlier attempt. */
  readonly extended: ResourceClaim | undefined;
  readonly devices: Devices;
  readonly bindingTimeoutMs: number;
  readonly profile: string;
}

const isAllocated = ({ status }: ResourceClaim): boolean => status?.allocation !== undefined;

export class ClaimCycle implements FilterCycle {
  readonly #input: ClaimCycleInput;
  readonly #allocator: Allocator;
  readonly #found = new Map<string, NodeAllocation>();
  /** Allocated claims that some node does not reach, or whose devices do not get ready. */
  readonly #unavailable = new Set<ResourceClaim>();
  /** One for each set of resources that a node lacks: nodes are alike. */
  readonly #variants = new Map<string, NonNullable<NodeAllocation['extended']>>();

  constructor(input: ClaimCycleInput) {
    this.#input = input;
    const { devices } = input;
    this.#allocator = new Allocator({
      slices: devices.slices(),
      allocated: devices.allocated,
      selection: devices.selection,
      findClass: (name) => devices.class(name),
      newShareId: () => devices.newId(),
    });
  }

  filter(node: NodeInfo): Rejection | undefined {
    const extended = this.#extendedFor(node);
    if (extended && 'reason' in extended) return extended;
    const { claims } = this.#input;
    if (!extended && claims.length === 0) return undefined;
    const unavailable = claims.filter((claim) => isAllocated(claim) && !this.#isAvailable(claim, node));
    const free = claims.filter((claim) => !isAllocated(claim));
    const wanted = extended ? [...free, extended.claim] : free;
    if (wanted.length > 0) {
      const found = this.#allocate(node, wanted);
      if ('why' in found) return unresolvable(found.why);
      if (unavailable.length === 0)
        this.#found.set(node.name, {
          results: new Map(wanted.map((claim, index) => [claim, found.results[index]])),
          ...(extended && { extended }),
        });
    }
    for (const claim of unavailable) this.#unavailable.add(claim);
    return unavailable.length > 0 ? unresolvable('resourceclaim not available on the node') : undefined;
  }

  #allocate(node: NodeInfo, claims: readonly ResourceClaim[]) {
    try {
      return this.#allocator.allocate(node.node, claims);
    } catch (error) {
      if (error instanceof AllocationError || error instanceof AllocationTimeout)
        throw new CycleError(`running "DynamicResources" filter plugin: ${error.message}`);
      throw error;
    }
  }

  #isAvailable(claim: ResourceClaim, { node }: NodeInfo): boolean {
    const selector = claim.status.allocation?.nodeSelector;
    if (selector && !matchesNodeSelector(selector, node)) return false;
    const { devices, bindingTimeoutMs } = this.#input;
    try {
      return isReadyForBinding(claim) || !isBindingOverdue(claim, devices.now(), bindingTimeoutMs);
    } catch {
      return false;
    }
  }

  /** The requests for those extended resources that the node lacks. Undefined if it lacks none. */
  #extendedFor(node: NodeInfo): NodeAllocation['extended'] | Rejection {
    const { extended, info, claims, devices } = this.#input;
    if (!extended) return undefined;
    if (extended.spec.devices.requests) return unresolvable('cannot schedule extended resource claim');
    const lacking = new Set<string>();
    for (const [name, amount] of info.requests.scalars) {
      if (amount === 0 || !isDeviceResource(name)) continue;
      const own = node.allocatable.scalars.get(name);
      if (!own && devices.classOfResource(name)) lacking.add(name);
      else if (own === undefined) return unresolvable('cannot fit resource');
    }
    if (lacking.size === 0 && claims.length === 0) return undefined;
    return this.#variant(info.pod, extended, lacking);
  }

  #variant(pod: Pod, claim: ResourceClaim, lacking: ReadonlySet<string>): NonNullable<NodeAllocation['extended']> {
    const key = [...lacking].sort().join(' ');
    const existing = this.#variants.get(key);
    if (existing) return existing;
    const parts = extendedRequests(pod, lacking, this.#input.devices);
    const variant = { claim: { ...claim, spec: { devices: { requests: [...parts.requests] } } }, ...parts };
    this.#variants.set(key, variant);
    return variant;
  }

  scoring(nodes: readonly NodeInfo[]): ScoreCycle | 'skip' {
    const hasAlternatives = this.#input.claims.some(({ spec }) =>
      spec.devices.requests?.some(({ firstAvailable }) => firstAvailable?.length),
    );
    if (!hasAlternatives || nodes.length === 0) return 'skip';
    return { score: ({ name }) => this.#scoreOf(name), normalize: (scores: Float64Array) => scaleToMax(scores) };
  }

  #scoreOf(node: string): number {
    const found = this.#found.get(node);
    if (!found) return 0;
    let score = 0;
    for (const claim of this.#input.claims) {
      const { results = [] } = (claim.status.allocation ?? found.results.get(claim))?.devices ?? {};
      const used = new Set(results.map(({ request }) => request));
      for (const { name, firstAvailable = [] } of claim.spec.devices.requests ?? [])
        for (const [index, alternative] of firstAvailable.entries())
          if (used.has(`${name}/${alternative.name}`)) score += mostAlternatives - index;
    }
    return score;
  }

  reserve(node: NodeInfo): Reservation | undefined {
    const { claims, devices, info, bindingTimeoutMs, profile } = this.#input;
    const found = this.#found.get(node.name);
    const isMissing = claims.some((claim) => !isAllocated(claim) && !found?.results.has(claim));
    if (isMissing) throw new CycleError('claim allocation not found for node');
    if (claims.length === 0 && !found) return undefined;
    return reserveClaims({ pod: info.pod, claims, found, devices, node: node.name, bindingTimeoutMs, profile });
  }

  postFilter(): PostFilterAnswer {
    const { info, extended } = this.#input;
    const { uid } = info.pod.metadata;
    const isOnlyUser = ({ status }: ResourceClaim) => (status.reservedFor ?? []).every((user) => user.uid === uid);
    const claim = [...this.#unavailable].find(isOnlyUser);
    if (claim)
      return {
        reason: 'deallocation of ResourceClaim completed',
        work: (tools: Pick<BindTools, 'client'>) => deallocate(claim, tools),
      };
    if (extended && !isInMemory(extended))
      return {
        reason: 'deletion of ResourceClaim completed',
        work: (tools: Pick<BindTools, 'client' | 'clock'>) => deleteClaim(extended, tools),
      };
    return { reason: 'still not schedulable' };
  }
}
