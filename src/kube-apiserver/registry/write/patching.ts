// The work of a patch, without a server: for small objects in the main thread, for large ones in another
// (threads/object-worker.ts).

import {
  type ApiError,
  type ApiObject,
  badRequest,
  duplicateFaults,
  parseJson,
  readText,
  type Schema,
} from '../../../api/api.ts';
import { type Fields, fieldsOf, isFields } from '../../../machinery/parsed.ts';
import { applyingJsonPatch, mostOperations } from '../../../machinery/patches/json-patch.ts';
import { applyMergePatch } from '../../../machinery/patches/merge-patch.ts';
import { PatchError } from '../../../machinery/patches/patch-error.ts';
import { applyStrategicMergePatch } from '../../../machinery/patches/strategic-merge-patch.ts';
import { isTooDeep } from '../../../machinery/text/depth.ts';
import { goFormat } from '../../../machinery/text/go-format.ts';
import type { Steps } from '../../../machinery/time/steps.ts';
import { failure, plainError } from '../../status.ts';

export type PatchForm = 'json' | 'merge' | 'strategic';

interface PatchValue {
  readonly value: unknown;
  /** Faults that strict field validation refuses. */
  readonly faults: readonly string[];
}

export interface Patched {
  readonly document: Fields;
  /** The patch in errors; undefined: errors show the patched document. */
  readonly shown?: string;
  /** The patch itself, if it is short. */
  readonly patch?: { readonly type: PatchForm; readonly value: unknown };
  readonly faults: readonly string[];
  /** Set for an apply: its nulls in custom resources are faults where there may be none. */
  readonly keepsNulls?: boolean;
}

/** Throws 400 for a text that is no JSON. */
export function readPatch(text: string | undefined, type: PatchForm): PatchValue {
  try {
    const { value, duplicates } = text === undefined ? parseJson('') : readText(text, 'json');
    return { value, faults: duplicateFaults(duplicates) };
  } catch (error) {
    const { message } = error as Error;
    throw badRequest(type === 'strategic' ? message : `error decoding patch: ${message}`);
  }
}

export function checkPatch(type: PatchForm, value: unknown, validation: string): void {
  if (value === null && type === 'merge') throw badRequest('Invalid JSON Patch');
  if (value === null) return; // changes nothing
  const isChecked = type !== 'strategic' && validation !== 'Ignore';
  if (type === 'json') return checkOperations(value, isChecked);
  if (!isFields(value))
    throw badRequest(
      `${isChecked ? 'error decoding patch: ' : ''}json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    );
}

/** A patched copy of `live`. `value` was checked. */
export function* patching(
  type: PatchForm,
  { value: given, faults }: PatchValue,
  live: ApiObject,
  schema: Schema,
): Steps<Patched> {
  const value = given ?? (type === 'json' ? [] : {});
  if (type === 'merge') return { document: fieldsOf(applyMergePatch(live, value) as object), faults };
  if (type === 'strategic') {
    const document = attempt(
      () => applyStrategicMergePatch(live, value as object, schema),
      ({ kind, message }) =>
        kind === 'schema' ? plainError(message) : kind === 'malformed' ? badRequest(message) : rejected(),
    );
    return { document, shown: goFormat(value), faults };
  }
  return yield* jsonPatching(value as readonly object[], faults, live);
}

const rejected = () => failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

/** `isChecked`: read strictly first, by a decoder with other words. */
function checkOperations(value: unknown, isChecked: boolean): void {
  if (!Array.isArray(value))
    throw badRequest(
      isChecked
        ? `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type []handlers.jsonPatchOp`
        : `json: cannot unmarshal ${goType(value)} into Go value of type jsonpatch.Patch`,
    );
  if (value.length > mostOperations)
    throw failure(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${mostOperations}, got ${value.length}`,
    );
  for (const operation of value) checkOperation(operation);
}

function* jsonPatching(operations: readonly object[], faults: readonly string[], live: ApiObject): Steps<Patched> {
  const unknown = operations.flatMap((operation, index) => unknownParts(operation, index));
  const steps = applyingJsonPatch(live, operations);
  for (;;) {
    const { value, done } = attempt(() => steps.next(), rejected);
    if (!done) {
      yield;
      continue;
    }
    // Moves and copies can nest an object deeper than any request body.
    if (isTooDeep(value)) throw rejected();
    return { document: fieldsOf(value), faults: [...faults, ...unknown].map((fault) => `json patch ${fault}`) };
  }
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
    throw error instanceof PatchError ? refuse(error) : error;
  }
}

export function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'number';
  return value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;
}
