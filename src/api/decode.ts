// Objects of any kind read and written in canonical form: built-in kinds by `object.ts`, custom resources by pruning.

import type { Schema } from '../machinery/schema.ts';
import type { Steps } from '../machinery/time/steps.ts';
import { pruneCustom, pruningCustom } from './custom/prune.ts';
import type { ApiObject, Kind } from './kind.ts';
import {
  canonicalBuiltin,
  canonicalBuiltinChange,
  type Decoded,
  decodeBuiltin,
  decodingBuiltin,
  makingCanonical,
} from './object.ts';
import { isStoredForm } from './stored-form.ts';

/** Throws DecodeError, or QuantityError for an invalid quantity. */
export const decode = (schema: Schema, value: unknown, keepsEmpty = false, keepsNulls = false): Decoded =>
  schema.custom ? pruneCustom(schema, value as ApiObject, false, keepsNulls) : decodeBuiltin(schema, value, keepsEmpty);

/** The same in steps, for large objects. */
export function* decoding(schema: Schema, value: unknown, keepsEmpty = false, keepsNulls = false): Steps<Decoded> {
  return yield* schema.custom
    ? pruningCustom(schema, value as ApiObject, false, keepsNulls)
    : decodingBuiltin(schema, value, keepsEmpty);
}

/** The canonical form of an object with correct types. Unknown fields are dropped. */
export const canonical = <T>(schema: Schema, value: T, keepsEmpty = false): T =>
  schema.custom ? pruneCustom(schema, value).object : canonicalBuiltin(schema, value, keepsEmpty);

/** The canonical form as it is stored, without empty lists and maps: the object itself, if it has none. */
export const storedForm = <T extends object>(kind: Pick<Kind, 'schema' | 'emptyFields'>, object: T): T =>
  kind.emptyFields && !isStoredForm(object) ? canonical(kind.schema, object) : object;

/** The same in steps, for large objects. */
export function* storedFormInSteps<T extends object>(kind: Pick<Kind, 'schema' | 'emptyFields'>, object: T): Steps<T> {
  if (!kind.emptyFields || isStoredForm(object)) return object;
  return yield* canonicalizing(kind.schema, object);
}

/** `canonical` in steps, for large objects. */
export function* canonicalizing<T>(schema: Schema, value: T): Steps<T> {
  return schema.custom ? (yield* pruningCustom(schema, value)).object : yield* makingCanonical(schema, value);
}

/** Same for a changed copy of a canonical object: shared parts are skipped. */
export const canonicalChange = <T>(schema: Schema, next: T, live: T): T =>
  schema.custom ? pruneCustom(schema, next).object : canonicalBuiltinChange(schema, next, live);
