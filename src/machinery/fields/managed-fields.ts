// Field ownership: metadata.managedFields for updates and for server-side apply.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/

import { deepEqual } from '../collections/equal.ts';
import { fieldsLastApplied, kubectl, refreshLastApplied } from '../patches/last-applied.ts';
import type { Schema } from '../schema.ts';
import { finish, type Steps } from '../time/steps.ts';
import { type Comparison, compareFields } from './compare-fields.ts';
import { creatingFields } from './created-fields.ts';
import {
  difference,
  differenceBelow,
  emptySet,
  type FieldSet,
  fieldsOf,
  fromFieldsV1,
  hasAtMost,
  intersection,
  isEmptySet,
  isFieldsV1,
  onlyThis,
  paths,
  pathText,
  sameSet,
  toFieldsV1,
  union,
  unionOf,
  withNamedParents,
} from './field-set.ts';
import { mergeFields, removeFields } from './merge-fields.ts';
import { zeroValue } from './zero-value.ts';

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: any;
  subresource?: string;
}

export interface Write {
  /** The object as stored; undefined when it is created. */
  readonly live: any;
  readonly manager: string;
  readonly subresource?: string;
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. */
  readonly time: string;
  readonly schema: Schema;
  readonly isLarge?: boolean; // its steps are smaller
  /** Fields that this endpoint does not write, such as [['status']]: it adds no owners to them. */
  readonly resetFields?: readonly (readonly string[])[];
}

export interface ApplyConflict {
  /** As Kubernetes words it: `"one"`, or `"golden" using v1` for an update. */
  readonly manager: string;
  readonly field: string;
}

/** Other managers own fields that would change. Kubernetes defines the message. */
export class ApplyConflicts extends Error {
  override readonly name = 'ApplyConflicts';
  readonly conflicts: readonly ApplyConflict[];
  constructor(conflicts: readonly ApplyConflict[]) {
    super(conflictText(conflicts));
    this.conflicts = conflicts;
  }
}

