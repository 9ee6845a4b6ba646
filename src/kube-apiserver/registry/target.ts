// The caches of resources and the keys of their objects.

import { type ApiObject, badRequest, type Kind } from '../../api/api.ts';
import type { Environment } from '../environment.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import { decodeStored } from './codec.ts';
import type { Operation, Place, Target } from './operation.ts';

/** The operation with its resource's cache; a promise only on first use. */
export function targetOf(operation: Operation): Target | Promise<Target> {
  const cache = cacheOf(operation.server, operation.kind);
  return cache instanceof Promise ? cache.then((loaded) => ({ ...operation, cache: loaded })) : { ...operation, cache };
}

/** A resource's cache; a promise only on first use. */
export function cacheOf(server: Environment, kind: Kind): ResourceCache | Promise<ResourceCache> {
  const { storagePrefix, watchedBy, selectableFields } = kind;
  const indexOf = watchedBy && selectableFields[watchedBy];
  return server.cache.cache(`/registry/${storagePrefix}/`, (value) => decodeStored(server, value, kind), indexOf);
}

/** The cache of a built-in resource by name. */
export async function cacheOfResource(server: Environment, group: string, resource: string): Promise<ResourceCache> {
  const kind = server.kinds.all().find((k) => k.group === group && k.resource === resource && !k.virtual);
  if (!kind) throw new Error(`the resource ${resource} of group "${group}" is not served`);
  return cacheOf(server, kind);
}

export const keyOf = (kind: Kind, namespace: string, name: string): string =>
  `/registry/${kind.storagePrefix}/${kind.namespaced ? `${namespace}/` : ''}${name}`;

/** Where a list of this place begins: all keys under it have this prefix. */
export const listPrefix = ({ kind, namespace }: Place): string =>
  `/registry/${kind.storagePrefix}/${namespace ? `${namespace}/` : ''}`;

/** The object's namespace must be that of the operation; left out, it becomes that. */
export function matchNamespace({ namespace }: Operation, object: ApiObject): void {
  if ((object.metadata.namespace ?? '') === namespace) return;
  checkNamespace(namespace, object);
  if (namespace) object.metadata.namespace = namespace;
  else delete object.metadata.namespace;
}

/** Throws a 400 when the object names a namespace that is not that of the operation. */
export function checkNamespace(namespace: string, { metadata }: ApiObject): void {
  if (metadata.namespace && namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** The object's name must be that of the operation. Throws a 400. */
export function matchName({ name }: Operation, object: ApiObject): void {
  const given = object.metadata?.name ?? '';
  if (!given)
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (given !== name)
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
}
