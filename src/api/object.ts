// The shape of objects. `decode` reads client input: it checks types and drops fields outside the schema. `canonical`
// gives an object the form in which Kubernetes writes it: fields in the order of the published types, keys of maps
// sorted, empty fields dropped or written as in Go's encoder, quantities and times canonical.

import { inOrder } from '../machinery/collections/in-order.ts';
import { setOwn } from '../machinery/collections/own.ts';
import { zeroOf } from '../machinery/fields/zero-value.ts';
import { must } from '../machinery/must.ts';
import { type Fields, isEmpty, isFields } from '../machinery/parsed.ts';
import { canonicalQuantity, canonicalResource } from '../machinery/quantity.ts';
import type { Schema } from '../machinery/schema.ts';
import type { Steps } from '../machinery/time/steps.ts';
import { atOnce, Walks } from '../machinery/time/walks.ts';
import { tooLarge } from './errors.ts';
import { goNumber, goTypeOf } from './go-values.ts';
import type { ApiObject } from './kind.ts';
import { checkLength, mapKeys } from './map-keys.ts';
import { indexesOf, planOf } from './plan.ts';
import { schemaNamed } from './schemas.ts';
import { sortKeys } from './sort.ts';
import { markStoredForm } from './stored-form.ts';
import { canonicalMicroTime, canonicalTime } from './time.ts';
import { timeFault } from './time-fault.ts';
import { unknownFields } from './unknown-fields.ts';

/** A value of the wrong type; Go's decoder defines `message`. The caller adds the kind. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export { sortKeys };

export interface Decoded {
  /** In canonical form; a new object. */
  readonly object: ApiObject;
  /** Paths of fields outside the schema, in text order. */
  readonly unknownFields: readonly string[];
}

/** Throws DecodeError, or QuantityError for an invalid quantity. */
export function decodeBuiltin(schema: Schema, value: unknown, keepsEmpty = false): Decoded {
  const walk = new Walk(true, keepsEmpty);
  const object = walk.value(schema, value) as ApiObject;
  return decoded(walk, schema, value, object);
}

/** The same in steps, for large objects. */
export function* decodingBuiltin(schema: Schema, value: unknown, keepsEmpty = false): Steps<Decoded> {
  const walk = new Walk(true, keepsEmpty, true);
  const object = walk.value(schema, value) as ApiObject;
  yield* walk.rest();
  if (walk.unknown) yield;
  return decoded(walk, schema, value, object);
}

function decoded(walk: Walk, schema: Schema, value: unknown, object: ApiObject): Decoded {
  markStored(walk, object);
  return { object, unknownFields: walk.unknown ? unknownFields(schema, value) : [] };
}

function markStored({ keepsEmpty, keptEmpty }: Walk, object: object): void {
  if (keepsEmpty && !keptEmpty) markStoredForm(object, true);
}

/** The canonical form of an object with correct types, without unknown fields. `keepsEmpty`: it is not stored yet. */
export function canonicalBuiltin<T>(schema: Schema, value: T, keepsEmpty = false): T {
  const walk = new Walk(false, keepsEmpty);
  const object = walk.value(schema, value) as T;
  markStored(walk, object as object);
  return object;
}

/** The same in steps, for large objects. */
export function* makingCanonical<T>(schema: Schema, value: T, keepsEmpty = false): Steps<T> {
  const walk = new Walk(false, keepsEmpty, true);
  const object = walk.value(schema, value) as T;
  yield* walk.rest();
  markStored(walk, object as object);
  return object;
}

/** Same for a changed copy of a canonical object: shared parts are skipped. */
export function canonicalBuiltinChange<T>(schema: Schema, next: T, live: T): T {
  return new Walk(false, false).changed(schema, next, live) as T;
}

