import { type ApiObject, badRequest, conflict, notFound } from '../../api/api.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { admit, admitFinally } from '../admission.ts';
import { breathe, workOn } from '../heavy.ts';
import { objectReply, type Reply } from '../request.ts';
import { failure, plainError } from '../status.ts';
import { prepareSubresource } from '../subresources/prepare.ts';
import type { Item } from '../watch-cache/item.ts';
import { decodeBody, finished, prepareServed, served, sharesBytes } from './codec.ts';
import { createObject } from './create.ts';
import { isGone, removeNow } from './removal.ts';
import { keyOf, matchNamespace, type Target, type WriteOptions, writeOptions } from './target.ts';
import {
  attributesOf,
  dedupeOwners,
  putCharged,
  rulesOf,
  staleObject,
  storable,
  strategyContext,
  trackFields,
  validateChange,
  type Written,
} from './write.ts';

/** How often a write without a resourceVersion is tried on newer and newer objects. */
const attempts = 64;

export async function update(target: Target): Promise<Reply> {
  const options = writeOptions(target.request, 'UpdateOptions');
  const object = await decodeBody(target.request, target.kind, options);
  matchName(target, object);
  matchNamespace(target, object);
  const result = await replaceObject(target, options, {
    // A strategy changes the object in place: a second attempt needs the first one's input.
    make: (_, attempt) => (attempt === 1 ? object : structuredClone(object)),
    missing: () => createMissing(target, object, options),
  });
  return replyOf(target, result);
}

export function replyOf({ kind }: Target, { object, item, created }: Written): Reply {
  return objectReply(created ? 201 : 200, object, kind, item && sharesBytes(kind) ? item : undefined);
}

export function matchName({ name }: Target, object: ApiObject): void {
  const given = object.metadata?.name ?? '';
  if (!given)
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (given !== name)
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
}

function createMissing(target: Target, object: ApiObject, options: WriteOptions): Promise<Written> {
  const { kind, name } = target;
  if (!kind.strategy.allowCreateOnUpdate || target.request.info.subresource) throw notFound(kind, name);
  const { uid, resourceVersion } = object.metadata;
  if (uid) throw uidPrecondition(target, uid, '');
  if (resourceVersion && resourceVersion !== '0') throw notFound(kind, name);
  return createObject(target, object, options);
}

const uidPrecondition = ({ kind, namespace, name }: Target, uid: string, found: string) =>
  conflict(
    kind,
    name,
    `StorageError: invalid object, Code: 4, Key: ${keyOf(kind, namespace, name)}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${found}`,
  );

export interface Replacement {
  /** The new object, made from the live one, which is shared and must stay as it is. Its metadata counts as asked for. */
  make(live: ApiObject, attempt: number): ApiObject | Promise<ApiObject>;
  missing?(): Promise<Written>;
  /** False: managed fields are set already (apply). */
  readonly track?: boolean;
  /** True: a uid that differs is a fault of the object and not a failed precondition (patch). */
  readonly patched?: boolean;
  /** True: whatever the object's kind asks for, a resourceVersion need not be named (scale). */
  readonly unconditional?: boolean;
}

/** Reads, changes and writes an object until nobody else was faster, or until the client's resourceVersion is stale. */
export async function replaceObject(target: Target, options: WriteOptions, change: Replacement): Promise<Written> {
  const { kind, cache, namespace, name } = target;
  for (let attempt = 1; ; attempt++) {
    const item = cache.get(keyOf(kind, namespace, name));
    if (!item) {
      if (change.missing) return change.missing();
      throw notFound(kind, name);
    }
    await prepareServed(kind, [item]);
    workOn(target.request, item.keptBytes);
    const live = served(kind, item);
    const next = await change.make(live, attempt);
    checkPreconditions(target, next, live, change);
    const unconditional = !next.metadata.resourceVersion || change.patched || change.unconditional;
    const result = await replaceOnce(target, options, next, live, item, change.track ?? true);
    if (result) return result;
    if (!unconditional || attempt >= attempts) throw staleObject(kind, name);
  }
}

