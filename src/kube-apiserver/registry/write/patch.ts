// Patches in JSON, as a merge and as a strategic merge; apply.ts has the fourth form. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply

import { ApiError, type ApiObject, badRequest, type Kind, unsupportedMediaType } from '../../../api/api.ts';
import { must } from '../../../machinery/must.ts';
import { breathe, inSteps, isLarge } from '../../heavy.ts';
import type { Reply } from '../../request/reply.ts';
import { failure, unsupportedPatch } from '../../status.ts';
import { patchElsewhere } from '../../threads/large-objects.ts';
import { apiVersionOf, decodeValue } from '../codec.ts';
import type { Operation, Target } from '../operation.ts';
import { checkNamespace, matchName } from '../target.ts';
import type { WriteContent } from './create.ts';
import { patchedText } from './patched-text.ts';
import { checkPatch, type Patched, type PatchForm, patching, readPatch } from './patching.ts';
import { replaceObject, replyOf } from './update.ts';
import type { WriteOptions } from './write-options.ts';

type PatchType = PatchForm | 'apply';

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
      const { document, ...patched } = await change(live);
      await breathe(target.work);
      return decodePatched(target, content.options, document, patched);
    },
    isPatched: true,
  });
  return replyOf(target, result);
}

/** From a live object to a new document. */
type Change = (live: ApiObject) => Promise<Patched>;

/** Characters of a patch that another thread reads. */
const largeText = 256 << 10;

/** The patch as a function from a live object to a new document. `kind` is the document's. */
export async function patchOf({ work }: Operation, { type, body, options }: PatchContent, kind: Kind): Promise<Change> {
  if (type === 'apply') throw new Error('apply.ts has applied configurations');
  const text = body && 'bytes' in body ? body.bytes.toString() : undefined;
  const isLong = text !== undefined && text.length >= largeText;
  await breathe(work);
  let read = body && 'object' in body ? { value: body.object as unknown, faults: [] as readonly string[] } : undefined;
  return async (live) => {
    // Only now: a missing object comes before faults of the patch.
    if (!isLong) {
      read ??= readPatch(text, type);
      checkPatch(type, read.value, options.fieldValidation);
    }
    if (text !== undefined && (!read || isLarge(work))) return patchElsewhere(work, kind, type, text, live);
    const short = must(read, 'a short patch');
    return { ...(await inSteps(work, patching(type, short, live, kind.schema))), patch: { type, value: short.value } };
  };
}

/** The patched document as an object. A mismatch with its kind is a fault of the patch. */
export async function decodePatched(
  target: Target,
  options: WriteOptions,
  document: Partial<ApiObject>,
  patched: Partial<Patched> = {},
): Promise<ApiObject> {
  const { shown, faults, keepsNulls } = patched;
  let object: ApiObject;
  try {
    const typed = shown === undefined ? document : withTypeOf(target, document);
    object = await decodeValue(target, target.kind, typed, options, faults, keepsNulls);
    // An empty list clears the owners; an absent one does not.
    if (document.metadata?.managedFields?.length === 0) object.metadata.managedFields = [];
  } catch (error) {
    if (error instanceof ApiError && error.code === 400) throw patchInvalid(document, error, target, patched);
    throw error;
  }
  matchName(target, object);
  checkNamespace(target.namespace, object);
  return object;
}

/** A strategic merge patch does not change the type of its object: names in it do not matter. */
function withTypeOf({ kind }: Target, document: Partial<ApiObject>): Partial<ApiObject> {
  for (const field of ['apiVersion', 'kind'] as const)
    if (document[field] !== undefined && document[field] !== null && typeof document[field] !== 'string')
      throw badRequest('unrecognized type: string');
  return { ...document, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

function patchInvalid(
  document: object,
  error: ApiError,
  { kind }: Target,
  { shown, patch }: Partial<Patched>,
): ApiError {
  const prefixes = [
    new RegExp(`^\\S+ in version "[^"]*" cannot be handled as an? ${kind.kind}: `),
    new RegExp(`^the object provided is unrecognized \\(must be of type ${kind.kind}\\): (.*) \\(.*\\)$`, 's'),
  ];
  const reason = prefixes.reduce(
    (text, prefix) => text.replace(prefix, (_, rest) => (typeof rest === 'string' ? rest : '')),
    error.status.message ?? '',
  );
  const why = shown ? unstructuredWords(reason) : reason;
  const message = `Invalid value: ${JSON.stringify(shown ?? patchedText(document, patch))}: ${why}`;
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
  const isConverted = from === 'number' && to !== 'bool' && !(kind === 'float64' && to === 'string');
  return isConverted ? `cannot convert ${kind} to ${to}` : `unrecognized type: ${to}`;
}
