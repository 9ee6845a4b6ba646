// Server-side apply. https://kubernetes.io/docs/reference/using-api/server-side-apply/

import { type ApiObject, badRequest, conflict, type Kind, notFound } from '../../../api/api.ts';
import { ApplyConflicts, applyingConfiguration } from '../../../machinery/fields/managed-fields.ts';
import { isFields } from '../../../machinery/parsed.ts';
import { PatchError } from '../../../machinery/patches/patch-error.ts';
import { breathe, inSteps, isLarge } from '../../heavy.ts';
import type { Body } from '../../request/body.ts';
import type { Reply } from '../../request/reply.ts';
import { failure, plainError } from '../../status.ts';
import { applyElsewhere } from '../../threads/large-objects.ts';
import { timestamp } from '../../timestamp.ts';
import { apiVersionOf, groupVersion, parseLoosely } from '../codec.ts';
import type { Target } from '../operation.ts';
import type { Written } from './commit.ts';
import { createObject } from './create.ts';
import { resetFields, writtenFields } from './field-owners.ts';
import { decodePatched, type PatchContent } from './patch.ts';
import { goType } from './patching.ts';
import { replaceObject, replyOf } from './update.ts';

export async function applyPatch(target: Target, content: PatchContent): Promise<Reply> {
  return replyOf(target, await applyTo(target, content));
}

/**
 * Applies the body, of `bodyKind` (default: the target's kind), after `translate` converted it to the target's kind.
 */
export async function applyTo(
  target: Target,
  content: PatchContent,
  bodyKind: Kind = target.kind,
  translate: (applied: ApiObject) => ApiObject = (applied) => applied,
): Promise<Written> {
  const { kind, name, subresource, work } = target;
  const { options } = content;
  const given = await givenConfiguration(target, content, bodyKind);
  const applied = translate(given.object);
  const write = {
    applied,
    manager: options.fieldManager,
    force: options.force,
    ...(subresource && { subresource }),
    apiVersion: apiVersionOf(kind),
    time: timestamp(target.server.clock.now()),
    schema: kind.schema,
    resetFields: resetFields(kind, subresource),
    writtenFields: writtenFields(kind, subresource),
    description: `${given.identity}; ${kind.group}/${kind.version}, Kind=${kind.kind}`,
  };
  return replaceObject(target, options, {
    isApplied: true,
    isPatched: true,
    make: async (live) => {
      await breathe(work);
      const object = await merged(target, { ...write, live });
      given.reportDuplicates();
      await breathe(work);
      if (applied.metadata.resourceVersion) object.metadata.resourceVersion = applied.metadata.resourceVersion;
      return decodePatched(target, options, object, { keepsNulls: true });
    },
    missing: async () => {
      if (subresource) throw notFound(kind, name);
      if (applied.metadata.uid)
        throw conflict(
          kind,
          name,
          `uid mismatch: the provided object specified uid ${applied.metadata.uid}, and no existing object was found`,
        );
      await breathe(work);
      const object = await merged(target, { ...write, live: undefined });
      given.reportDuplicates();
      await breathe(work);
      return createObject(target, await decodePatched(target, options, object, { keepsNulls: true }), options, true);
    },
  });
}

async function merged(
  { work, kind }: Target,
  write: Parameters<typeof applyElsewhere>[2] & { readonly description: string },
): Promise<ApiObject> {
  try {
    if (isLarge(work)) return await applyElsewhere(work, kind, write);
    return (await inSteps(work, applyingConfiguration(write))).object as ApiObject;
  } catch (error) {
    if (error instanceof PatchError)
      throw plainError(`failed to create typed patch object (${write.description}): ${error.message}`);
    if (!(error instanceof ApplyConflicts)) throw error;
    throw failure(409, 'Conflict', error.message, {
      causes: error.conflicts.map(({ manager, field }) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${manager}`,
        field,
      })),
    });
  }
}

async function looselyFrom(body: Body | undefined) {
  if (!body) return { value: undefined, duplicates: [] };
  return 'object' in body
    ? { value: body.object as unknown, duplicates: [] }
    : parseLoosely(body.bytes.toString(), 'yaml');
}

interface GivenConfiguration {
  readonly object: ApiObject;
  /** Namespace and name as the body has them, for messages. */
  readonly identity: string;
  /** Fields that stood twice. An error of the apply itself comes first. */
  reportDuplicates(): void;
}

async function givenConfiguration(
  target: Target,
  { body, options }: PatchContent,
  kind: Kind,
): Promise<GivenConfiguration> {
  const { value, duplicates } = await looselyFrom(body);
  if (!isFields(value))
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    );
  for (const field of ['apiVersion', 'kind'] as const)
    if (value[field] !== undefined && value[field] !== null && typeof value[field] !== 'string')
      throw badRequest(
        `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(value[field])} into Go struct field .${field} of type string`,
      );
  const given = value as Partial<ApiObject>;
  const [group, version] = groupVersion(given.apiVersion ?? '');
  if (given.kind !== kind.kind || group !== kind.group || version !== kind.version)
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${given.kind ?? ''}`);
  if (given.metadata?.managedFields !== undefined && given.metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  const metadata = { ...given.metadata } as ApiObject['metadata'];
  if (!Object.hasOwn(metadata, 'name')) metadata.name = target.name;
  const text = (field: unknown) => (typeof field === 'string' ? field : '');
  return {
    object: { ...value, metadata },
    identity: `${text(given.metadata?.namespace)}/${text(given.metadata?.name)}`,
    reportDuplicates() {
      const problems = duplicates.length ? `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}` : '';
      if (problems && options.fieldValidation === 'Strict')
        throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${problems}`);
      if (problems && options.fieldValidation === 'Warn') target.warnings.push(...duplicates);
    },
  };
}