function checkPreconditions(target: Target, next: ApiObject, live: ApiObject, change: Replacement): void {
  const { patched, unconditional } = change;
  const { kind, name } = target;
  const { uid, resourceVersion } = next.metadata;
  if (uid && uid !== live.metadata.uid && !patched) throw uidPrecondition(target, uid, live.metadata.uid ?? '');
  if (!resourceVersion || resourceVersion === '0') {
    if (kind.strategy.allowUnconditionalUpdate === false && !patched && !unconditional) throw versionRequired(target);
    return;
  }
  if (!/^\d+$/.test(resourceVersion))
    throw plainError(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  if (resourceVersion !== live.metadata.resourceVersion) throw staleObject(kind, name);
}

function versionRequired({ kind, name }: Target) {
  const message = 'Invalid value: 0: must be specified for an update';
  const { group, resource } = kind;
  return failure(
    422,
    'Invalid',
    `${group ? `${resource}.${group}` : resource} "${name}" is invalid: metadata.resourceVersion: ${message}`,
    {
      name,
      ...(group && { group }),
      kind: resource,
      causes: [{ reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' }],
    },
  );
}

/** Undefined when the live object changed meanwhile. */
async function replaceOnce(
  target: Target,
  options: WriteOptions,
  next: ApiObject,
  live: ApiObject,
  item: Item,
  track: boolean,
): Promise<Written | undefined> {
  const { kind, server, request } = target;
  const { subresource } = request.info;
  dedupeOwners(target, next);
  keepMetadata(next, live);
  await breathe(request);
  if (track) await trackFields(target, next, live, options.fieldManager);
  await breathe(request);
  const attributes = attributesOf(target, 'UPDATE', next, live, options.dryRun);
  await admit(attributes);
  await breathe(request);
  const { managedFields } = next.metadata;
  next.metadata.managedFields = undefined;
  prepareGenerically(target, next, live);
  rulesOf(kind, subresource).prepareForUpdate?.(next, live, strategyContext(target));
  if (managedFields) next.metadata.managedFields = managedFields;
  else delete next.metadata.managedFields;
  countGeneration(target, next, live);
  await breathe(request);
  await validateChange(target, next, live);
  await breathe(request);
  const { dryRun } = options;
  const allocation = subresource ? undefined : await server.allocators.allocate({ kind, next, live, dryRun });
  try {
    await admitFinally({ ...attributes, object: next });
    await breathe(request);
    const done = finished(kind, next, !!allocation || (subresource !== '' && subresource !== 'status'));
    const { stored, object: final } = await storable(kind, done, !track);
    if (item.holds(stored.serialized, stored.object)) return { object: live, item, created: false };
    if (options.dryRun) {
      await putCharged(target, stored, item.revision, { ...attributes, object: next });
      final.metadata.resourceVersion = live.metadata.resourceVersion;
      return { object: final, created: false };
    }
    const result = isGone(final, live)
      ? await removeNow(target, item, final)
      : await putCharged(target, stored, item.revision, { ...attributes, object: next }, allocation?.writes);
    return result;
  } finally {
    allocation?.release();
  }
}

/** What no client changes: it is as it was, whatever was sent. */
function keepMetadata(next: ApiObject, live: ApiObject): void {
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
  delete metadata.selfLink;
}

/** Through a subresource only its own part changes, and through the object all but the status. */
function prepareGenerically({ kind, request }: Target, next: ApiObject, live: ApiObject): void {
  const prepare = prepareSubresource(request.info.subresource);
  if (prepare) prepare(next, live);
  else if (kind.subresources.some(({ name }) => name === 'status')) {
    if (live.status === undefined) delete next.status;
    else next.status = live.status;
  }
}

function countGeneration({ kind, request }: Target, next: ApiObject, live: ApiObject): void {
  if (!kind.hasGeneration || request.info.subresource === 'status') return;
  if (next.metadata.generation !== live.metadata.generation) return;
  const { metadata: _, status: __, ...wanted } = next;
  const { metadata: ___, status: ____, ...before } = live;
  if (!deepEqual(wanted, before)) next.metadata.generation = (live.metadata.generation ?? 0) + 1;
}
