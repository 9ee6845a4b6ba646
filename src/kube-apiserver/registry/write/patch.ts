// Patches in JSON, as a merge and as a strategic merge; apply.ts has the fourth form. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply

import { ApiError, type ApiObject, type Kind, unsupportedMediaType } from '../../../api/api.ts';
import { must } from '../../../machinery/must.ts';
import { breathe, inSteps, isLarge } from '../../heavy.ts';
import type { Reply } from '../../request/reply.ts';
import { failure, unsupportedPatch } from '../../status.ts';
import { patchElsewhere } from '../../threads/large-objects.ts';
import { decodeValue } from '../codec.ts';
import type { Operation, Target } from '../operation.ts';
import { checkNamespace, matchName } from '../target.ts';
import type { WriteContent } from './create.ts';
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
    return text !== undefined && (!read || isLarge(work))
      ? patchElsewhere(kind, type, text, live)
      : inSteps(work, patching(type, must(read, 'a short patch'), live, kind.schema));
  };
}

/** The patched document as an object. A mismatch with its kind is a fault of the patch. */
export function decodePatched(
  target: Target,
  options: WriteOptions,
  document: Partial<ApiObject>,
  { shown, faults }: Partial<Patched> = {},
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
