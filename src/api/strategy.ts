// What every kind has in common, put around what a kind does itself.

import type { ApiObject, KindBehaviour, ResourceInfo, Strategy } from './kind.ts';
import { canonical } from './object.ts';
import { schemaOfKind } from './schemas.ts';
import {
  subdomainNames,
  validateMetaFields,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from './validation/metadata.ts';

/**
 * The kind's own strategy with the rules of metadata, with the status kept out of clients' hands, and with the object
 * brought into the form in which it is written.
 */
export function completeStrategy(info: ResourceInfo, behaviour: KindBehaviour): Strategy {
  const own: Strategy = behaviour.strategy ?? {};
  if (!info.verbs.includes('get')) return own;
  const rule = own.nameRule ?? subdomainNames;
  const hasStatus = info.subresources.some(({ name }) => name === 'status');
  const tidy = (object: ApiObject) => canonicalInPlace(info, object);
  /** What was prepared for its creation is also held to the rules for new objects. */
  const fresh = new WeakSet<object>();
  return {
    ...own,
    validateCreate: undefined,
    prepareForCreate(object, context) {
      if (hasStatus && !own.keepsStatusOnCreate) delete object.status;
      own.prepareForCreate?.(object, context);
      tidy(object);
      fresh.add(object);
    },
    prepareForUpdate(next, old, context) {
      if (hasStatus) keep(next, 'status', old);
      own.prepareForUpdate?.(next, old, context);
      tidy(next);
    },
    validate: (object) => [
      ...validateObjectMeta(object.metadata, rule),
      ...(own.validate?.(object) ?? []),
      ...((fresh.has(object) && own.validateCreate?.(object)) || []),
    ],
    validateUpdate: (next, old) => [...metadataUpdate(next, old), ...(own.validateUpdate?.(next, old) ?? [])],
    subresources: {
      ...own.subresources,
      ...(hasStatus && { status: statusStrategy(own.subresources?.status ?? {}, tidy) }),
    },
  };
}

/** Through /status everything but status and metadata stays as it was. */
function statusStrategy(
  own: NonNullable<Strategy['subresources']>[string],
  tidy: (object: ApiObject) => void,
): NonNullable<Strategy['subresources']>[string] {
  return {
    prepareForUpdate(next, old, context) {
      for (const field of new Set([...Object.keys(next), ...Object.keys(old)]))
        if (field !== 'metadata' && field !== 'status') keep(next, field, old);
      own.prepareForUpdate?.(next, old, context);
      tidy(next);
    },
    validate: own.validate,
    validateUpdate: (next, old) => [...metadataUpdate(next, old), ...(own.validateUpdate?.(next, old) ?? [])],
  };
}

/**
 * Kubernetes checks the metadata of an update twice, generically and in each kind, and lists the faults twice; the
 * fields that need no old object once more.
 */
function metadataUpdate(next: ApiObject, old: ApiObject) {
  const errors = validateObjectMetaUpdate(next.metadata, old.metadata);
  return [...errors, ...errors, ...validateMetaFields(next.metadata, 'metadata')];
}

function keep(next: ApiObject, field: string, old: ApiObject): void {
  if (old[field] === undefined) delete next[field];
  else next[field] = old[field];
}

function canonicalInPlace(info: ResourceInfo, object: ApiObject): void {
  const schema = schemaOfKind(info.group, info.version, info.kind);
  if (!schema) return;
  const tidied = canonical(schema, object);
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, tidied);
}
