// Metadata fields that the server sets or keeps, regardless of the client's values.

import { type ApiObject, storedForm } from '../../../api/api.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import { timestamp } from '../../timestamp.ts';
import type { Operation } from '../operation.ts';

/**
 * Sets the fields of a new object. managedFields, which are large and already ordered, are added after the strategy
 * ran.
 */
export function fillMetadata({ kind, server }: Operation, object: ApiObject): void {
  const {
    name,
    generateName,
    namespace,
    deletionTimestamp: _,
    deletionGracePeriodSeconds: __,
    selfLink: ___,
    managedFields: ________,
    uid: ____,
    resourceVersion: _____,
    generation,
    creationTimestamp: _______,
    ...rest
  } = object.metadata;
  const system: Record<string, unknown> = {};
  if (name) system.name = name;
  if (generateName) system.generateName = generateName;
  if (namespace) system.namespace = namespace;
  system.uid = server.random.uuid();
  system.resourceVersion = undefined;
  // Kinds without a generation keep the client's number.
  if (kind.hasGeneration || generation) system.generation = kind.hasGeneration ? 1 : generation;
  system.creationTimestamp = timestamp(server.clock.now());
  object.metadata = { ...system, ...rest } as ApiObject['metadata'];
}

/** Those of an update: they are as they were. */
export function keepMetadata(next: ApiObject, live: ApiObject): void {
  const { metadata } = next;
  const old = live.metadata;
  metadata.uid ||= old.uid;
  metadata.generation = old.generation;
  metadata.creationTimestamp = old.creationTimestamp;
  // Validation refuses to begin a deletion by an update.
  metadata.deletionTimestamp = old.deletionTimestamp ?? metadata.deletionTimestamp;
  metadata.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
  if (old.namespace) metadata.namespace = old.namespace;
  else delete metadata.namespace;
}

export function countGeneration({ kind, subresource }: Operation, next: ApiObject, live: ApiObject): void {
  if (!kind.hasGeneration || subresource === 'status') return;
  if (next.metadata.generation !== live.metadata.generation) return;
  const { metadata: _, status: __, ...wanted } = kind.emptyFields === 'validated' ? storedForm(kind, next) : next;
  const { metadata: ___, status: ____, ...before } = live;
  if (!deepEqual(wanted, before)) next.metadata.generation = (live.metadata.generation ?? 0) + 1;
}

/**
 * The duplicates among owner references go, with a warning.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
 */
export function dedupeOwners({ warnings }: Operation, object: ApiObject): void {
  const owners = object.metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  const kept = owners.filter((owner) => {
    const key = JSON.stringify(owner);
    if (seen.has(key)) duplicates.add(owner.uid);
    return seen.size < seen.add(key).size;
  });
  if (!duplicates.size) return;
  object.metadata.ownerReferences = kept;
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...duplicates].join(', ')}`,
  );
}
