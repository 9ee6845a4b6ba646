// What a request for a resource is about: its kind, its cache, its key.

import { type ApiObject, badRequest, forbidden, type Kind } from '../../api/api.ts';
import type { ApiRequest } from '../request.ts';
import type { Server } from '../server.ts';
import { failure } from '../status.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import { decodeStored } from './codec.ts';

export interface Target {
  readonly request: ApiRequest;
  readonly server: Server;
  readonly kind: Kind;
  readonly cache: ResourceCache;
  /** '' for cluster-scoped kinds, and for a list of all namespaces. */
  readonly namespace: string;
  readonly name: string;
}

export async function targetOf(request: ApiRequest, kind: Kind): Promise<Target> {
  const { server, info } = request;
  const cache = cacheOf(server, kind);
  return {
    request,
    server,
    kind,
    cache: cache instanceof Promise ? await cache : cache,
    namespace: kind.namespaced ? info.namespace : '',
    name: info.name,
  };
}

/** A resource's cache; a promise only on first use. */
export function cacheOf(server: Server, kind: Kind): ResourceCache | Promise<ResourceCache> {
  return server.cache.cache(`/registry/${kind.storagePrefix}/`, (value) => decodeStored(server, value, kind));
}

/** The cache of a built-in resource by name, for what looks beside its own kind. */
export async function cacheOfResource(server: Server, group: string, resource: string): Promise<ResourceCache> {
  const kind = server.kinds.all().find((k) => k.group === group && k.resource === resource && !k.virtual);
  if (!kind) throw new Error(`the resource ${resource} of group "${group}" is not served`);
  return cacheOf(server, kind);
}

export const keyOf = (kind: Kind, namespace: string, name: string): string =>
  `/registry/${kind.storagePrefix}/${kind.namespaced ? `${namespace}/` : ''}${name}`;

/** Where a list of this target begins: all keys under it have this prefix. */
export const listPrefix = ({ kind, namespace }: Target): string =>
  `/registry/${kind.storagePrefix}/${namespace ? `${namespace}/` : ''}`;

/** Reads the options that all writes share, refusing what is out of rule. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly force: boolean;
}

export function writeOptions(request: ApiRequest, optionsKind: string): WriteOptions {
  const { query, headers, user } = request;
  const errors: { reason: string; field: string; message: string }[] = [];
  const dryRun = query.getAll('dryRun').filter(Boolean);
  if (dryRun.some((value) => value !== 'All'))
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'dryRun',
      message: `Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`,
    });
  const given = query.get('fieldManager') ?? '';
  if (Buffer.byteLength(given) > 128)
    errors.push({
      reason: 'FieldValueTooLong',
      field: 'fieldManager',
      message: 'Too long: may not be more than 128 bytes',
    });
  const notPrintable = [...given].findIndex((character) => !/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character));
  if (notPrintable >= 0)
    errors.push({
      reason: 'FieldValueInvalid',
      field: 'fieldManager',
      message: `Invalid value: ${JSON.stringify(given)}: should only contain printable characters`,
    });
  const validation = query.get('fieldValidation') || 'Warn';
  if (!['Ignore', 'Warn', 'Strict'].includes(validation))
    errors.push({
      reason: 'FieldValueNotSupported',
      field: 'fieldValidation',
      message: `Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`,
    });
  if (errors.length) throw invalidOptions(optionsKind, errors);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: given || managerOf(headers['user-agent'] ?? user.name.replace(/^system:/, '')),
    fieldValidation: validation as WriteOptions['fieldValidation'],
    force: query.get('force') === 'true',
  };
}

/** A 422 about the options of a request, in Kubernetes' form. */
export function invalidOptions(kind: string, causes: readonly { reason: string; field: string; message: string }[]) {
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  return failure(
    422,
    'Invalid',
    `${kind}.meta.k8s.io "" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`,
    {
      group: 'meta.k8s.io',
      kind,
      causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  );
}

/** The object's namespace must be that of the path; left out, it becomes that. */
export function matchNamespace(target: Target, object: ApiObject): void {
  const given = object.metadata.namespace ?? '';
  if (given === target.namespace) return;
  if (given && target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (target.namespace) object.metadata.namespace = target.namespace;
  else delete object.metadata.namespace;
}

const managers = new Map<string, string>();
const mostManagers = 4_096;

/** By the program's name, without its version. One text for all its writes: thousands of objects keep it. */
function managerOf(agent: string): string {
  let manager = managers.get(agent);
  if (manager === undefined) {
    manager = agent.split('/')[0].slice(0, 128) || 'unknown';
    if (managers.size >= mostManagers) managers.clear();
    managers.set(agent, manager);
  }
  return manager;
}

export { forbidden };
