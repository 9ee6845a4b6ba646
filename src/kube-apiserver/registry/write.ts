// What every write does between decoding and the store: ownership, admission, strategy, validation, commit.

import { type ApiObject, conflict, type FieldError, invalid, type Kind } from '../../api/api.ts';
import { updatingManagedFields } from '../../machinery/fields/managed-fields.ts';
import { type AdmissionAttributes, charge } from '../admission.ts';
import { breathe, inSteps, isLarge } from '../heavy.ts';
import { plainError } from '../status.ts';
import { trackElsewhere, validateElsewhere } from '../threads/large-objects.ts';
import { timestamp } from '../timestamp.ts';
import { verifyRequest } from '../verify-request.ts';
import { type Item, type Serialized, serialize } from '../watch-cache/item.ts';
import type { ObjectWrite } from '../watch-cache/watch-cache.ts';
import { apiVersionOf, ordered, prepareServed, prepareStored, served } from './codec.ts';
import { eventLease } from './event-lease.ts';
import { keyOf, type Target } from './target.ts';

/** The object as it was written, or as it would be, for the answer. */
export { timestamp };

export interface Written {
  readonly object: ApiObject;
  readonly item?: Item;
  readonly created: boolean;
}

export const staleObject = (kind: Kind, name: string) =>
  conflict(kind, name, 'the object has been modified; please apply your changes to the latest version and try again');

export function attributesOf(
  target: Target,
  operation: AdmissionAttributes['operation'],
  object: ApiObject | undefined,
  oldObject: ApiObject | undefined,
  dryRun: boolean,
  deletion: object = {},
): AdmissionAttributes {
  const { request, server, kind, namespace } = target;
  return {
    server,
    operation,
    kind,
    resource: kind.resource,
    subresource: request.info.subresource,
    namespace: kind.resource === 'namespaces' && !kind.group ? request.info.namespace : namespace,
    // Before a name is generated, messages show what it will begin with.
    name: target.name || object?.metadata?.name || object?.metadata?.generateName || '',
    requestName: request.info.name,
    isPatch: request.info.verb === 'patch',
    object,
    oldObject,
    options: optionsOf(request.query, operation, deletion),
    dryRun,
    user: request.user,
    warn: (text) => request.warnings.push(text),
    annotate: (key, value) => request.audit?.annotate(key, value),
  };
}

const optionKinds = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' } as const;

/** What came with the request, as webhooks and policies see it; a patch has the options of what it does. */
function optionsOf(query: URLSearchParams, operation: AdmissionAttributes['operation'], deletion: object) {
  if (operation === 'CONNECT') return null;
  const given: Record<string, unknown> = { ...deletion };
  if (query.getAll('dryRun').some(Boolean)) given.dryRun = ['All'];
  if (operation !== 'DELETE')
    for (const field of ['fieldManager', 'fieldValidation']) if (query.get(field)) given[field] = query.get(field);
  return { kind: optionKinds[operation], apiVersion: 'meta.k8s.io/v1', ...given };
}

export const strategyContext = ({ server, request }: Target) => ({
  now: server.clock.now(),
  user: request.user,
  verifyRequest,
});

/** Fields that an endpoint does not write: nobody comes to own them through it. */
export function resetFields(kind: Kind, subresource: string, object: ApiObject): readonly (readonly string[])[] {
  if (subresource === '') return kind.subresources.some(({ name }) => name === 'status') ? [['status']] : [];
  if (subresource !== 'status') return [];
  const others = Object.keys(object).filter((field) => !['apiVersion', 'kind', 'metadata', 'status'].includes(field));
  if (kind.custom) others.push('metadata');
  return others.map((field) => [field]);
}

/** Sets metadata.managedFields of `next`; `live` is undefined for a create. */
export async function trackFields(
  target: Target,
  next: ApiObject,
  live: ApiObject | undefined,
  manager: string,
): Promise<void> {
  const { kind, server, request } = target;
  const { subresource } = request.info;
  const write = {
    live,
    next,
    manager,
    ...(subresource && { subresource }),
    apiVersion: apiVersionOf(kind),
    time: timestamp(server.clock.now()),
    schema: kind.schema,
    resetFields: resetFields(kind, subresource, next),
  };
  const managedFields = isLarge(request)
    ? await trackElsewhere(kind, write)
    : await inSteps(request, updatingManagedFields(write));
  if (managedFields) next.metadata.managedFields = managedFields as ApiObject['metadata']['managedFields'];
  else delete next.metadata.managedFields;
}

/** Throws 422 with everything that is wrong with a new object; warns of the rest. */
export async function validateNew(target: Target, object: ApiObject): Promise<void> {
  const { kind, request } = target;
  if (isLarge(request)) return validateInThread(target, object, undefined);
  refuse(kind, object, kind.strategy.validate?.(object) ?? []);
  request.warnings.push(...(kind.strategy.warnings?.(object) ?? []));
}

