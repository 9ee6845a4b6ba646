// The free volumes that suit a claim, arranged so that a node is compared only with those that it may reach. They are
// found once, until a volume changes: a cluster has thousands of volumes and of nodes.

import {
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  reachesVolume,
  storageClassOf,
  volumeCapacity,
  volumeSuitability,
} from '../../api/api.ts';
import { parseQuantity } from '../../machinery/quantity.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { Storage } from '../storage.ts';

/** A volume, with its place among all candidates: the smallest is the first. */
interface Candidate {
  readonly volume: PersistentVolume;
  readonly rank: number;
}

interface Candidates {
  /** Serves the claim, or else none does. */
  readonly reserved: PersistentVolume | undefined;
  /** Any node may reach them. */
  readonly others: readonly Candidate[];
  /** By label and value that a node needs. */
  readonly byLabel: ReadonlyMap<string, ReadonlyMap<string, readonly Candidate[]>>;
}

interface Cached {
  readonly revision: number;
  readonly ofClaim: Map<PersistentVolumeClaim, Candidates>;
}
const cache = new WeakMap<Storage, Cached>();

/** The volume that is reserved for the claim, or else the smallest one that suits it, if the node reaches it. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  node: Node,
  storage: Storage,
  taken: ReadonlySet<string>,
): PersistentVolume | undefined {
  const { reserved, others, byLabel } = candidatesOf(claim, storage);
  if (reserved) return reaches(reserved, node) ? reserved : undefined;
  let best = firstUsable(others, node, taken);
  for (const [label, byValue] of byLabel) {
    spendEffort(1);
    const found = firstUsable(byValue.get(node.metadata.labels?.[label] ?? '') ?? [], node, taken);
    if (found && (!best || found.rank < best.rank)) best = found;
  }
  return best?.volume;
}

/** Same as `reachesVolume`, with the effort of it. */
export function reaches(volume: PersistentVolume, node: Node): boolean {
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  let steps = 1;
  for (const { matchExpressions, matchFields } of terms)
    steps += 1 + (matchExpressions?.length ?? 0) + (matchFields?.length ?? 0);
  spendEffort(steps);
  return reachesVolume(volume, node);
}

function firstUsable(candidates: readonly Candidate[], node: Node, taken: ReadonlySet<string>): Candidate | undefined {
  return candidates.find(({ volume }) => {
    spendEffort(1);
    return !taken.has(volume.metadata.name) && reaches(volume, node);
  });
}

function candidatesOf(claim: PersistentVolumeClaim, storage: Storage): Candidates {
  const revision = storage.revision();
  let cached = cache.get(storage);
  if (cached?.revision !== revision) cache.set(storage, (cached = { revision, ofClaim: new Map() }));
  let candidates = cached.ofClaim.get(claim);
  if (!candidates) cached.ofClaim.set(claim, (candidates = findCandidates(claim, storage)));
  return candidates;
}

function findCandidates(claim: PersistentVolumeClaim, storage: Storage): Candidates {
  const suits = volumeSuitability(claim);
  const steps = 1 + suits.requirements;
  const found: { volume: PersistentVolume; size: bigint }[] = [];
  for (const volume of storage.volumesOfClass(storageClassOf(claim))) {
    spendEffort(steps);
    const suitability = suits.of(volume);
    if (suitability === 'no') continue;
    if (suitability === 'claimed') return { reserved: volume, others: [], byLabel: new Map() };
    found.push({ volume, size: parseQuantity(volumeCapacity(volume)).nanos });
  }
  found.sort((a, b) => (a.size < b.size ? -1 : Number(a.size > b.size)));
  const others: Candidate[] = [];
  const byLabel = new Map<string, Map<string, Candidate[]>>();
  for (const [rank, { volume }] of found.entries()) {
    const needed = neededLabel(volume);
    if (!needed) others.push({ volume, rank });
    if (!needed) continue;
    const byValue = byLabel.get(needed.key) ?? new Map<string, Candidate[]>();
    byLabel.set(needed.key, byValue);
    for (const value of needed.values) {
      spendEffort(1);
      const list = byValue.get(value);
      if (list) list.push({ volume, rank });
      else byValue.set(value, [{ volume, rank }]);
    }
  }
  return { reserved: undefined, others, byLabel };
}

/** A label, and its values, one of which each node has that reaches the volume. */
function neededLabel({ spec }: PersistentVolume): { key: string; values: ReadonlySet<string> } | undefined {
  const [term, ...alternatives] = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  if (!term || alternatives.length > 0) return undefined;
  const requirement = term.matchExpressions?.find(({ operator }) => operator === 'In');
  return requirement && { key: requirement.key, values: new Set(requirement.values) };
}
