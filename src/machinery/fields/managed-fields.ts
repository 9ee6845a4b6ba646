// Field ownership: metadata.managedFields for updates and for server-side apply.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/

import { deepEqual } from '../collections/equal.ts';
import { type Fields, fieldsIn } from '../parsed.ts';
import { fieldsLastApplied, kubectl, refreshLastApplied } from '../patches/last-applied.ts';
import type { Schema } from '../schema.ts';
import { finish, type Steps } from '../time/steps.ts';
import { checkApplied } from './applied-faults.ts';
import { type Comparison, compareFields } from './compare-fields.ts';
import { creatingFields } from './created-fields.ts';
import {
  below,
  difference,
  differenceBelow,
  emptySet,
  type FieldSet,
  fieldsOf,
  intersection,
  isEmptySet,
  isFieldsV1,
  onlyThis,
  paths,
  pathText,
  sameSet,
  union,
  unionOf,
  withNamedParents,
} from './field-set.ts';
import { mergeFields, removeFields } from './merge-fields.ts';
import { capUpdates, decode, encode, type ManagedFieldsEntry, type Owner } from './owners.ts';
import { zeroValue } from './zero-value.ts';

export type { ManagedFieldsEntry };

/** An object of any kind, as far as ownership concerns it. */
interface Managed {
  readonly apiVersion?: string;
  readonly kind?: string;
  metadata?: { name?: string; annotations?: Record<string, string>; managedFields?: ManagedFieldsEntry[] };
}

