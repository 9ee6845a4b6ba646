// Reads bodies of application/vnd.kubernetes.protobuf, which client-go's typed clients send.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
// Field numbers are in the schema; answers are JSON, which these clients accept too.

import { badRequest, formatTime, type Schema, schemaNamed, schemaOfKind } from '../../api/api.ts';

const magic = Buffer.from('k8s\0');
const text = new TextDecoder();

/** The object of the envelope as JSON would have it. Throws a BadRequest for what is no such envelope. */
export function readProtobuf(bytes: Uint8Array): any {
  if (Buffer.compare(bytes.subarray(0, 4), magic) !== 0)
    throw badRequest('the provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  try {
    const envelope = fieldsOf(bytes.subarray(4));
    const type = fieldsOf(bytesAt(envelope, 1));
    const apiVersion = text.decode(bytesAt(type, 1));
    const kind = text.decode(bytesAt(type, 2));
    return { apiVersion, kind, ...(message(schemaFor(apiVersion, kind), bytesAt(envelope, 2)) as object) };
  } catch (error) {
    if (error instanceof RangeError) throw badRequest(`unexpected EOF: ${error.message}`);
    throw error;
  }
}

function schemaFor(apiVersion: string, kind: string): Schema {
  const slash = apiVersion.indexOf('/');
  const [group, version] = slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
  const schema =
    kind === 'DeleteOptions'
      ? schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions')
      : schemaOfKind(group, version, kind);
  if (!schema)
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  return schema;
}

/** One field as it stands on the wire: a number, or bytes. */
interface WireField {
  readonly number: number;
  readonly type: number;
  readonly value: bigint | Uint8Array;
}

function fieldsOf(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length) throw new RangeError('a number is cut off');
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new RangeError('a field is cut off');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const type = tag & 7;
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : Number(varint()));
    fields.push({ number: tag >>> 3, type, value });
  }
  return fields;
}

function bytesAt(fields: readonly WireField[], number: number): Uint8Array {
  const found = fields.find((field) => field.number === number)?.value;
  return found instanceof Uint8Array ? found : new Uint8Array();
}

/** Where a field number leads: to a field of the object, or into a message that Go embeds. */
interface Numbered {
  readonly field?: { readonly name: string; readonly schema: Schema };
  readonly embedded?: Map<number, Numbered>;
}

const numbers = new WeakMap<Schema, Map<number, Numbered>>();

function numbersOf(schema: Schema): Map<number, Numbered> {
  const known = numbers.get(schema);
  if (known) return known;
  const root = new Map<number, Numbered>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!property.protobuf) continue;
    const path = property.protobuf.split('.').map(Number);
    const last = path.pop() as number;
    let level = root;
    for (const step of path) {
      const next = level.get(step) ?? { embedded: new Map<number, Numbered>() };
      level.set(step, next);
      level = next.embedded as Map<number, Numbered>;
    }
    level.set(last, { field: { name, schema: property } });
  }
  numbers.set(schema, root);
  return root;
}

function message(schema: Schema, bytes: Uint8Array): unknown {
  if (!schema.properties) return bytes.length ? rawJson(bytes) : {};
  const object: Record<string, unknown> = {};
  fill(object, numbersOf(schema), bytes);
  return object;
}

/** RawExtension, FieldsV1 and their like hold JSON in field 1. */
function rawJson(bytes: Uint8Array): unknown {
  const raw = text.decode(bytesAt(fieldsOf(bytes), 1));
  return raw ? JSON.parse(raw) : undefined;
}

function fill(object: Record<string, unknown>, known: Map<number, Numbered>, bytes: Uint8Array): void {
  for (const wire of fieldsOf(bytes)) {
    const numbered = known.get(wire.number);
    if (numbered?.embedded && wire.value instanceof Uint8Array) fill(object, numbered.embedded, wire.value);
    if (numbered?.field) add(object, numbered.field.name, numbered.field.schema, wire);
  }
}

function add(object: Record<string, unknown>, name: string, schema: Schema, wire: WireField): void {
  if (schema.type === 'array') {
    const list = (object[name] ??= []) as unknown[];
    list.push(...elements(schema.items ?? {}, wire));
  } else if (typeof schema.additionalProperties === 'object' && wire.value instanceof Uint8Array) {
    const entry = fieldsOf(wire.value);
    const key = text.decode(bytesAt(entry, 1));
    const map = (object[name] ??= {}) as Record<string, unknown>;
    map[key] = entryValue(
      schema.additionalProperties,
      entry.find((field) => field.number === 2),
    );
  } else object[name] = scalar(schema, wire);
}

/** A list as the value of a map is a message with the list in field 1. */
function entryValue(schema: Schema, wire: WireField | undefined): unknown {
  if (!wire) return schema.type === 'array' ? [] : schema.type === 'string' ? '' : undefined;
  if (schema.type !== 'array' || !(wire.value instanceof Uint8Array)) return scalar(schema, wire);
  return fieldsOf(wire.value).flatMap((field) => elements(schema.items ?? {}, field));
}

/** Numbers may come packed: many in one field. */
function elements(schema: Schema, wire: WireField): unknown[] {
  if (schema.type !== 'integer' || !(wire.value instanceof Uint8Array)) return [scalar(schema, wire)];
  const packed: unknown[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of wire.value) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    packed.push(integer(value));
    [value, shift] = [0n, 0n];
  }
  return packed;
}

const integer = (value: bigint): number => Number(BigInt.asIntN(64, value));

function scalar(schema: Schema, { value, type }: WireField): unknown {
  if (!(value instanceof Uint8Array)) return schema.type === 'boolean' ? value !== 0n : integer(value);
  if (type === 1) return Buffer.from(value).readDoubleLE();
  if (type === 5) return Buffer.from(value).readFloatLE();
  if (schema.intOrString) return intOrString(value);
  switch (schema.format) {
    case 'quantity':
      return text.decode(bytesAt(fieldsOf(value), 1));
    case 'date-time':
      return time(value, 0);
    case 'micro-time':
      return time(value, 6);
    case 'duration':
      return duration(value);
    case 'byte':
      return Buffer.from(value).toString('base64');
  }
  if (schema.type === 'string') return text.decode(value);
  return message(schema, value);
}

function numberAt(fields: readonly WireField[], number: number): number {
  const found = fields.find((field) => field.number === number)?.value;
  return typeof found === 'bigint' ? integer(found) : 0;
}

function intOrString(bytes: Uint8Array): number | string {
  const fields = fieldsOf(bytes);
  return numberAt(fields, 1) === 1 ? text.decode(bytesAt(fields, 3)) : numberAt(fields, 2);
}

/** An empty message is the zero time, which JSON writes as null. */
function time(bytes: Uint8Array, fractionDigits: number): string | null {
  if (!bytes.length) return null;
  const fields = fieldsOf(bytes);
  const whole = formatTime(numberAt(fields, 1) * 1_000);
  if (!fractionDigits) return whole;
  return `${whole.slice(0, -1)}.${String(Math.floor(numberAt(fields, 2) / 1_000)).padStart(fractionDigits, '0')}Z`;
}

/** Go's text form of nanoseconds, in seconds, which its parser takes as well. */
const duration = (bytes: Uint8Array): string => `${numberAt(fieldsOf(bytes), 1) / 1e9}s`;
