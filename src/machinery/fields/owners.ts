// The entries of metadata.managedFields as sets of fields, and back.

import { type FieldSet, fromFieldsV1, hasAtMost, isEmptySet, toFieldsV1, unionOf } from './field-set.ts';

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
  subresource?: string;
}

/** One entry of managedFields, with its fields as a set. */
export interface Owner {
  entry: ManagedFieldsEntry;
  fields: FieldSet;
}

/** At most this many managers with operation Update are separate; the oldest are merged into one. */
const maxUpdateManagers = 10;

export function capUpdates(owners: Owner[]): Owner[] {
  const updates = owners.filter((o) => o.entry.operation === 'Update' && !isEmptySet(o.fields));
  if (updates.length <= maxUpdateManagers) return owners;
  updates.sort((a, b) => ((a.entry.time ?? '') < (b.entry.time ?? '') ? -1 : 1));
  const old = updates.slice(0, updates.length - maxUpdateManagers + 1);
  const merged: Owner = {
    entry: { ...old[old.length - 1].entry, manager: 'ancient-changes' },
    fields: unionOf(old.map((owner) => owner.fields)),
  };
  const gone = new Set(old);
  return [...owners.filter((o) => !gone.has(o)), merged];
}

/**
 * Cached objects are immutable and shared, so a list of entries is decoded, and an unchanged set encoded, once. Decoded
 * sets are several times larger than their source: only the last ones are cached.
 */
const decoded = new Map<object, FieldSet>();
const mostDecoded = 1_024;
const largestDecoded = 2_000; // fields: a few sets of more would take a hundred megabytes
const encoded = new WeakMap<FieldSet, object>();
/** Entries of an object that are cached: garbage collection takes long with a million of them. */
const mostCachedEntries = 128;

function keepDecoded(json: object, fields: FieldSet): void {
  if (!hasAtMost(fields, largestDecoded)) return;
  if (decoded.size >= mostDecoded) decoded.delete(decoded.keys().next().value as object);
  decoded.set(json, fields);
}

export function decode(entries: readonly ManagedFieldsEntry[]): Owner[] {
  const isCached = entries.length <= mostCachedEntries;
  return entries.map((entry) => {
    const json = entry.fieldsV1 ?? {};
    if (!isCached) return { entry, fields: fromFieldsV1(json) };
    let fields = decoded.get(json);
    if (!fields) {
      fields = fromFieldsV1(json);
      keepDecoded(json, fields);
      encoded.set(fields, json);
    }
    return { entry, fields };
  });
}

export function encode(owners: readonly Owner[]): ManagedFieldsEntry[] | undefined {
  const entries = owners
    .filter((owner) => !isEmptySet(owner.fields))
    .map(({ entry, fields }) => {
      let json = encoded.get(fields);
      if (!json) {
        json = toFieldsV1(fields);
        encoded.set(fields, json);
        keepDecoded(json, fields);
      }
      const { manager, operation, apiVersion, time, subresource } = entry;
      return {
        manager,
        operation,
        apiVersion,
        ...(time && { time }),
        fieldsType: 'FieldsV1',
        fieldsV1: json,
        ...(subresource && { subresource }),
      };
    });
  // Applied first, then by time and name: the order in which Kubernetes writes them.
  const key = (e: ManagedFieldsEntry) => `${e.operation}\0${e.time ?? ''}\0${e.manager}\0${e.subresource ?? ''}`;
  entries.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  return entries.length > 0 ? entries : undefined;
}