function conflictText(conflicts: readonly ApplyConflict[]): string {
  if (conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${conflicts[0].manager}: ${conflicts[0].field}`;
  const managers = [...new Set(conflicts.map((c) => c.manager))].sort();
  const parts = managers.map((manager) => {
    const fields = conflicts.filter((c) => c.manager === manager).map((c) => `\n- ${c.field}`);
    return `conflicts with ${manager}:${fields.join('')}`;
  });
  return `Apply failed with ${conflicts.length} conflicts: ${parts.join('\n')}`;
}

/** One entry of managedFields, with its fields as a set. */
interface Owner {
  entry: ManagedFieldsEntry;
  fields: FieldSet;
}

/** managedFields after a create, update or patch turned `live` into `next`; undefined without any owner. */
export const updateManagedFields = (write: Write & { readonly next: any }): ManagedFieldsEntry[] | undefined =>
  finish(updatingManagedFields(write));

/** The same in steps. */
export function* updatingManagedFields(write: Write & { readonly next: any }): Steps<ManagedFieldsEntry[] | undefined> {
  const owners = decode(ownersToStartFrom(write));
  if (
    write.live === undefined &&
    owners.length === 0 &&
    write.resetFields?.every((path) => path.length === 1) !== false
  )
    return yield* ofCreator(write);
  const before = write.live === undefined ? zeroValue(write.schema) : tracked(write.live);
  yield;
  const change = compareFields(before, tracked(write.next), write.schema);
  yield;
  const taken = union(change.modified, change.added);
  disown(owners, change, undefined);
  yield;
  const mine = withoutReset(taken, write.resetFields);
  if (!isEmptySet(mine)) {
    const owner = ownerOf(owners, write, 'Update');
    owner.fields = union(owner.fields, mine);
    owner.entry = { ...owner.entry, apiVersion: write.apiVersion, time: write.time };
  }
  yield;
  return encode(capUpdates(owners));
}

/** Fields that cannot be read count as not given, as in Kubernetes. */
const isReadable = (entry: ManagedFieldsEntry): boolean =>
  (entry.fieldsType === undefined || entry.fieldsType === 'FieldsV1') && isFieldsV1(entry.fieldsV1);

/** Same as below in one walk: most objects have a single creator that owns all fields. */
function* ofCreator(write: Write & { readonly next: any }): Steps<ManagedFieldsEntry[] | undefined> {
  const { manager, apiVersion, time, subresource, schema, isLarge } = write;
  const fields = (yield* creatingFields(zeroValue(schema), tracked(write.next), schema, isLarge)) ?? {};
  for (const [name] of write.resetFields ?? []) delete fields[`f:${name}`];
  if (Object.keys(fields).length === 0) return undefined;
  const entry = { manager, operation: 'Update', apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: fields };
  return [subresource ? { ...entry, subresource } : entry];
}

/** A client may send managedFields: one empty entry, or an empty list instead of entries, clears them. */
function ownersToStartFrom(write: Write & { readonly next: any }): ManagedFieldsEntry[] {
  const live: ManagedFieldsEntry[] = write.live?.metadata?.managedFields ?? [];
  const given: ManagedFieldsEntry[] | undefined = write.next.metadata?.managedFields;
  if (write.subresource || given === undefined || given === null) return live;
  if (given.length === 0 || (given.length === 1 && Object.keys(given[0]).length === 0)) return [];
  // A patched document has a copy of the live entries, which is not decoded yet.
  return deepEqual(given, live) || !given.every(isReadable) ? live : given;
}

/**
 * Server-side apply of `applied` onto `live`: the resulting object with its managedFields. `changed` is false if
 * nothing but managedFields differs. Throws ApplyConflicts unless `force`, and PatchError('schema').
 */
export const applyConfiguration = (write: Application): Applied => finish(applyingConfiguration(write));

type Application = Write & { readonly applied: any; readonly force: boolean };

interface Applied {
  readonly object: any;
  readonly changed: boolean;
}

/** The same in steps. */
export function* applyingConfiguration(write: Application): Steps<Applied> {
  const { live, schema } = write;
  const owners = decode(live?.metadata?.managedFields ?? []);
  const liveFields = live === undefined ? zeroValue(schema) : tracked(live);
  if (live !== undefined && owners.length === 0) ownBeforeFirstApply(owners, write, liveFields);

  const config = withoutPaths(tracked(write.applied), write.resetFields);
  yield;
  const merged = mergeFields(liveFields, config, schema);
  yield;
  const fields = withoutReset(fieldsOf(config, schema), write.resetFields);
  const mine = ownerOf(owners, write, 'Apply');
  const last = mine.fields;
  mine.fields = fields;
  yield;
  const pruned = yield* prune(merged, last, owners, schema);
  yield;
  const change = compareFields(liveFields, pruned, schema);
  yield;
  const allowed = write.manager === kubectl ? fieldsLastApplied(live, write.apiVersion, schema) : emptySet;
  const conflicts = write.force ? [] : conflictsOf(owners, mine, change, allowed);
  if (conflicts.length > 0) throw new ApplyConflicts(conflicts);
  yield;
  disown(owners, change, mine);
  yield;
  const changed = !deepEqual(liveFields, pruned);
  mine.entry = {
    ...mine.entry,
    apiVersion: write.apiVersion,
    ...(changed || live === undefined ? { time: write.time } : {}),
  };
  const object = assemble(live ?? write.applied, write.applied, pruned);
  yield;
  const managedFields = encode(owners);
  if (managedFields) object.metadata.managedFields = managedFields;
  else delete object.metadata.managedFields;
  if (write.manager === kubectl) refreshLastApplied(object, write.applied);
  return { object, changed };
}

/** A separate manager owns the fields set before the first apply, so that this apply can conflict. */
function ownBeforeFirstApply(owners: Owner[], write: Write, liveFields: any): void {
  const change = compareFields(zeroValue(write.schema), liveFields, write.schema);
  const fields = withoutReset(union(change.added, change.modified), write.resetFields);
  if (isEmptySet(fields)) return;
  const entry = { manager: 'before-first-apply', operation: 'Update', apiVersion: write.apiVersion, time: write.time };
  owners.push({ entry: { ...entry, ...(write.subresource && { subresource: write.subresource }) }, fields });
}

/** Removes fields that this manager applied last time and omits now, unless another manager owns them. */
function* prune(merged: any, last: FieldSet, owners: Owner[], schema: Schema): Steps<any> {
  if (isEmptySet(last)) return merged;
  const owned = unionOf(owners.map((owner) => owner.fields));
  const mergedSet = withNamedParents(fieldsOf(merged, schema), schema);
  const without = (value: any, set: FieldSet) => removeFields(value, set, schema) ?? {};
  yield;
  const first = without(merged, withNamedParents(last, schema));
  yield;
  const kept = withNamedParents(fieldsOf(first, schema), schema);
  yield;
  const withOwned = without(merged, difference(mergedSet, union(kept, withNamedParents(owned, schema))));
  // Removes only fields of the last apply: fields without an owner stay.
  yield;
  const prunedSet = withNamedParents(fieldsOf(withOwned, schema), schema);
  yield;
  const gone = intersection(difference(mergedSet, prunedSet), withNamedParents(last, schema));
  return without(merged, gone);
}

function conflictsOf(owners: Owner[], mine: Owner, change: Comparison, allowed: FieldSet): ApplyConflict[] {
  const taken = difference(union(change.modified, change.added), allowed);
  return owners
    .filter((owner) => owner !== mine)
    .flatMap((owner) =>
      [...paths(intersection(owner.fields, taken))].map((path) => ({
        manager: managerText(owner.entry),
        field: pathText(path),
      })),
    )
    .sort((a, b) => (a.manager + a.field < b.manager + b.field ? -1 : 1));
}

function managerText(entry: ManagedFieldsEntry): string {
  const name =
    JSON.stringify(entry.manager ?? '') + (entry.subresource ? ` with subresource "${entry.subresource}"` : '');
  return entry.operation === 'Update' ? `${name} using ${entry.apiVersion}` : name;
}

/** Removes changed, added and removed fields from every owner but `except`. */
function disown(owners: Owner[], change: Comparison, except: Owner | undefined): void {
  const lost = union(union(change.modified, change.added), change.removed);
  if (isEmptySet(lost)) return;
  for (const owner of owners) {
    if (owner === except) continue;
    const left = difference(owner.fields, lost);
    if (!sameSet(left, owner.fields)) owner.fields = left;
  }
}

function ownerOf(owners: Owner[], write: Write, operation: 'Apply' | 'Update'): Owner {
  const found = owners.find(
    ({ entry }) =>
      entry.manager === write.manager &&
      entry.operation === operation &&
      (entry.subresource ?? '') === (write.subresource ?? '') &&
      (operation === 'Apply' || entry.apiVersion === write.apiVersion),
  );
  if (found) return found;
  const entry: ManagedFieldsEntry = { manager: write.manager, operation, apiVersion: write.apiVersion };
  if (write.subresource) entry.subresource = write.subresource;
  const owner = { entry, fields: emptySet };
  owners.push(owner);
  return owner;
}

/** At most this many managers with operation Update are separate; the oldest are merged into one. */
const maxUpdateManagers = 10;

function capUpdates(owners: Owner[]): Owner[] {
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
const encoded = new WeakMap<FieldSet, any>();

function keepDecoded(json: object, fields: FieldSet): void {
  if (!hasAtMost(fields, largestDecoded)) return;
  if (decoded.size >= mostDecoded) decoded.delete(decoded.keys().next().value as object);
  decoded.set(json, fields);
}

function decode(entries: readonly ManagedFieldsEntry[]): Owner[] {
  return entries.map((entry) => {
    const json = entry.fieldsV1 ?? {};
    let fields = decoded.get(json);
    if (!fields) {
      fields = fromFieldsV1(json);
      keepDecoded(json, fields);
      encoded.set(fields, json);
    }
    return { entry, fields };
  });
}

function encode(owners: readonly Owner[]): ManagedFieldsEntry[] | undefined {
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

/** Fields of metadata that identify the object or that the server writes: they have no owner. */
const untracked = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
];

function tracked(object: any): any {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  const kept: Record<string, any> = {};
  for (const key in metadata) if (!untracked.includes(key)) kept[key] = metadata[key];
  return { ...rest, metadata: kept };
}

/** The fields of `pruned` with the identity that `tracked` left out. */
function assemble(live: any, applied: any, pruned: any): any {
  const { apiVersion, kind, metadata } = live;
  const identity: Record<string, any> = {};
  for (const key of untracked) {
    const value = applied.metadata?.[key] ?? metadata?.[key];
    if (value !== undefined) identity[key] = value;
  }
  return { apiVersion, kind, ...pruned, metadata: { ...identity, ...pruned.metadata } };
}

function withoutPaths(object: any, drop: Write['resetFields']): any {
  let out = object;
  for (const path of drop ?? []) {
    const set = path.reduceRight<FieldSet>(
      (inner, name) => ({ member: false, children: new Map([[`f:${name}`, inner]]) }),
      onlyThis,
    );
    out = removeFields(out, set, undefined) ?? {};
  }
  return out;
}

function withoutReset(set: FieldSet, drop: Write['resetFields']): FieldSet {
  let out = difference(set, metadataItself);
  for (const path of drop ?? []) {
    const gone = path.reduceRight<FieldSet>(
      (inner, name) => ({ member: false, children: new Map([[`f:${name}`, inner]]) }),
      onlyThis,
    );
    out = differenceBelow(out, gone);
  }
  return out;
}

const metadataItself: FieldSet = { member: false, children: new Map([['f:metadata', onlyThis]]) };