export async function validateChange(target: Target, next: ApiObject, live: ApiObject): Promise<void> {
  const { kind, request } = target;
  if (isLarge(request)) return validateInThread(target, next, live);
  refuse(kind, next, rulesOf(kind, request.info.subresource).validateUpdate?.(next, live) ?? []);
  request.warnings.push(...(kind.strategy.warnings?.(next, live) ?? []));
}

async function validateInThread({ kind, request }: Target, next: ApiObject, live: ApiObject | undefined) {
  const { faults, warnings } = await validateElsewhere(kind, request.info.subresource, next, live);
  refuse(kind, next, faults);
  request.warnings.push(...warnings);
}

function refuse(kind: Kind, object: ApiObject, faults: readonly FieldError[]): void {
  if (faults.length) throw invalid(named(kind, object), object.metadata.name ?? '', faults);
}

/** A custom resource is told of under the kind that it claims to be, even when that is what is wrong. */
const named = (kind: Kind, object: ApiObject) => (kind.custom ? { ...kind, kind: object.kind ?? kind.kind } : kind);

/** Strategy functions for the object itself or for one of its subresources. */
export const rulesOf = (kind: Kind, subresource: string) =>
  subresource ? (kind.strategy.subresources?.[subresource] ?? {}) : kind.strategy;

/**
 * The duplicates among owner references go, with a warning.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
 */
export function dedupeOwners(target: Target, object: ApiObject): void {
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
  target.request.warnings.push(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...duplicates].join(', ')}`,
  );
}

/** An object on its way to the store: in the storage version, as an object and as bytes. */
export interface Stored {
  readonly object: ApiObject;
  readonly serialized: Serialized;
}

export function toStored(kind: Kind, object: ApiObject): Stored {
  if (!kind.toStorage) return { object, serialized: serialize(object) };
  const stored = ordered(kind.toStorage(object));
  const serialized = serialize(stored);
  // The version that is stored may have defaults that the object's own version has not.
  return { object: kind.readStored ? ordered(kind.readStored(stored)) : stored, serialized };
}

/**
 * The object as it is stored, and as it is answered. One that is too large is written without its managed fields, which
 * may be large, unless it is applied: then they are the purpose.
 */
export async function storable(kind: Kind, object: ApiObject, applied: boolean): Promise<Storable> {
  await prepareStored(kind, object);
  const stored = toStored(kind, object);
  if (applied || !isTooLarge(kind, stored.serialized) || !object.metadata.managedFields) return { stored, object };
  const { managedFields: _, ...metadata } = object.metadata;
  return storable(kind, { ...object, metadata } as ApiObject, applied);
}

interface Storable {
  readonly stored: Stored;
  readonly object: ApiObject;
}

/** Bytes that etcd takes in one request. */
const mostBytes = 1.5 * 2 ** 20;

/** Custom resources are JSON in etcd too; other kinds are smaller there than what is stored here. */
const isTooLarge = ({ custom }: Kind, { value }: Serialized): boolean => Boolean(custom) && value.length > mostBytes;

/** Writes one object, and `also` in the same transaction. Undefined when `expected` is no longer what is stored. */
export async function put(
  target: Target,
  { object, serialized }: Stored,
  expected: number,
  also: readonly ObjectWrite[] = [],
): Promise<Written | undefined> {
  const { kind, server } = target;
  const { namespace = '', name = '' } = object.metadata;
  const key = keyOf(kind, namespace, name);
  if (isTooLarge(kind, serialized)) throw plainError('etcdserver: request is too large');
  const lease = await eventLease(server, kind);
  const own = { key, serialized, object, expected, ...(lease !== undefined && { lease }) };
  const result = await server.cache.commit(also.length ? [own, ...also] : [own]);
  if (!result.ok) return undefined;
  return written(target, key, result.revision, object, expected === 0);
}

/** How often a write is tried whose charge somebody else was faster to change. */
const chargeAttempts = 16;

/** `put` with what admission charges for it, in one transaction. Nothing is written for a dry run. */
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
    const charging = charge(attributes);
    const charged = charging && (await charging);
    try {
      if (attributes.dryRun) {
        await breathe(target.request);
        return undefined;
      }
      const result = await put(target, stored, expected, charged ? [...also, ...charged.writes] : also);
      const isOwnFault = (target.cache.get(key)?.revision ?? 0) !== expected;
      if (result || !charged || isOwnFault || attempt === chargeAttempts) return result;
    } finally {
      charged?.release();
    }
  }
}

async function written(
  { kind, cache }: Target,
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
  // Somebody else was already faster with the next change.
  const object = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(revision) } } as ApiObject;
  await kind.prepareConversion?.([object], kind.version);
  return { object: kind.fromStorage ? kind.fromStorage(object) : object, created };
}
