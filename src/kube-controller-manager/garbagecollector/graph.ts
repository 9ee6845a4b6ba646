// The ownership graph over all kinds, built from informers' events.

import type { KubeObject, OwnerReference } from '../../api/api.ts';
import type { DiscoveredResource } from '../shared/discovery.ts';

/** Cached names of absent owners, which save requests for their other dependents. */
const absentLimit = 500;

export interface GraphNode {
  readonly uid: string;
  readonly resource: DiscoveredResource;
  object: KubeObject;
}

const ownersOf = (object: KubeObject | undefined): readonly OwnerReference[] => object?.metadata.ownerReferences ?? [];

export class GarbageGraph {
  readonly #nodes = new Map<string, GraphNode>();
  /** By the owner's uid; the owner may be absent. */
  readonly #dependents = new Map<string, Set<string>>();

  /** The latest uids of deleted objects, and whole references to objects that do not exist. */
  readonly #absent = new Set<string>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#nodes.get(dependent) ?? []);
  }

  put(resource: DiscoveredResource, object: KubeObject): void {
    const { uid } = object.metadata;
    const node = this.#nodes.get(uid);
    if (node) node.object = object;
    else this.#nodes.set(uid, { uid, resource, object });
    for (const owner of ownersOf(object)) {
      const dependents = this.#dependents.get(owner.uid);
      if (dependents) dependents.add(uid);
      else this.#dependents.set(owner.uid, new Set([uid]));
    }
  }

  /** Takes `uid` out of the dependents of owners that it no longer names. */
  disown(uid: string, old: KubeObject, next?: KubeObject): void {
    const kept = new Set(ownersOf(next).map((owner) => owner.uid));
    for (const owner of ownersOf(old)) {
      if (kept.has(owner.uid)) continue;
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }

  remove(uid: string): void {
    this.noteAbsent(uid);
    const node = this.#nodes.get(uid);
    if (!node) return;
    this.disown(uid, node.object);
    this.#nodes.delete(uid);
  }

  /** The uid of a deleted object, which none has again, or a whole reference, which is never right. */
  noteAbsent(name: string): void {
    this.#absent.add(name);
    if (this.#absent.size > absentLimit) this.#absent.delete(this.#absent.values().next().value as string);
  }

  isAbsent(name: string): boolean {
    return this.#absent.has(name);
  }
}

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

export const isGoing = (object: KubeObject, finalizer: string): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(finalizer);

/** Whether the owner may not go before this dependent has. */
export const blocks = (dependent: KubeObject, owner: string): boolean =>
  ownersOf(dependent).some((reference) => reference.uid === owner && reference.blockOwnerDeletion);
