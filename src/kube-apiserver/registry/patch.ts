// Patches in JSON, as a merge and as a strategic merge; apply.ts has the fourth form. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply

import {
  ApiError,
  type ApiObject,
  badRequest,
  duplicateFaults,
  type Kind,
  parseJson,
  type ReadText,
  unsupportedMediaType,
} from '../../api/api.ts';
import { isFields } from '../../machinery/parsed.ts';
import { applyingJsonPatch, mostOperations } from '../../machinery/patches/json-patch.ts';
import { applyMergePatch } from '../../machinery/patches/merge-patch.ts';
import { PatchError } from '../../machinery/patches/patch-error.ts';
import { applyStrategicMergePatch } from '../../machinery/patches/strategic-merge-patch.ts';
import { isTooDeep } from '../../machinery/text/depth.ts';
import { goFormat } from '../../machinery/text/go-format.ts';
import type { Body } from '../body.ts';
import { breathe, inSteps, type Work } from '../heavy.ts';
import type { Reply } from '../reply.ts';
import { failure, plainError, unsupportedPatch } from '../status.ts';
import { parsed } from '../threads/parsing.ts';
import { decodeValue } from './codec.ts';
import type { WriteContent } from './create.ts';
import type { Operation, Target } from './operation.ts';
import { checkNamespace, matchName } from './target.ts';
import { replaceObject, replyOf } from './update.ts';
import type { WriteOptions } from './write-options.ts';

type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const mediaTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};
const customTypes = Object.keys(mediaTypes).filter((mediaType) => mediaTypes[mediaType] !== 'strategic');

/** Throws a 415 for a content type that is no patch, or none that this kind supports. */
export function patchTypeOf(contentType: string, kind: Kind): PatchType {
  const mediaType = contentType.split(';')[0].trim();
  if (mediaType === 'application/apply-patch+cbor') throw unsupportedMediaType('415: Unsupported Media Type');
  const type = mediaTypes[mediaType];
  if (!type) throw failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  if (type === 'strategic' && kind.custom) throw unsupportedPatch(customTypes);
  return type;
}

export interface PatchContent extends WriteContent {
  readonly type: PatchType;
}

export async function patch(target: Target, content: PatchContent): Promise<Reply> {
  const change = await patchOf(target, content, target.kind);
  const result = await replaceObject(target, content.options, {
    make: async (live) => {
      const patched = await change(live);
      await breathe(target.work);
      return decodePatched(target, content.options, patched, change);
    },
    isPatched: true,
  });
  return replyOf(target, result);
}

/** A function from a live object to a new document. */
interface Change {
  (live: ApiObject): object | Promise<object>;
  /** The patch in errors; undefined: errors show the patched document. */
  readonly shown?: string;
  /** Faults that strict field validation refuses. */
  readonly faults?: readonly string[];
}

/** The patch as a function from a live object to a new document. `kind` is the document's. */
export async function patchOf({ work }: Operation, { type, body }: PatchContent, kind: Kind): Promise<Change> {
  const read = body && 'bytes' in body ? await parsed(body.bytes.toString(), 'json') : undefined;
  await breathe(work);
  const { value, faults } = parsePatch(body, type, read);
  if (type === 'json') return jsonPatch(work, value, faults);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    );
  return type === 'merge'
    ? Object.assign((live: ApiObject) => applyMergePatch(live, value) as object, { faults })
    : strategicPatch(kind, value, faults);
}

const rejected = () => failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

function jsonPatch(work: Work, value: unknown, faults: readonly string[]): Change {
  if (!Array.isArray(value))
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type []handlers.jsonPatchOp`,
    );
  if (value.length > mostOperations)
    throw failure(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${mostOperations}, got ${value.length}`,
    );
  for (const operation of value) checkOperation(operation);
  const unknown = value.flatMap((operation, index) => unknownParts(operation, index));
  const change: Change = async (live) => {
    const patched = await inSteps(work, applyingJsonPatch(live, value)).catch(refusing(rejected));
    // Moves and copies can nest an object deeper than any request body.
    if (isTooDeep(patched)) throw rejected();
    return patched;
  };
  return Object.assign(change, { faults: [...faults, ...unknown].map((fault) => `json patch ${fault}`) });
}

function strategicPatch({ schema }: Kind, value: object, faults: readonly string[]): Change {
  const change: Change = (live) =>
    attempt(
      () => applyStrategicMergePatch(live, value, schema),
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
function checkOperation(operation: unknown): void {
  const cannot = (value: unknown, target: string) =>
    badRequest(`error decoding patch: json: cannot unmarshal ${goType(value)} into Go ${target}`);
  if (!isFields(operation)) throw cannot(operation, 'value of type handlers.jsonPatchOp');
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

export function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  return value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;
}

function parsePatch(
  body: Body | undefined,
  type: PatchType,
  read: ReadText = () => parseJson(''),
): { value: unknown; faults: readonly string[] } {
  if (body && 'object' in body) return { value: body.object, faults: [] };
  try {
    const { value, duplicates } = read();
    return { value, faults: duplicateFaults(duplicates) };
  } catch (error) {
    const { message } = error as Error;
    throw badRequest(type === 'strategic' ? message : `error decoding patch: ${message}`);
  }
}

/** The patched document as an object. A mismatch with its kind is a fault of the patch. */
export function decodePatched(
  target: Target,
  options: WriteOptions,
  document: Partial<ApiObject>,
  { shown, faults }: Pick<Change, 'shown' | 'faults'> = {},
): ApiObject {
  let object: ApiObject;
  try {
    object = decodeValue(target, target.kind, document, options, faults);
    // An empty list clears the owners; an absent one does not.
    if (document.metadata?.managedFields?.length === 0) object.metadata.managedFields = [];
  } catch (error) {
    if (error instanceof ApiError && error.code === 400) throw patchInvalid(document, error, target, shown);
    throw error;
  }
  matchName(target, object);
  checkNamespace(target.namespace, object);
  return object;
}

function patchInvalid(document: object, error: ApiError, { kind }: Target, shown?: string): ApiError {
  const prefix = new RegExp(`^\\S+ in version "[^"]*" cannot be handled as an? ${kind.kind}: `);
  const reason = (error.status.message ?? '').replace(prefix, '');
  const why = shown ? unstructuredWords(reason) : reason;
  const sorted = Object.fromEntries(Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1)));
  const message = `Invalid value: ${JSON.stringify(shown ?? JSON.stringify(sorted))}: ${why}`;
  return failure(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }],
  });
}

/** A strategic merge patch has another decoder in Kubernetes, whose message has the types but not the field. */
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
