// PATCH in its four forms. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply

import {
  ApiError,
  type ApiObject,
  badRequest,
  conflict,
  duplicateFaults,
  type Kind,
  notFound,
  parseJson,
  type ReadText,
  unsupportedMediaType,
} from '../../api/api.ts';
import { ApplyConflicts, applyingConfiguration } from '../../machinery/fields/managed-fields.ts';
import { applyingJsonPatch } from '../../machinery/patches/json-patch.ts';
import { applyMergePatch } from '../../machinery/patches/merge-patch.ts';
import { PatchError } from '../../machinery/patches/patch-error.ts';
import { applyStrategicMergePatch } from '../../machinery/patches/strategic-merge-patch.ts';
import { isTooDeep } from '../../machinery/text/depth.ts';
import { goFormat } from '../../machinery/text/go-format.ts';
import { breathe, inSteps, isLarge } from '../heavy.ts';
import type { Body, Reply } from '../request.ts';
import { failure, plainError, unsupportedPatch } from '../status.ts';
import { applyElsewhere } from '../threads/large-objects.ts';
import { parsed } from '../threads/parsing.ts';
import { apiVersionOf, decodeValue, groupVersion, parseLoosely } from './codec.ts';
import { createObject } from './create.ts';
import { invalidOptions, type Target, type WriteOptions, writeOptions } from './target.ts';
import { matchName, replaceObject, replyOf } from './update.ts';
import type { Written } from './write.ts';
import { resetFields, timestamp } from './write.ts';

const json = 'application/json-patch+json';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const apply = 'application/apply-patch+yaml';
const known = [json, merge, strategic, apply, 'application/apply-patch+cbor'];

export async function patch(target: Target): Promise<Reply> {
  const type = typeOf(target);
  const options = writeOptions(target.request, 'PatchOptions');
  checkOptions(target, type);
  if (type === apply) return applyPatch(target, options);
  const change = await patchOf(target);
  const result = await replaceObject(target, options, {
    make: async (live) => {
      const patched = await change(live);
      await breathe(target.request);
      return decodePatched(target, options, patched, change);
    },
    patched: true,
  });
  return replyOf(target, result);
}

/** The type of the patch; throws 415 for what is none, or cannot be applied to this kind. */
function typeOf({ request, kind }: Target): string {
  const type = (request.headers['content-type'] ?? '').split(';')[0].trim();
  if (!known.includes(type)) throw failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  if (type === strategic && kind.custom) throw unsupportedPatch([json, merge, apply]);
  if (type === 'application/apply-patch+cbor') throw unsupportedMediaType('415: Unsupported Media Type');
  return type;
}

/** A function that makes a new document of a live object. */
interface Change {
  (live: ApiObject): any | Promise<any>;
  /** How an error shows the patch; undefined: errors show the patched document. */
  readonly shown?: string;
  /** What a strict reading of the patch refuses. */
  readonly faults?: readonly string[];
}

/** The request's patch as a function that makes a new document of a live one. */
export async function patchOf(target: Target): Promise<Change> {
  const type = typeOf(target);
  checkOptions(target, type);
  const body = await target.request.body();
  const read = body && 'bytes' in body ? await parsed(body.bytes.toString(), 'json') : undefined;
  await breathe(target.request);
  return changeOf(target, type, body, read);
}

function checkOptions({ request }: Target, type: string): void {
  const force = request.query.get('force');
  if (type === apply) {
    if (!request.query.get('fieldManager'))
      throw invalidOptions('PatchOptions', [
        { reason: 'FieldValueRequired', field: 'fieldManager', message: 'Required value: is required for apply patch' },
      ]);
  } else if (force !== null)
    throw invalidOptions('PatchOptions', [
      { reason: 'FieldValueForbidden', field: 'force', message: 'Forbidden: may not be specified for non-apply patch' },
    ]);
}

const rejected = () => failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

