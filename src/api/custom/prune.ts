// Removes unknown fields and forbidden nulls from custom resources.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning

import { getOwn, setOwn } from '../../machinery/collections/own.ts';
import { type Fields, fieldsIn, fieldsOf, isFields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { finish, type Steps } from '../../machinery/time/steps.ts';
import { atOnce, Walks } from '../../machinery/time/walks.ts';
import { checkLength, mapKeys } from '../map-keys.ts';
import { DecodeError, decodeBuiltin } from '../object.ts';
import { sortKeys } from '../sort.ts';
import { metadataSchema } from './schema.ts';

interface Pruned<T> {
  readonly object: T;
  /** Those of the metadata first, then the others in the order of their paths. */
  readonly unknownFields: readonly string[];
}

/**
 * A copy without unknown fields, keys sorted. Metadata of a wrong type causes a DecodeError, unless `lenient`: stored
 * objects lose faulty fields instead. `keepsNulls`: forbidden nulls stay, for validation to find.
 */
export const pruneCustom = <T>(schema: Schema, value: T, lenient = false, keepsNulls = false): Pruned<T> =>
  finish(pruningCustom(schema, value, lenient, keepsNulls, atOnce));

/** The same in steps, for large objects. */
export function* pruningCustom<T>(
  schema: Schema,
  value: T,
  lenient = false,
  keepsNulls = false,
  walks: Walks = new Walks(true),
): Steps<Pruned<T>> {
  if (!isFields(value)) return { object: value, unknownFields: [] };
  const metadata = new Walk(lenient, false, walks);
  const fields = new Walk(lenient, keepsNulls, walks);
  const own = value['metadata'] === undefined ? undefined : metadata.metadata(value['metadata'], '');
  const object: T & Fields = {} as T & Fields;
  for (const key of Object.keys(value).sort()) {
    if (key === 'metadata') setOwn(object, key, own);
    else if (key === 'apiVersion' || key === 'kind') setOwn(object, key, value[key]);
    else fields.field(schema, value, key, key, object);
  }
  yield* walks.rest();
  if (own === null || own === undefined) delete (object as Fields)['metadata'];
  return { object, unknownFields: [...metadata.unknown.sort(), ...fields.unknown.sort(), ...fields.embedded.sort()] };
}

/** The same for a part of a resource. */
export const pruneValue = (schema: Schema, value: unknown): unknown =>
  new Walk(false, false, atOnce).value(schema, value, '');

/** Kubernetes reports at most a hundred unknown fields. */
const mostUnknown = 100;

const typeFields = ['apiVersion', 'kind', 'metadata'];

class Walk {
  readonly unknown: string[] = [];
  /** Of the metadata of resources within the resource. */
  readonly embedded: string[] = [];
  readonly #lenient: boolean;
  readonly #keepsNulls: boolean;
  readonly #walks: Walks;
  /** A stored object is read, no matter how many keys it has. */
  readonly #keysOf: (map: object) => string[];

  constructor(lenient: boolean, keepsNulls: boolean, walks: Walks) {
    this.#lenient = lenient;
    this.#keepsNulls = keepsNulls;
    this.#walks = walks;
    this.#keysOf = lenient ? Object.keys : mapKeys;
  }

  /** Copies one field of `value`, if it may be there. */
  field(schema: Schema | undefined, value: Readonly<Fields>, key: string, path: string, out: Fields): void {
    const isTypeField = schema?.embeddedResource && typeFields.includes(key);
    const part = getOwn(schema?.properties, key) ?? schema?.additionalProperties;
    if (isTypeField) setOwn(out, key, this.#typeField(key, value[key], path));
    else if (part === undefined || part === false) {
      if (schema?.preserveUnknownFields) setOwn(out, key, sortKeys(value[key], this.#walks, this.#keysOf));
      else if (this.unknown.length < mostUnknown) this.unknown.push(path);
    } else if (part === true) setOwn(out, key, this.value(undefined, value[key], path));
    // A null that may not be one counts as not given; where there is a default, that takes its place.
    else if (value[key] !== null || this.#keepsNulls || part.nullable || part.default !== undefined)
      setOwn(out, key, this.value(part, value[key], path));
  }

  /** Metadata of a resource, this one or one within it. */
  metadata(value: unknown, path: string): unknown {
    if (value === null) return null;
    const at = path ? `${path}.metadata` : 'metadata';
    const read = (part: unknown) => {
      const { object, unknownFields } = decodeBuiltin(metadataSchema(), part);
      const fields = fieldsOf(object as object);
      if (fields['creationTimestamp'] === null) delete fields['creationTimestamp'];
      (path ? this.embedded : this.unknown).push(...unknownFields.map((name) => `${at}.${name}`));
      return object;
    };
    if (!this.#lenient) return read(value);
    try {
      return read(value);
    } catch {
      return Object.assign(
        {},
        ...Object.entries(fieldsIn(value)).map(([key, part]) => readOrDrop(read, { [key]: part })),
      );
    }
  }

  #typeField(key: string, value: unknown, path: string): unknown {
    if (key !== 'metadata') {
      if (typeof value === 'string' || this.#lenient) return value;
      throw new DecodeError(`${path}: Invalid value: ${JSON.stringify(value)}: must be a string`);
    }
    try {
      return this.metadata(value, path.slice(0, -'.metadata'.length));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new DecodeError(`${path}: Invalid value: ${JSON.stringify(value)}: ${error.message}`);
    }
  }

  value(schema: Schema | undefined, value: unknown, path: string): unknown {
    this.#walks.walked++;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return this.#items(schema, value, path);
    const fields = value as Fields;
    const out: Fields = {};
    const keys = this.#keysOf(fields).sort();
    this.#walks.each(keys.length, (index) => {
      const key = keys[index];
      this.field(schema, fields, key, `${path}.${key}`, out);
    });
    return out;
  }

  /** A list that preserves unknown fields preserves them in its items too. */
  #items(schema: Schema | undefined, list: readonly unknown[], path: string): unknown[] {
    if (!this.#lenient) checkLength(schema, list);
    const { items, preserveUnknownFields } = schema ?? {};
    if (preserveUnknownFields && !items) return sortKeys(list, this.#walks, this.#keysOf) as unknown[];
    const part = preserveUnknownFields && items ? { ...items, preserveUnknownFields } : items;
    const out = new Array<unknown>(list.length);
    this.#walks.each(list.length, (index) => {
      out[index] = this.value(part, list[index], `${path}[${index}]`);
    });
    return out;
  }
}

function readOrDrop(read: (part: unknown) => unknown, part: unknown): unknown {
  try {
    return read(part);
  } catch {
    return {};
  }
}