export interface Write {
  /** The object as stored; undefined when it is created. */
  readonly live: Managed | undefined;
  readonly manager: string;
  readonly subresource?: string;
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. */
  readonly time: string;
  readonly schema: Schema;
  readonly isLarge?: boolean; // its steps are smaller
  /** Fields that this endpoint does not write, such as [['status']]: their owners stay as they are. */
  readonly resetFields?: readonly (readonly string[])[];
  /** The only fields that this endpoint writes, if it is so; `*` is any item. */
  readonly writtenFields?: readonly (readonly string[])[] | undefined;
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

/** managedFields after a create, update or patch turned `live` into `next`; undefined without any owner. */
export const updateManagedFields = (write: Write & { readonly next: Managed }): ManagedFieldsEntry[] | undefined =>
  finish(updatingManagedFields(write));

/** The same in steps. */
export function* updatingManagedFields(
  write: Write & { readonly next: Managed },
): Steps<ManagedFieldsEntry[] | undefined> {
  const owners = decode(ownersToStartFrom(write));
  // Only an apply begins to track an object without owners.
  if (write.live !== undefined && owners.length === 0) return undefined;
  if (
    write.live === undefined &&
    owners.length === 0 &&
    write.resetFields?.every((path) => path.length === 1) !== false
  )
    return yield* ofCreator(write);
  const before = write.live === undefined ? zeroValue(write.schema) : tracked(write.live);
  yield;
  const change = changeOf(before, tracked(write.next), write, false);
  yield;
  disown(owners, change, undefined);
  yield;
  const mine = difference(union(change.modified, change.added), metadataItself);
  if (!isEmptySet(mine)) {
    const owner = ownerOf(owners, write, 'Update');
    owner.fields = union(owner.fields, mine);
    owner.entry = { ...owner.entry, apiVersion: write.apiVersion, time: write.time };
  }
  yield;
  return encode(capUpdates(owners));
}

/** The change without the fields that the endpoint does not write: it neither adds nor removes owners of them. */
function changeOf(before: Fields, after: Fields, write: Write, isExact: boolean): Comparison {
  const { added, modified, removed } = compareFields(before, after, write.schema, isExact);
  return { added: written(added, write), modified: written(modified, write), removed: written(removed, write) };
}

function written(set: FieldSet, { resetFields, writtenFields }: Write): FieldSet {
  const rest = withoutPathsBelow(set, resetFields);
  return writtenFields ? unionOf(writtenFields.map((path) => below(rest, path))) : rest;
}

/** Fields that cannot be read count as not given, as in Kubernetes. */
const isReadable = (entry: ManagedFieldsEntry): boolean =>
  (entry.fieldsType === undefined || entry.fieldsType === 'FieldsV1') && isFieldsV1(entry.fieldsV1);

/** Same as below in one walk: most objects have a single creator that owns all fields. */
function* ofCreator(write: Write & { readonly next: Managed }): Steps<ManagedFieldsEntry[] | undefined> {
  const { manager, apiVersion, time, subresource, schema, isLarge } = write;
  const fields = (yield* creatingFields(zeroValue(schema), tracked(write.next), schema, isLarge)) ?? {};
  for (const [name] of write.resetFields ?? []) delete fields[`f:${name}`];
  if (Object.keys(fields).length === 0) return undefined;
  const entry = { manager, operation: 'Update', apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: fields };
  return [subresource ? { ...entry, subresource } : entry];
}

/** A client may send managedFields: one empty entry, or an empty list instead of entries, clears them. */
function ownersToStartFrom(write: Write & { readonly next: Managed }): ManagedFieldsEntry[] {
  const live = write.live?.metadata?.managedFields ?? [];
  const given = write.next.metadata?.managedFields;
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

type Application = Write & { readonly applied: Managed; readonly force: boolean };

interface Applied {
  readonly object: Managed;
  readonly changed: boolean;
}

/** The same in steps. */
export function* applyingConfiguration(write: Application): Steps<Applied> {
  const { live, schema } = write;
  const owners = decode(live?.metadata?.managedFields ?? []);
  const liveFields = live === undefined ? zeroValue(schema) : tracked(live);
  if (live !== undefined && owners.length === 0) ownBeforeFirstApply(owners, write, liveFields);

  const config = tracked(write.applied);
  checkApplied({ ...config, metadata: write.applied.metadata }, schema);
  yield;
  const merged = mergeFields(liveFields, config, schema) as Fields;
  yield;
  const fields = written(difference(fieldsOf(config, schema), metadataItself), write);
  const mine = ownerOf(owners, write, 'Apply');
  const last = mine.fields;
  mine.fields = fields;
  yield;
  const pruned = yield* prune(merged, last, owners, schema);
  yield;
  const change = changeOf(liveFields, pruned, write, true);
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
  if (managedFields) object.metadata = { ...object.metadata, managedFields };
  else delete object.metadata?.managedFields;
  if (write.manager === kubectl) refreshLastApplied(object, write.applied);
  return { object, changed };
}

/** A separate manager owns the fields set before the first apply, so that this apply can conflict. */
function ownBeforeFirstApply(owners: Owner[], write: Write, liveFields: Fields): void {
  const change = compareFields(zeroValue(write.schema), liveFields, write.schema);
  const fields = written(difference(union(change.added, change.modified), metadataItself), write);
  if (isEmptySet(fields)) return;
  const entry = { manager: 'before-first-apply', operation: 'Update', apiVersion: write.apiVersion, time: write.time };
  owners.push({ entry: { ...entry, ...(write.subresource && { subresource: write.subresource }) }, fields });
}

/** Removes fields that this manager applied last time and omits now, unless another manager owns them. */
function* prune(merged: Fields, last: FieldSet, owners: Owner[], schema: Schema): Steps<Fields> {
  if (isEmptySet(last)) return merged;
  const owned = unionOf(owners.map((owner) => owner.fields));
  const mergedSet = withNamedParents(fieldsOf(merged, schema), schema);
  const without = (value: Fields, set: FieldSet) => withoutFields(value, set, schema);
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

function tracked(object: Managed): Fields {
  const { apiVersion: _apiVersion, kind: _kind, metadata: whole, ...rest } = object;
  const metadata = fieldsIn(whole);
  const kept: Fields = {};
  for (const key in metadata) if (!untracked.includes(key)) kept[key] = metadata[key];
  return { ...rest, metadata: kept };
}

/** The fields of `pruned` with the identity that `tracked` left out. */
function assemble(live: Managed, applied: Managed, pruned: Fields): Managed {
  const { apiVersion, kind } = live;
  const [given, stored] = [fieldsIn(applied.metadata), fieldsIn(live.metadata)];
  const identity: Fields = {};
  for (const key of untracked) {
    // A name that is given as null is no name.
    const value = key === 'name' && key in given ? given[key] : (given[key] ?? stored[key]);
    if (value !== undefined) identity[key] = value;
  }
  const metadata = { ...identity, ...fieldsIn(pruned['metadata']) };
  return { apiVersion, kind, ...pruned, metadata };
}

const withoutFields = (object: Fields, set: FieldSet, schema: Schema | undefined): Fields =>
  (removeFields(object, set, schema) ?? {}) as Fields;

function withoutPathsBelow(set: FieldSet, drop: Write['resetFields']): FieldSet {
  let out = set;
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