const jsonSchemaProps = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
const shortName = (schema: Schema) => schema.name?.slice(schema.name.lastIndexOf('.') + 1) ?? '';
/** Go's slices and maps, which may be empty without being nil. */
const isCollection = (schema: Schema) => schema.type === 'array' || schema.format === 'byte' || isMap(schema);
const isMap = (schema: Schema) => typeof schema.additionalProperties === 'object';

/** etcd's limit of 1.5 MB per request allows fewer parts; each may be several times larger in memory. */
const mostStructs = 300_000;
const tooManyStructs = `Request entity too large: limit is ${mostStructs} objects in one`;

class Walk {
  /** Whether a field outside the schema was found. */
  unknown = false;
  #structs = 0;
  readonly #checked: boolean;
  readonly keepsEmpty: boolean;
  keptEmpty = false;
  readonly #walks: Walks;
  /** Names of the enclosing fields, without indexes; for messages only. */
  readonly #path: string[] = [];
  /** Where the walk is, for messages: the struct, its field, and how many lists or maps deep in the field. */
  #holder: Schema | undefined;
  #field: Schema | undefined;
  #depth = 0;
  /** State of the last map: testing a map of thousands for emptiness would list all its keys. */
  #isEmptyMap = false;

  constructor(checked: boolean, keepsEmpty: boolean, inSteps = false) {
    this.#checked = checked;
    this.keepsEmpty = keepsEmpty;
    this.#walks = inSteps ? new Walks(true) : atOnce;
  }

  /** Walks the lists and maps that `value` left. */
  rest(): Steps<void> {
    return this.#walks.rest();
  }

