import { ApiError, type ApiObject, alreadyExists, type Kind } from '../../../api/api.ts';
import { objectReply, type Reply } from '../../request/reply.ts';
import { failure } from '../../status.ts';
import { type Content, decodeBody, sharesBytes } from '../codec.ts';
import type { Place, Target } from '../operation.ts';
import { keyOf, matchNamespace } from '../target.ts';
import type { Written } from './commit.ts';
import type { WriteOptions } from './write-options.ts';
import { accepting, runSteps, storing, type Write } from './write-steps.ts';

/** Attempts to find a generated name that is free. */
const generateAttempts = 8;

export interface WriteContent extends Content {
  readonly options: WriteOptions;
}

export async function create(target: Target, content: WriteContent): Promise<Reply> {
  const decoded = await decodeBody(target, content);
  const { object, item } = await createObject(target, decoded, content.options);
  return objectReply(201, object, target.kind, item && sharesBytes(target.kind) ? item : undefined);
}

/** Creates a decoded or applied object. */
export async function createObject(
  target: Target,
  object: ApiObject,
  options: WriteOptions,
  isApplied = false,
): Promise<Written> {
  matchNamespace(target, object);
  const write: Write = { target, options, isApplied, object };
  await runSteps(write, accepting);
  const { generateName = '' } = object.metadata;
  const isGenerated = !object.metadata.name && generateName !== '';
  for (let attempt = 1; ; attempt++) {
    if (attempt > 1) write.object = structuredClone(object);
    if (isGenerated) write.object.metadata.name = generatedName(generateName, target.server.random.suffix(5));
    const written = await runSteps(write, storing);
    if (written) return written;
    const { name = '' } = write.object.metadata;
    if (!isGenerated) throw taken(target, write.object);
    if (attempt === generateAttempts) throw namesExhausted(target.kind, name);
  }
}

/** A name has at most 63 characters, so that it fits a label: the base is truncated. */
const generatedName = (base: string, suffix: string): string => base.slice(0, 63 - suffix.length) + suffix;

function taken({ kind, cache }: Place, { metadata }: ApiObject): ApiError {
  const error = alreadyExists(kind, metadata.name ?? '');
  const holder = cache.get(keyOf(kind, metadata.namespace ?? '', metadata.name ?? ''));
  if (!holder?.object.metadata.deletionTimestamp) return error;
  return new ApiError({ ...error.status, message: `object is being deleted: ${error.status.message}` });
}

function namesExhausted({ group, resource }: Kind, name: string): ApiError {
  return failure(
    409,
    'AlreadyExists',
    `${group ? `${resource}.${group}` : resource} "${name}" already exists, the server was not able to generate a unique name for the object`,
    { name, ...(group && { group }), kind: resource, retryAfterSeconds: 1 },
  );
}
