// The volumes that any claim may have, in the order of preference: a claim finds its volume without looking at all.

import {
  claimRequest,
  type PersistentVolume,
  type PersistentVolumeClaim,
  storageClassOf,
  volumeCapacity,
  volumeSuitability,
} from '../../api/api.ts';
import { OrderedTree } from '../../machinery/collections/ordered-tree.ts';
import { parseQuantity } from '../../machinery/quantity.ts';

/** Enough for every quantity in billionths. */
const digits = 40;
const sized = (quantity: string) => parseQuantity(quantity).nanos.toString().padStart(digits, '0');
const end = '~';

/** Volumes of one class with the same access modes, by size and name. */
interface Group {
  readonly modes: readonly string[];
  readonly volumes: OrderedTree<PersistentVolume>;
}

export const isFree = ({ metadata, spec, status }: PersistentVolume): boolean =>
  !spec?.claimRef && !metadata.deletionTimestamp && status?.phase === 'Available';

export class FreeVolumes {
  /** By class, and then by access modes. */
  readonly #classes = new Map<string, Map<string, Group>>();

  /** Follows a change of a volume. */
  note(next: PersistentVolume | undefined, previous: PersistentVolume | undefined): void {
    if (previous && isFree(previous)) this.#remove(previous);
    if (next && isFree(next)) this.#add(next);
  }

  /** One with the fewest access modes, and among those the smallest. */
  best(claim: PersistentVolumeClaim, isTaken: (name: string) => boolean): PersistentVolume | undefined {
    const wanted = claim.spec.accessModes ?? [];
    const groups = [...(this.#classes.get(storageClassOf(claim))?.values() ?? [])]
      .filter(({ modes }) => wanted.every((mode) => modes.includes(mode)))
      .sort((a, b) => a.modes.length - b.modes.length);
    const suitability = volumeSuitability(claim);
    let found: PersistentVolume | undefined;
    for (const { volumes } of groups) {
      volumes.forEach(sized(claimRequest(claim)), end, (volume) => {
        if (!isTaken(volume.metadata.name) && suitability.of(volume) === 'free') found = volume;
        return found === undefined;
      });
      if (found) return found;
    }
    return undefined;
  }

  #add(volume: PersistentVolume): void {
    const name = storageClassOf(volume);
    let groups = this.#classes.get(name);
    if (!groups) this.#classes.set(name, (groups = new Map()));
    const modes = modesOf(volume);
    let group = groups.get(modes.join());
    if (!group) groups.set(modes.join(), (group = { modes, volumes: new OrderedTree() }));
    group.volumes.set(keyOf(volume), volume);
  }

  #remove(volume: PersistentVolume): void {
    const groups = this.#classes.get(storageClassOf(volume));
    const modes = modesOf(volume).join();
    const volumes = groups?.get(modes)?.volumes;
    volumes?.remove(keyOf(volume));
    if (volumes?.size === 0) groups?.delete(modes);
    if (groups?.size === 0) this.#classes.delete(storageClassOf(volume));
  }
}

const modesOf = ({ spec }: PersistentVolume): string[] => [...new Set(spec?.accessModes ?? [])].sort();
const keyOf = (volume: PersistentVolume): string => `${sized(volumeCapacity(volume))}/${volume.metadata.name}`;