  #items(count: number, walk: (index: number) => void): void {
    this.#walks.each(count, walk, () => {
      const [holder, field, depth, path] = [this.#holder, this.#field, this.#depth, [...this.#path]];
      return () => {
        this.#holder = holder;
        this.#field = field;
        this.#depth = depth;
        this.#path.splice(0, this.#path.length, ...path);
      };
    });
  }

  value(schema: Schema, value: unknown): unknown {
    this.#walks.walked++;
    if (schema.union) return this.#union(schema, value);
    if (schema.preserveUnknownFields) return this.#any(schema, value);
    if (schema.intOrString) return this.#intOrString(value);
    switch (schema.type) {
      case 'object':
        if (schema.properties) return this.#struct_(schema, value);
        return isMap(schema) ? this.#map(schema, value) : this.#any(schema, value);
      case 'array':
        return this.#array(schema, value);
      case 'string':
        return this.#string(schema, value);
      case 'integer':
        return this.#integer(schema, value);
      case 'number':
        if (typeof value !== 'number' && typeof value !== 'bigint') this.#fail(value);
        return value;
      case 'boolean':
        if (typeof value !== 'boolean') this.#fail(value);
        return value;
      default:
        return sortKeys(value, this.#walks);
    }
  }

  changed(schema: Schema, value: unknown, live: unknown): unknown {
    if (value === live) return value;
    return isFields(live) &&
      !schema.union &&
      schema.type === 'object' &&
      schema.properties &&
      !schema.preserveUnknownFields
      ? this.#struct_(schema, value, live)
      : this.value(schema, value);
  }

  #struct_(schema: Schema, value: unknown, live?: Fields): Fields {
    if (!isFields(value)) this.#fail(value);
    if (this.#checked && ++this.#structs > mostStructs) throw tooLarge(tooManyStructs);
    const holder = this.#holder;
    const outerField = this.#field;
    const outerDepth = this.#depth;
    const out: Fields = {};
    let met = 0;
    const plan = planOf(schema);
    const { keys, fields } = plan;
    const names = Object.keys(value);
    for (const i of indexesOf(plan, value, names)) {
      const key = keys[i];
      const field = fields[i];
      const given = value[key];
      if (given !== undefined) met++;
      if (given === undefined || given === null) {
        if (field.presence === 'always') {
          this.#structs++;
          out[key] = zeroOf(field);
        } else if (field.presence === 'nullable') out[key] = null;
        continue;
      }
      this.#holder = schema;
      this.#field = field;
      this.#depth = 0;
      if (this.#checked) this.#path.push(field.via ? `${field.via}.${key}` : key);
      const walked = live === undefined ? this.value(field, given) : this.changed(field, given, live[key]);
      if (this.#checked) this.#path.pop();
      if (field.presence === 'nonzero' && (isMap(field) ? this.#isEmptyMap : isZero(walked, given))) {
        // Defaulting and validation distinguish an empty list from a missing one; the written form does not.
        if (this.keepsEmpty ? isCollection(field) : this.#checked && Array.isArray(given)) {
          out[key] = walked;
          this.keptEmpty = true;
        }
        continue;
      }
      // Stored objects have no empty lists: protobuf cannot distinguish them from missing ones. Given ones have owners.
      const isEmpty = field.presence === 'always' && Array.isArray(walked) && walked.length === 0;
      if (isEmpty) this.keptEmpty = true;
      out[key] = isEmpty && !this.keepsEmpty && !this.#checked ? null : walked;
    }
    this.#holder = holder;
    this.#field = outerField;
    this.#depth = outerDepth;
    if (this.#checked && met !== names.length) this.unknown = true;
    return out;
  }

  #map(schema: Schema, value: unknown): Fields {
    if (!isFields(value)) this.#fail(value);
    const items = schema.additionalProperties as Schema;
    const out: Fields = {};
    this.#depth++;
    const keys = this.#checked ? mapKeys(value) : Object.keys(value);
    // A ResourceList of the core types is rounded to thousandths when defaults are set.
    const rounds = items.format === 'quantity' && !!this.#holder?.name?.startsWith('io.k8s.api.core.');
    const ordered = inOrder(keys);
    this.#items(ordered.length, (index) => {
      const key = ordered[index];
      const nullBytes = items.format === 'byte' ? '' : undefined;
      const walked = value[key] === null ? (nullBytes ?? zeroOf(items)) : this.value(items, value[key]);
      setOwn(out, key, rounds ? canonicalResource(walked as string) : walked);
    });
    this.#depth--;
    this.#isEmptyMap = keys.length === 0;
    return out;
  }

  #array(schema: Schema, value: unknown): unknown {
    if (!Array.isArray(value)) this.#fail(value);
    const items = must(schema.items, 'items');
    if (this.#checked) checkLength(schema, value);
    this.#depth++;
    const out = new Array<unknown>(value.length);
    this.#items(value.length, (index) => {
      const item = value[index];
      out[index] = item === null ? zeroOf(items) : this.value(items, item);
    });
    this.#depth--;
    return out;
  }

  #string(schema: Schema, value: unknown): unknown {
    if (schema.format === 'quantity') {
      if (value === '' && !this.#checked) return '0';
      if (typeof value === 'string') return canonicalQuantity(value.trim());
      return canonicalQuantity(typeof value === 'number' ? value : JSON.stringify(value));
    }
    if (schema.format === 'date-time' || schema.format === 'micro-time') return this.#time(schema.format, value);
    if (typeof value !== 'string') this.#fail(value);
    if (schema.format === 'byte' && this.#checked) return base64(value);
    return value;
  }

  #time(format: string, value: unknown): string {
    if (typeof value !== 'string') this.#fail(value, '', 'string');
    const micro = format === 'micro-time';
    const isExact = !micro || !this.#checked || /:\d\d\.\d{6}(Z|[-+]\d\d:\d\d)$/.test(value);
    const time = micro ? canonicalMicroTime(value) : canonicalTime(value);
    if (time !== undefined && isExact) return time;
    const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
    throw new DecodeError(timeFault(value, layout));
  }

  #integer(schema: Schema, value: unknown): number | bigint {
    if (typeof value === 'bigint') {
      if (schema.format === 'int32') this.#fail(value, ` ${value}`);
      // The type is number: code that computes with it must support bigint too.
      return value;
    }
    if (typeof value !== 'number') this.#fail(value);
    const limit = schema.format === 'int32' ? 2 ** 31 : 2 ** 63;
    if (!Number.isInteger(value) || value >= limit || value < -limit) this.#fail(value, ` ${goNumber(value)}`);
    return value;
  }

  #intOrString(value: unknown): number | string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number' && Number.isInteger(value) && value < 2 ** 31 && value >= -(2 ** 31)) return value;
    const number = typeof value === 'number' ? ` ${goNumber(value)}` : typeof value === 'bigint' ? ` ${value}` : '';
    return this.#fail(value, number, 'int32');
  }

  /** Raw values: a JSON object copied with sorted keys. */
  #any(schema: Schema, value: unknown): unknown {
    if (
      schema.type === 'object' &&
      this.#checked &&
      (typeof value !== 'object' || Array.isArray(value)) &&
      !schema.name
    )
      this.#fail(value);
    return sortKeys(value, this.#walks);
  }

  #union(schema: Schema, value: unknown): unknown {
    const inner = schemaNamed(jsonSchemaProps);
    if (typeof value === 'boolean' && schema.union === 'schema-or-bool') return value;
    if (this.#checked && (typeof value !== 'object' || value === null || isWrongList(schema, value))) {
      if (schema.union === 'schema-or-bool') throw new DecodeError('boolean or JSON schema expected');
      // Kubernetes ignores other values.
      return null;
    }
    if (Array.isArray(value) && schema.union === 'schema-or-array')
      return value.length === 0
        ? null
        : value.map((item) => (typeof item === 'string' ? item : this.value(inner, item)));
    return this.value(inner, value);
  }

  /** `type`: that which the field's own decoder expects. */
  #fail(value: unknown, detail = '', type?: string): never {
    const goType = type ?? elementType(this.#field?.goType ?? '', this.#depth);
    const target = this.#path.length
      ? `Go struct field ${shortName(must(this.#holder, 'holder'))}.${this.#path.join('.')} of type ${goType}`
      : 'Go value of type map[string]interface {}';
    throw new DecodeError(`json: cannot unmarshal ${goTypeOf(value)}${detail} into ${target}`);
  }
}

