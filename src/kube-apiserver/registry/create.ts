import { ApiError, type ApiObject, alreadyExists } from '../../api/api.ts';
import { admit, admitFinally } from '../admission.ts';
import { breathe } from '../heavy.ts';
import { objectReply, type Reply } from '../request.ts';
import { failure, plainError } from '../status.ts';
import { decodeBody, finished, sharesBytes } from './codec.ts';
import { keyOf, matchNamespace, type Target, type WriteOptions, writeOptions } from './target.ts';
import {
  attributesOf,
  dedupeOwners,
  putCharged,
  storable,
  strategyContext,
  timestamp,
  trackFields,
  validateNew,
  type Written,
} from './write.ts';

/** How often a generated name that is taken is drawn anew. */
const generateAttempts = 8;

export async function create(target: Target): Promise<Reply> {
  const options = writeOptions(target.request, 'CreateOptions');
  const object = await decodeBody(target.request, target.kind, options);
  const { object: made, item } = await createObject(target, object, options);
  return objectReply(201, made, target.kind, item && sharesBytes(target.kind) ? item : undefined);
}

/** Creates what was decoded. `track` is false when the managed fields are set already (apply). */
export async function createObject(
  target: Target,
  object: ApiObject,
  options: WriteOptions,
  track = true,
): Promise<Written> {
  const { kind, server } = target;
  matchNamespace(target, object);
  dedupeOwners(target, object);
  await breathe(target.request);
  if (track) await trackFields(target, object, undefined, options.fieldManager);
  await breathe(target.request);
  const named = { ...target, name: target.name || (object.metadata.name ?? '') };
  const attributes = attributesOf(named, 'CREATE', object, undefined, options.dryRun);
  await admit(attributes);
  dedupeOwners(target, object);
  if (/^0*[1-9]\d*$/.test(object.metadata.resourceVersion ?? ''))
    throw plainError('resourceVersion should not be set on objects to be created');
  const { generateName } = object.metadata;
  const generated = !object.metadata.name && !!generateName;
  for (let attempt = 1; ; attempt++) {
    await breathe(target.request);
    const draft = attempt === 1 ? object : (structuredClone(object) as ApiObject);
    if (generated) draft.metadata.name = generateNameFrom(generateName as string, server.random.suffix(5));
    const made = await insert(named, draft, options, attributes, !track);
    if (made) return made;
    if (!generated) throw taken409(named, draft);
    if (attempt === generateAttempts) throw namesExhausted(kind, draft.metadata.name ?? '');
  }
}

/** Undefined when the name is taken. */
async function insert(
  target: Target,
  object: ApiObject,
  { dryRun }: WriteOptions,
  attributes: ReturnType<typeof attributesOf>,
  applied: boolean,
): Promise<Written | undefined> {
  const { kind, server, request } = target;
  const { managedFields } = object.metadata;
  fillMetadata(target, object);
  kind.strategy.prepareForCreate?.(object, strategyContext(target));
  if (managedFields) object.metadata.managedFields = managedFields;
  await breathe(request);
  await validateNew(target, object);
  await breathe(request);
  const allocation = await server.allocators.allocate({ kind, next: object, dryRun });
  try {
    const named = { ...attributes, object, name: object.metadata.name ?? '' };
    await admitFinally(named);
    await breathe(request);
    const { stored, object: final } = await storable(kind, finished(kind, object, !!allocation), applied);
    const result = await putCharged(target, stored, 0, named, allocation?.writes);
    if (dryRun) return taken(target, final) ? undefined : { object: final, created: true };
    return result;
  } finally {
    allocation?.release();
  }
}

const taken = ({ kind, cache }: Target, { metadata }: ApiObject): boolean =>
  cache.get(keyOf(kind, metadata.namespace ?? '', metadata.name ?? '')) !== undefined;

/**
 * What only the server sets. The managed fields, which are large and in order already, are left out: they come back
 * when the strategy has walked through the object.
 */
function fillMetadata({ kind, server }: Target, object: ApiObject): void {
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
  // Kinds whose changes are not counted keep what the client says.
  if (kind.hasGeneration || generation) system.generation = kind.hasGeneration ? 1 : generation;
  system.creationTimestamp = timestamp(server.clock.now());
  object.metadata = { ...system, ...rest } as ApiObject['metadata'];
}

/** A name has at most 63 characters, so that it fits a label: the base is cut. */
const generateNameFrom = (base: string, suffix: string): string => base.slice(0, 63 - suffix.length) + suffix;

function taken409({ kind, cache }: Target, { metadata }: ApiObject) {
  const error = alreadyExists(kind, metadata.name ?? '');
  const holder = cache.get(keyOf(kind, metadata.namespace ?? '', metadata.name ?? ''));
  if (!holder?.object.metadata.deletionTimestamp) return error;
  return new ApiError({ ...error.status, message: `object is being deleted: ${error.status.message}` });
}

function namesExhausted(kind: Target['kind'], name: string) {
  const { group, resource } = kind;
  return failure(
    409,
    'AlreadyExists',
    `${group ? `${resource}.${group}` : resource} "${name}" already exists, the server was not able to generate a unique name for the object`,
    { name, ...(group && { group }), kind: resource, retryAfterSeconds: 1 },
  );
}
