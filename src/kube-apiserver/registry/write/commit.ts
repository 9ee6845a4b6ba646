// From an object to the store: in its storage version, as bytes, in one transaction with its allocations and charges.

import { type ApiObject, conflict, type Kind } from '../../../api/api.ts';
import { writingJson } from '../../../machinery/text/split-json.ts';
import { type AdmissionAttributes, charge } from '../../admission.ts';
import { breathe, inSteps, isHuge } from '../../heavy.ts';
import { plainError } from '../../status.ts';
import { type Item, type Serialized, serialize } from '../../watch-cache/item.ts';
import type { ObjectWrite } from '../../watch-cache/watch-cache.ts';
import { ordered, prepareServed, prepareStored, served } from '../codec.ts';
import { leaseOf } from '../lease.ts';
import type { Place, Target } from '../operation.ts';
import { keyOf } from '../target.ts';

/** The object as written (or for a dry run, as it would be), for the response. */
export interface Written {
  readonly object: ApiObject;
  readonly item?: Item;
  readonly created: boolean;
}

export const staleObject = (kind: Kind, name: string) =>
  conflict(kind, name, 'the object has been modified; please apply your changes to the latest version and try again');

/** An object on its way to the store: in the storage version, as an object and as bytes. */
interface Stored {
  readonly object: ApiObject;
  readonly serialized: Serialized;
}

/** In the storage version. */
export function toStored(kind: Kind, object: ApiObject): Stored {
  const stored = inStorageVersion(kind, object);
  return { object: asCached(kind, stored), serialized: serialize(stored) };
}

async function hugeToStored({ kind, work }: Target, object: ApiObject): Promise<Stored> {
  const stored = inStorageVersion(kind, object);
  const text = await inSteps(work, writingJson(stored));
  return { object: asCached(kind, stored), serialized: serialize(stored, text) };
}

const inStorageVersion = (kind: Kind, object: ApiObject): ApiObject =>
  kind.toStorage ? ordered(kind.toStorage(object)) : object;

/** The stored version may have defaults that the object's version lacks. */
const asCached = (kind: Kind, stored: ApiObject): ApiObject =>
  kind.toStorage && kind.readStored ? ordered(kind.readStored(stored)) : stored;

/**
 * The object to store, and the object for the response. Too large objects are written without managedFields, which may
 * be large, except when applied: apply requires them.
 */
export async function storable(target: Target, object: ApiObject, applied: boolean): Promise<Storable> {
  const { kind, work } = target;
  await prepareStored(kind, object);
  const stored = isHuge(work) ? await hugeToStored(target, object) : toStored(kind, object);
  if (applied || !isTooLarge(kind, stored.serialized) || !object.metadata.managedFields) return { stored, object };
  const { managedFields: _, ...metadata } = object.metadata;
  return storable(target, { ...object, metadata } as ApiObject, applied);
}

interface Storable {
  readonly stored: Stored;
  readonly object: ApiObject;
}

/** Bytes that etcd takes in one request. */
const mostBytes = 1.5 * 2 ** 20;

/** The same for kinds that are protobuf in Kubernetes' etcd: its form is smaller, and many patches could add up. */
const mostBuiltinBytes = 4 * 2 ** 20;

const isTooLarge = ({ custom }: Kind, { value }: Serialized): boolean =>
  value.length > (custom ? mostBytes : mostBuiltinBytes);

/** Writes one object, and `also` in the same transaction. Undefined when `expected` is not the stored revision. */
export async function put(
  place: Place,
  { object, serialized }: Stored,
  expected: number,
  also: readonly ObjectWrite[] = [],
): Promise<Written | undefined> {
  const { kind, server } = place;
  const { namespace = '', name = '' } = object.metadata;
  const key = keyOf(kind, namespace, name);
  if (isTooLarge(kind, serialized)) throw plainError('etcdserver: request is too large');
  const lease = await leaseOf(server, kind);
  const own = { key, serialized, object, expected, ...(lease !== undefined && { lease }) };
  const result = await server.cache.commit(also.length ? [own, ...also] : [own]);
  if (!result.ok) return undefined;
  return written(place, key, result.revision, object, expected === 0);
}

/** Attempts of a write whose charge conflicts with another write's. */
const chargeAttempts = 16;

/** `put` with its quota charge, in one transaction. Nothing is written for a dry run. */
export async function putCharged(
  target: Target,
  stored: Stored,
  expected: number,
  attributes: AdmissionAttributes,
  also: readonly ObjectWrite[] = [],
): Promise<Written | undefined> {
  const { namespace = '', name = '' } = stored.object.metadata;
  const key = keyOf(target.kind, namespace, name);
  for (let attempt = 1; ; attempt++) {
    const charging = charge(target.server.admission, attributes);
    const charged = charging && (await charging);
    try {
      if (attributes.dryRun) {
        await breathe(target.work);
        return undefined;
      }
      const result = await put(target, stored, expected, charged ? [...also, ...charged.writes] : also);
      if (result || !charged) return result;
      const isOwnFault = (target.cache.get(key)?.revision ?? 0) !== expected;
      if (isOwnFault) return undefined;
      if (attempt < chargeAttempts) continue;
      if (also.length) return undefined; // an allocated value may be the cause
      // Undefined would report that another object has the name, or another version.
      throw charged.conflict();
    } finally {
      charged?.release();
    }
  }
}

async function written(
  { kind, cache }: Place,
  key: string,
  revision: number,
  stored: ApiObject,
  created: boolean,
): Promise<Written> {
  const item = cache.get(key);
  if (item && item.revision === revision) {
    await prepareServed(kind, [item]);
    return { object: served(kind, item), item, created };
  }
  // Another writer already made the next change.
  const object = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(revision) } } as ApiObject;
  await kind.prepareConversion?.([object], kind.version);
  return { object: kind.fromStorage ? kind.fromStorage(object) : object, created };
}