const isWrongList = (schema: Schema, value: object) => schema.union === 'schema-or-bool' && Array.isArray(value);

/** The type of an element, `depth` lists or maps deep. Some lists and maps have a name, which says nothing of them. */
function elementType(goType: string, depth: number): string {
  let type = goType;
  for (let i = 0; i < depth; i++) type = (namedCollections[type] ?? type).replace(/^(map\[[\w.]+\]|\[\])/, '');
  return type;
}
const namedCollections: Readonly<Record<string, string>> = {
  'v1.ExtraValue': '[]string',
  'v1.JSONSchemaDefinitions': 'map[string]v1.JSONSchemaProps',
  'v1.JSONSchemaDependencies': 'map[string]v1.JSONSchemaPropsOrStringArray',
  'v1.ValidationRules': '[]v1.ValidationRule',
};

/** The same bytes in the standard alphabet, or Go's error. */
function base64(value: string): string {
  const text = value.replace(/[\r\n]/g, '');
  const bad = /[^A-Za-z0-9+/]/.exec(text.replace(/={0,2}$/, ''));
  if (bad) throw new DecodeError(`illegal base64 data at input byte ${bad.index}`);
  if (text.length % 4 !== 0)
    throw new DecodeError(`illegal base64 data at input byte ${Math.floor(text.length / 4) * 4}`);
  return text;
}

function isZero(walked: unknown, given: unknown): boolean {
  if (walked === '' || walked === 0 || walked === false || walked === null) return true;
  if (typeof walked !== 'object') return false;
  if (Array.isArray(walked)) return walked.length === 0;
  // An empty map; a pointer to a struct is never `nonzero`.
  return isEmpty(given as object);
}
