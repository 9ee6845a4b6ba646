// Objects of any kind read and written in canonical form: built-in kinds by `object.ts`, custom resources by pruning.

import type { Schema } from '../machinery/schema.ts';
import { pruneCustom } from './custom/prune.ts';
import type { ApiObject, Kind } from './kind.ts';
import { canonicalBuiltin, canonicalBuiltinChange, type Decoded, decodeBuiltin } from './object.ts';
import { isStoredForm } from './stored-form.ts';

/** Throws DecodeError, or QuantityError for an invalid quantity. */
export const decode = (schema: Schema, value: unknown, keepsEmpty = false, keepsNulls = false): Decoded =>
  schema.custom ? pruneCustom(schema, value as ApiObject, false, keepsNulls) : decodeBuiltin(schema, value, keepsEmpty);

/** The canonical form of an object with correct types. Unknown fields are dropped. */
export const canonical = <T>(schema: Schema, value: T, keepsEmpty = false): T =>
  schema.custom ? pruneCustom(schema, value).object : canonicalBuiltin(schema, value, keepsEmpty);

/** The canonical form as it is stored, without empty lists and maps: the object itself, if it has none. */
export const storedForm = <T extends object>(kind: Pick<Kind, 'schema' | 'emptyFields'>, object: T): T =>
  kind.emptyFields && !isStoredForm(object) ? canonical(kind.schema, object) : object;

/** Same for a changed copy of a canonical object: shared parts are skipped. */
export const canonicalChange = <T>(schema: Schema, next: T, live: T): T =>
  schema.custom ? pruneCustom(schema, next).object : canonicalBuiltinChange(schema, next, live);
