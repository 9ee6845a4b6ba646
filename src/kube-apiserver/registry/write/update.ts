import { type ApiObject, conflict, notFound } from '../../../api/api.ts';
import { workOn } from '../../heavy.ts';
import { objectReply, type Reply } from '../../request/reply.ts';
import { failure, plainError } from '../../status.ts';
import { decodeBody, prepareServed, served, sharesBytes } from '../codec.ts';
import type { Place, Target } from '../operation.ts';
import { keyOf, matchName, matchNamespace } from '../target.ts';
import { staleObject, type Written } from './commit.ts';
import { createObject, type WriteContent } from './create.ts';
import { onNewest } from './newest.ts';
import type { WriteOptions } from './write-options.ts';
import { accepting, runSteps, storing } from './write-steps.ts';

/** How often a write without a resourceVersion is tried on newer and newer objects. */
const attempts = 64;

const steps = [...accepting, ...storing];

export async function update(target: Target, content: WriteContent): Promise<Reply> {
  const { options } = content;
  const object = await decodeBody(target, content);
  matchNamespace(target, object);
  matchName(target, object);
  const result = await replaceObject(target, options, {
    // A strategy changes the object in place: a second attempt needs the original input.
    make: (_, attempt) => (attempt === 1 ? object : structuredClone(object)),
    missing: () => createMissing(target, object, options),
  });
  return replyOf(target, result);
}

export function replyOf({ kind }: Place, { object, item, created }: Written): Reply {
  return objectReply(created ? 201 : 200, object, kind, item && sharesBytes(kind) ? item : undefined);
}

function createMissing(target: Target, object: ApiObject, options: WriteOptions): Promise<Written> {
  const { kind, name, subresource } = target;
  if (!kind.strategy.allowCreateOnUpdate || subresource) throw notFound(kind, name);
  const { uid, resourceVersion } = object.metadata;
  if (uid) throw uidPrecondition(target, options, uid, '');
  if (resourceVersion && resourceVersion !== '0') throw notFound(kind, name);
  return createObject(target, object, options);
}

const registryPrefix = '/registry';
/** A dry run checks the precondition above the layer that adds the prefix to keys. */
const uidPrecondition = ({ kind, namespace, name }: Place, { dryRun }: WriteOptions, uid: string, found: string) =>
  conflict(
    kind,
    name,
    `StorageError: invalid object, Code: 4, Key: ${keyOf(kind, namespace, name).slice(dryRun ? registryPrefix.length : 0)}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${found}`,
  );

interface Replacement {
  /** Makes the new object from the live one, which is shared and immutable. */
  make(live: ApiObject, attempt: number): ApiObject | Promise<ApiObject>;
  missing?(): Promise<Written>;
  /** True: managed fields are set already (apply). */
  readonly isApplied?: boolean;
  /** True: a uid that differs is a fault of the object and not a failed precondition (patch). */
  readonly isPatched?: boolean;
  /** True: resourceVersion is optional for every kind (scale). */
  readonly unconditional?: boolean;
}

/** Reads, changes and writes an object until no other write interferes, or the client's resourceVersion is stale. */
export async function replaceObject(target: Target, options: WriteOptions, change: Replacement): Promise<Written> {
  const mayRepeat = onNewest(target);
  for (let attempt = 1; ; attempt++)
    try {
      const result = await replaceOnce(target, options, change, attempt);
      if (result) return result;
    } catch (error) {
      if (!(await mayRepeat(error))) throw error;
    }
}

/** Undefined when another write was faster, and a further attempt may succeed. */
async function replaceOnce(
  target: Target,
  options: WriteOptions,
  change: Replacement,
  attempt: number,
): Promise<Written | undefined> {
  const { kind, cache, namespace, name } = target;
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) {
    // An object that another server has just made is not missing.
    if (attempt === 1 && (await target.server.cache.catchUp())) return undefined;
    if (change.missing) return change.missing();
    throw notFound(kind, name);
  }
  await prepareServed(kind, [item]);
  workOn(target.work, item.keptBytes);
  const live = served(kind, item);
  const object = await change.make(live, attempt);
  checkPreconditions({ target, options }, object, live, change);
  const unconditional = !object.metadata.resourceVersion || change.isPatched || change.unconditional;
  const isApplied = change.isApplied ?? false;
  const result = await runSteps({ target, options, isApplied, replaced: { live, item }, object }, steps);
  if (!result && (!unconditional || attempt >= attempts)) throw staleObject(kind, name);
  return result;
}

interface Request {
  readonly target: Target;
  readonly options: WriteOptions;
}

function checkPreconditions({ target, options }: Request, next: ApiObject, live: ApiObject, change: Replacement): void {
  const { isPatched, unconditional } = change;
  const { kind, name } = target;
  const { uid, resourceVersion } = next.metadata;
  if (uid && uid !== live.metadata.uid && !isPatched)
    throw uidPrecondition(target, options, uid, live.metadata.uid ?? '');
  if (!resourceVersion || resourceVersion === '0') {
    if (kind.strategy.allowUnconditionalUpdate === false && !unconditional) throw versionRequired(target);
    return;
  }
  if (!/^\d+$/.test(resourceVersion))
    throw plainError(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  if (resourceVersion !== live.metadata.resourceVersion) throw staleObject(kind, name);
}

function versionRequired({ kind, name }: Place) {
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