/** A function that patches a live object, giving a new one. */
function changeOf({ kind, request }: Target, type: string, body: Body | undefined, read: ReadText | undefined): Change {
  const { value, faults } = parsePatch(body, type, read);
  if (type === json) {
    if (!Array.isArray(value))
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type []handlers.jsonPatchOp`,
      );
    if (value.length > 10_000)
      throw failure(
        413,
        'RequestEntityTooLarge',
        `The allowed maximum operations in a JSON patch is 10000, got ${value.length}`,
      );
    for (const operation of value) checkOperation(operation);
    const unknown = value.flatMap((operation, index) => unknownParts(operation, index));
    const change: Change = async (live) => {
      const patched = await inSteps(request, applyingJsonPatch(live, value)).catch(refusing(rejected));
      // Moves and copies can nest an object deeper than any that came in.
      if (isTooDeep(patched)) throw rejected();
      return patched;
    };
    return Object.assign(change, { faults: [...faults, ...unknown].map((fault) => `json patch ${fault}`) });
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    );
  if (type === merge) return Object.assign((live: ApiObject) => applyMergePatch(live, value), { faults });
  const change: Change = (live) =>
    attempt(
      () => applyStrategicMergePatch(live, value, kind.schema),
      ({ kind, message }) =>
        kind === 'schema' ? plainError(message) : kind === 'malformed' ? badRequest(message) : rejected(),
    );
  return Object.assign(change, { shown: goFormat(value), faults });
}

const unknownParts = (operation: object, index: number): string[] =>
  Object.keys(operation)
    .filter((field) => !['op', 'path', 'from', 'value'].includes(field))
    .map((field) => `unknown field ${JSON.stringify(`[${index}].${field}`)}`);

/** The shape of one operation, in the words of Go's decoder. */
function checkOperation(operation: any): void {
  const cannot = (value: unknown, target: string) =>
    badRequest(`error decoding patch: json: cannot unmarshal ${goType(value)} into Go ${target}`);
  if (operation === null || typeof operation !== 'object' || Array.isArray(operation))
    throw cannot(operation, 'value of type handlers.jsonPatchOp');
  for (const field of ['op', 'path', 'from'] as const) {
    const value = operation[field];
    if (value !== undefined && value !== null && typeof value !== 'string')
      throw cannot(value, `struct field jsonPatchOp.${field} of type string`);
  }
}

function attempt<T>(change: () => T, refuse: (error: PatchError) => ApiError): T {
  try {
    return change();
  } catch (error) {
    return refusing(refuse)(error);
  }
}

const refusing =
  (refuse: (error: PatchError) => ApiError) =>
  (error: unknown): never => {
    throw error instanceof PatchError ? refuse(error) : error;
  };

function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  return value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;
}

function parsePatch(
  body: Body | undefined,
  type: string,
  read: ReadText = () => parseJson(''),
): { value: any; faults: readonly string[] } {
  if (body && 'object' in body) return { value: body.object, faults: [] };
  try {
    const { value, duplicates } = read();
    return { value, faults: duplicateFaults(duplicates) };
  } catch (error) {
    const { message } = error as Error;
    throw badRequest(type === strategic ? message : `error decoding patch: ${message}`);
  }
}

/** The patched document as an object. That it does not fit its kind is then the patch's fault. */
function decodePatched(
  target: Target,
  options: WriteOptions,
  document: any,
  { shown, faults }: Pick<Change, 'shown' | 'faults'> = {},
): ApiObject {
  let object: ApiObject;
  try {
    object = decodeValue(target.request, target.kind, document, options, faults);
    // An empty list asks for the owners to be forgotten, and is not the same as none.
    if (document.metadata?.managedFields?.length === 0) object.metadata.managedFields = [];
  } catch (error) {
    if (error instanceof ApiError && error.code === 400) throw patchInvalid(document, error, target, shown);
    throw error;
  }
  matchName(target, object);
  const { namespace } = object.metadata;
  if (target.namespace && namespace && namespace !== target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  return object;
}

function patchInvalid(document: any, error: ApiError, { kind }: Target, shown?: string): ApiError {
  const prefix = new RegExp(`^\\S+ in version "[^"]*" cannot be handled as an? ${kind.kind}: `);
  const reason = (error.status.message ?? '').replace(prefix, '');
  const why = shown ? unstructuredWords(reason) : reason;
  const sorted = Object.fromEntries(Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1)));
  const message = `Invalid value: ${JSON.stringify(shown ?? JSON.stringify(sorted))}: ${why}`;
  return failure(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }],
  });
}

