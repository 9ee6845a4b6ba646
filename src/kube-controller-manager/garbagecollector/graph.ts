// Who owns whom, over all kinds: the garbage collector's picture of the cluster, made from informers' events.

import type { ApiObject, OwnerReference } from '../../api/api.ts';
import type { DiscoveredResource } from '../shared/discovery.ts';

export interface GraphNode {
  readonly uid: string;
  readonly resource: DiscoveredResource;
  object: ApiObject;
}

const ownersOf = (object: ApiObject | undefined): readonly OwnerReference[] => object?.metadata.ownerReferences ?? [];

export class GarbageGraph {
  readonly #nodes = new Map<string, GraphNode>();
  /** By the owner's uid, which need not exist (any more). */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? []);
  }

  put(resource: DiscoveredResource, object: ApiObject): void {
    const { uid } = object.metadata;
    const known = this.#nodes.get(uid);
    if (known) known.object = object;
    else this.#nodes.set(uid, { uid, resource, object });
    for (const owner of ownersOf(object)) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents) dependents.add(uid);
      else this.#dependents.set(owner.uid, new Set([uid]));
    }
  }

  /** Takes `uid` out of the dependents of owners that it no longer names. */
  disown(uid: string, old: ApiObject, next?: ApiObject): void {
    for (const owner of ownersOf(old)) {
      if (ownersOf(next).some((other) => other.uid === owner.uid)) continue;
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }

  remove(uid: string): void {
    const known = this.#nodes.get(uid);
    if (!known) return;
    this.disown(uid, known.object);
    this.#nodes.delete(uid);
  }
}

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

export const isGoing = (object: ApiObject, finalizer: string): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(finalizer);

/** Whether the owner may not go before this dependent has. */
export const blocks = (dependent: ApiObject, owner: string): boolean =>
  ownersOf(dependent).some((reference) => reference.uid === owner && reference.blockOwnerDeletion);
