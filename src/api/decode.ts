// Objects of any kind read and written in canonical form: built-in kinds by `object.ts`, custom resources by pruning.

import type { Schema } from '../machinery/schema.ts';
import { pruneCustom } from './custom/prune.ts';
import { canonicalBuiltin, canonicalBuiltinChange, type Decoded, decodeBuiltin } from './object.ts';

/** Throws DecodeError, or QuantityError for an invalid quantity. */
export const decode = (schema: Schema, value: unknown, keepsEmpty = false): Decoded =>
  schema.custom ? pruneCustom(schema, value) : decodeBuiltin(schema, value, keepsEmpty);

/** The canonical form of an object with correct types. Unknown fields are dropped. */
export const canonical = <T>(schema: Schema, value: T, keepsEmpty = false): T =>
  schema.custom ? pruneCustom(schema, value).object : canonicalBuiltin(schema, value, keepsEmpty);

/** Same for a changed copy of a canonical object: shared parts are skipped. */
export const canonicalChange = <T>(schema: Schema, next: T, live: T): T =>
  schema.custom ? pruneCustom(schema, next).object : canonicalBuiltinChange(schema, next, live);
