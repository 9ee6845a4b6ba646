// JSON as values, converted lazily by schema.
// https://kubernetes.io/docs/reference/using-api/cel/#type-system-integration

import { deepEqual } from '../collections/equal.ts';
import type { Schema } from '../schema.ts';
import { toBase64 } from '../text/base64.ts';
import { escapeName, unescapeName } from './parse/names.ts';
import { durationOfSchema, timestampOfSchema } from './schema-formats.ts';
import { formatDuration, formatTimestamp } from './time.ts';
import {
  CelList,
  CelMap,
  CelObject,
  Duration,
  equal,
  fail,
  noOverload,
  Timestamp,
  Uint,
  type Value,
} from './values.ts';

/** A value of the schema. Throws EvaluationFault where they do not agree. */
export function fromJson(json: unknown, schema: Schema): Value {
  if (json === null || json === undefined)
    return schema.nullable ? null : fail('invalid data, got null for schema with nullable=false');
  if (schema.intOrString) return intOrString(json);
  switch (schema.type) {
    case 'object':
      return isObject(json)
        ? new JsonMap(json, schema)
        : fail('invalid data, expected a map for the provided schema with type=object');
    case 'array':
      if (!Array.isArray(json)) return fail('invalid data, expected an array for the provided schema with type=array');
      return schema.items ? listOf(json, schema) : fail('invalid array type, expected Items with a non-empty Schema');
    case 'string':
      return typeof json === 'string'
        ? textOf(json, schema)
        : fail(`invalid data, expected string, got ${goType(json)}`);
    case 'number':
      if (typeof json === 'number') return json;
      return typeof json === 'bigint' ? Number(json) : fail(`invalid data, expected float, got ${goType(json)}`);
    case 'integer':
      return intOf(json) ?? fail(`invalid data, expected int, got ${goType(json)}`);
    case 'boolean':
      return typeof json === 'boolean' ? json : fail(`invalid data, expected bool, got ${goType(json)}`);
  }
  if (schema.preserveUnknownFields) return new UnknownValue(json);
  return fail(
    'invalid type, expected object, array, number, integer, boolean or string, or no type with x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got ',
  );
}

/** Converts a value without a schema by its JSON type. */
export function fromUntyped(json: unknown): Value {
  switch (typeof json) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return json;
    case 'number':
      return Number.isInteger(json) ? BigInt(json) : json;
  }
  if (json === null || json === undefined) return null;
  return Array.isArray(json) ? new UntypedList(json) : new UntypedMap(json as Readonly<Record<string, unknown>>);
}

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

function intOf(json: unknown): bigint | undefined {
  if (typeof json === 'bigint') return json;
  return typeof json === 'number' && Number.isInteger(json) ? BigInt(json) : undefined;
}

const intOrString = (json: unknown): Value =>
  typeof json === 'string'
    ? json
    : (intOf(json) ?? fail('invalid data, expected XIntOrString value to be either a string or integer'));

function goType(json: unknown): string {
  if (Array.isArray(json)) return '[]interface {}';
  if (typeof json === 'object') return 'map[string]interface {}';
  if (typeof json === 'number') return Number.isInteger(json) ? 'int64' : 'float64';
  return typeof json === 'boolean' ? 'bool' : typeof json;
}