/** A strategic merge patch is decoded by another decoder, which says where from and where to, but not which field. */
function unstructuredWords(reason: string): string {
  const match = /^json: cannot unmarshal (\w+)( \S+)? into Go .* of type (\S+)$/.exec(reason);
  if (!match) return reason;
  const [, from, digits = '', to] = match;
  const number = /[.eE]/.test(digits) ? 'float64' : 'int64';
  const kind = from === 'object' ? 'map' : from === 'array' ? 'slice' : from === 'number' ? number : from;
  if (to.startsWith('map[')) return `cannot restore map from ${kind}`;
  if (to.startsWith('[]')) return `cannot restore slice from ${kind}`;
  if (to.includes('.')) return `cannot restore struct from: ${kind}`;
  return from === 'number' && to !== 'bool' ? `cannot convert ${kind} to ${to}` : `unrecognized type: ${to}`;
}

/** https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
async function applyPatch(target: Target, options: WriteOptions): Promise<Reply> {
  return replyOf(target, await applyTo(target, options));
}

/** Applies the body, which is of `bodyKind` (default: the target's own), after `translate` made it the target's. */
export async function applyTo(
  target: Target,
  options: WriteOptions,
  bodyKind: Kind = target.kind,
  translate: (applied: ApiObject) => ApiObject = (applied) => applied,
): Promise<Written> {
  const { request, kind, name } = target;
  const { subresource } = request.info;
  checkOptions(target, apply);
  const applied = translate(await appliedObject({ ...target, kind: bodyKind }, await request.body()));
  const write = {
    applied,
    manager: options.fieldManager,
    force: options.force,
    ...(subresource && { subresource }),
    apiVersion: apiVersionOf(kind),
    time: timestamp(target.server.clock.now()),
    schema: kind.schema,
    resetFields: resetFields(kind, subresource, applied),
    what: `${applied.metadata.namespace ?? ''}/${name}; ${kind.group}/${kind.version}, Kind=${kind.kind}`,
  };
  return replaceObject(target, options, {
    track: false,
    patched: true,
    make: async (live) => {
      await breathe(request);
      const { uid } = applied.metadata;
      if (uid && uid !== live.metadata.uid)
        throw conflict(
          kind,
          name,
          `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
        );
      const { object } = await merged(target, { ...write, live });
      await breathe(request);
      if (applied.metadata.resourceVersion) object.metadata.resourceVersion = applied.metadata.resourceVersion;
      return decodePatched(target, options, object);
    },
    missing: async () => {
      if (subresource) throw notFound(kind, name);
      if (applied.metadata.uid)
        throw conflict(
          kind,
          name,
          `uid mismatch: the provided object specified uid ${applied.metadata.uid}, and no existing object was found`,
        );
      await breathe(request);
      const { object } = await merged(target, { ...write, live: undefined });
      await breathe(request);
      return createObject(target, decodePatched(target, options, object), options, false);
    },
  });
}

async function merged(
  { request, kind }: Target,
  write: Parameters<typeof applyingConfiguration>[0] & { readonly what: string },
) {
  try {
    return isLarge(request) ? await applyElsewhere(kind, write) : await inSteps(request, applyingConfiguration(write));
  } catch (error) {
    if (error instanceof PatchError)
      throw plainError(`failed to create typed patch object (${write.what}): ${error.message}`);
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
  return 'object' in body ? { value: body.object as any, duplicates: [] } : parseLoosely(body.bytes.toString(), 'yaml');
}

async function appliedObject(target: Target, body: Body | undefined): Promise<ApiObject> {
  const { kind, request, name } = target;
  const { value, duplicates } = await looselyFrom(body);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw badRequest(
      'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type map[string]interface {}',
    );
  for (const field of ['apiVersion', 'kind'] as const)
    if (value[field] !== undefined && value[field] !== null && typeof value[field] !== 'string')
      throw badRequest(
        `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(value[field])} into Go struct field .${field} of type string`,
      );
  const [group, version] = groupVersion(value.apiVersion ?? '');
  if (value.kind !== kind.kind || group !== kind.group || version !== kind.version)
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${value.kind ?? ''}`);
  if (value.metadata?.managedFields !== undefined && value.metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  const validation = writeOptions(request, 'PatchOptions').fieldValidation;
  const problems = duplicates.length ? `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}` : '';
  if (problems && validation === 'Strict')
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${problems}`);
  if (problems && validation === 'Warn') request.warnings.push(...duplicates);
  const metadata = { ...value.metadata };
  metadata.name ??= name;
  const object = { ...value, metadata } as ApiObject;
  matchName(target, object);
  if (target.namespace && metadata.namespace && metadata.namespace !== target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  return object;
}