function textOf(json: string, { format }: Schema): Value {
  switch (format) {
    case 'duration':
      return durationOfSchema(json) ?? fail(`Invalid duration ${json}`);
    case 'date':
      return timestampOfSchema(`${json}T00:00:00Z`) ?? fail(`Invalid date formatted string ${json}`);
    case 'date-time':
      return timestampOfSchema(json) ?? fail(`Invalid date-time formatted string ${json}`);
    case 'byte':
      return bytesOf(json) ?? fail(`Invalid byte formatted string ${json}`);
    default:
      return json;
  }
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function listOf(items: readonly unknown[], schema: Schema): CelList {
  if (schema.listType === 'set') return new JsonSet(items, schema.items as Schema);
  if (schema.listType === 'map') return new JsonListMap(items, schema.items as Schema, schema.listMapKeys ?? []);
  return new JsonList(items, schema.items as Schema);
}

/** The JSON behind a lazily converted value; otherwise the value itself. */
function jsonOf(value: Value): unknown {
  if (value instanceof JsonList || value instanceof JsonMap) return value.json;
  return value;
}

class JsonList extends CelList {
  readonly json: readonly unknown[];
  protected readonly item: Schema;
  constructor(json: readonly unknown[], item: Schema) {
    super();
    this.json = json;
    this.item = item;
  }
  get size(): number {
    return this.json.length;
  }
  at(index: number): Value {
    return fromJson(this.json[index], this.item);
  }
  override equals(other: Value): boolean {
    return other instanceof CelList ? super.equals(other) : noOverload();
  }
}

/** Equal in any order; a sum has each element once. */
class JsonSet extends JsonList {
  override equals(other: Value): boolean {
    if (!(other instanceof CelList)) return noOverload();
    if (other.size !== this.size) return false;
    const own = [...this];
    const scalars = new Set(own);
    for (const item of other) if (!scalars.has(item) && !own.some((mine) => equal(mine, item))) return false;
    return true;
  }
  override concat(other: CelList): CelList {
    const added: unknown[] = [];
    const seen = new Set(this.json);
    for (const item of other) {
      const json = toJson(item);
      if (seen.has(json) || this.json.some((mine) => deepEqual(mine, json))) continue;
      seen.add(json);
      added.push(json);
    }
    return new JsonSet([...this.json, ...added], this.item);
  }
}

/** Elements with the same keys correspond: equal in any order; in a sum those of the right replace those of the left. */
class JsonListMap extends JsonList {
  readonly #keys: readonly string[];
  constructor(json: readonly unknown[], item: Schema, keys: readonly string[]) {
    super(json, item);
    this.#keys = keys;
  }
  override equals(other: Value): boolean {
    if (!(other instanceof CelList)) return noOverload();
    if (other.size !== this.size) return false;
    const byKey = new Map(this.json.map((item, index) => [this.#keyOf(item), index]));
    for (const item of other) {
      const index = byKey.get(this.#keyOf(jsonOf(item)));
      if (index === undefined || !equal(this.at(index), item)) return false;
    }
    return true;
  }
  override concat(other: CelList): CelList {
    const items = [...this.json];
    const places = new Map(items.map((item, index) => [this.#keyOf(item), index]));
    for (const value of other) {
      const json = toJson(value);
      const place = places.get(this.#keyOf(json));
      if (place === undefined) items.push(json);
      else items[place] = json;
    }
    return new JsonListMap(items, this.item, this.#keys);
  }
  #keyOf(item: unknown): string {
    const fields = isObject(item) ? item : {};
    return JSON.stringify(this.#keys.map((key) => [typeof fields[key], String(fields[key])]));
  }
}

/** Computed values as JSON; values that were passed through, unchanged. */
export function toJson(value: Value): unknown {
  if (value instanceof JsonList || value instanceof JsonMap) return value.json;
  if (value instanceof UntypedList || value instanceof UntypedMap) return value.json;
  if (value instanceof CelList) return [...value].map(toJson);
  if (value instanceof CelMap)
    return Object.fromEntries([...value.keys()].map((key) => [String(key), toJson(value.find(key) as Value)]));
  if (value instanceof Uint) return toJson(value.value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Uint8Array) return toBase64(value);
  return typeof value === 'bigint' && value <= 2n ** 53n && value >= -(2n ** 53n) ? Number(value) : value;
}

/** API objects have these fields even if their schema omits them. */
const resourceFields: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
};

/** An object or a map: fields outside the schema are invisible. */
class JsonMap extends CelMap {
  readonly json: Readonly<Record<string, unknown>>;
  readonly #schema: Schema;
  constructor(json: Readonly<Record<string, unknown>>, schema: Schema) {
    super();
    this.json = json;
    this.#schema = schema;
  }
  get size(): number {
    return Object.keys(this.json).length;
  }
  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return noOverload();
    const { properties } = this.#schema;
    const name = properties ? unescapeName(key) : key;
    if (name === undefined || !Object.hasOwn(this.json, name)) return undefined;
    const json = this.json[name];
    if (properties && (json === null || json === undefined)) return undefined;
    const schema = this.#schemaOf(name);
    return schema && fromJson(json, schema);
  }
  *keys(): Iterable<Value> {
    for (const name of Object.keys(this.json))
      if (this.#schemaOf(name)) yield this.#schema.properties ? (escapeName(name) ?? name) : name;
  }
  override equals(other: Value): boolean {
    if (!(other instanceof CelMap)) return noOverload();
    if (other.size !== this.size) return false;
    for (const [name, json] of Object.entries(this.json)) {
      if (!this.#schemaOf(name)) {
        if (!(other instanceof JsonMap)) return noOverload();
        if (Object.hasOwn(other.json, name) && !deepEqual(json, other.json[name])) return false;
        continue;
      }
      const mine = this.find(name);
      const theirs = other.find(name);
      if ((mine === undefined) !== (theirs === undefined)) return false;
      if (mine !== undefined && !equal(mine, theirs as Value)) return false;
    }
    return true;
  }
  #schemaOf(name: string): Schema | undefined {
    const { properties, additionalProperties, embeddedResource } = this.#schema;
    if (embeddedResource && Object.hasOwn(resourceFields, name)) return properties?.[name] ?? resourceFields[name];
    if (properties) return Object.hasOwn(properties, name) ? properties[name] : undefined;
    return typeof additionalProperties === 'object' ? additionalProperties : undefined;
  }
}

/** A value without a schema: it supports comparison only. */
class UnknownValue extends CelObject {
  readonly typeName = 'unknown';
  readonly json: unknown;
  constructor(json: unknown) {
    super();
    this.json = json;
  }
  equals(other: Value): boolean {
    return deepEqual(this.json, other instanceof UnknownValue ? other.json : jsonOf(other));
  }
}

class UntypedList extends CelList {
  readonly json: readonly unknown[];
  constructor(json: readonly unknown[]) {
    super();
    this.json = json;
  }
  get size(): number {
    return this.json.length;
  }
  at(index: number): Value {
    return fromUntyped(this.json[index]);
  }
}

/** Of maps in one evaluation, in which they do not change: a loop may ask for it as often as the map has keys. */
let sizes = new Map<object, number>();

/** Before an evaluation: objects may have changed since the last one. */
export function forgetSizes(): void {
  if (sizes.size > 0) sizes = new Map();
}

class UntypedMap extends CelMap {
  readonly json: Readonly<Record<string, unknown>>;
  constructor(json: Readonly<Record<string, unknown>>) {
    super();
    this.json = json;
  }
  get size(): number {
    let size = sizes.get(this.json);
    if (size === undefined) sizes.set(this.json, (size = Object.keys(this.json).length));
    return size;
  }
  find(key: Value): Value | undefined {
    return typeof key === 'string' && Object.hasOwn(this.json, key) ? fromUntyped(this.json[key]) : undefined;
  }
  keys(): Iterable<Value> {
    return Object.keys(this.json);
  }
  /** Two maps of JSON are compared without a Value for each entry. */
  override equals(other: Value): boolean {
    return other instanceof UntypedMap ? deepEqual(this.json, other.json) : super.equals(other);
  }
}
