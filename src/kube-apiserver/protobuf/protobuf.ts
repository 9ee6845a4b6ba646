// Objects in application/vnd.kubernetes.protobuf: a prefix, and an envelope (runtime.Unknown) with the type and the
// object. https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding

import { type Schema, schemaNamed, schemaOfKind } from '../../api/api.ts';
import { decoderOf } from './decode.ts';
import { encoderOf } from './encode.ts';
import { ProtobufError, Reader } from './reader.ts';
import { Writer } from './writer.ts';

export { ProtobufError } from './reader.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

const magic = Buffer.from('k8s\0');
const typeMetaTag = 10;
const rawTag = 18;

interface Typed {
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** The schema by which objects of a type are written; undefined for types that are not built in. */
export function protobufSchema({ apiVersion = '', kind = '' }: Typed): Schema | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  if (group === 'meta.k8s.io') return partialSchemas(kind);
  if (anyGroup.has(kind)) return schemaNamed(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`);
  return schemaOfKind(group, version, kind);
}

/** These belong to every group. */
const anyGroup = new Set(['DeleteOptions', 'Status', 'APIVersions', 'APIGroup', 'APIGroupList', 'APIResourceList']);

let partials: { readonly object: Schema; readonly list: Schema } | undefined;
/** The published schema has no separate kind for metadata-only objects. */
function partialSchemas(kind: string): Schema | undefined {
  if (!partials) {
    const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
    const metadata = (name: string): Schema => ({ ...schemaNamed(`${meta}.${name}`), protobuf: '1' });
    const object: Schema = { type: 'object', properties: { metadata: metadata('ObjectMeta') } };
    const items: Schema = { type: 'array', items: object, protobuf: '2' };
    partials = { object, list: { type: 'object', properties: { metadata: metadata('ListMeta'), items } } };
  }
  if (kind === 'PartialObjectMetadata') return partials.object;
  return kind === 'PartialObjectMetadataList' ? partials.list : undefined;
}

const writer = new Writer();

/** The object's fields; with `field`, as a field of that number in an outer message. */
export function encodeFields(schema: Schema, object: object, field?: number): Buffer {
  encoderOf(schema)(writer, object);
  if (field !== undefined) delimit(field * 8 + 2);
  return writer.take();
}

/** The bytes before the items of a list, whose fields take `itemsSize` bytes; `trailer` comes after them. */
export function encodeListHead(schema: Schema, list: Typed & { metadata: object }, itemsSize: number): Buffer {
  encoderOf(schema)(writer, list);
  writer.varint(writer.size + itemsSize);
  writer.varint(rawTag);
  writeType(list);
  return writer.take();
}

/** The object with prefix and envelope. */
export function encodeObject(schema: Schema, object: Typed): Buffer {
  writeEnvelope(schema, object);
  return writer.take();
}

/** A frame of a watch stream: its length in four bytes, then a WatchEvent around the object's envelope. */
export function encodeWatchEvent(type: string, schema: Schema, object: Typed): Buffer {
  writeEnvelope(schema, object);
  delimit(10); // RawExtension.raw
  delimit(18); // WatchEvent.object
  writer.string(type);
  writer.varint(10);
  const length = writer.size;
  for (let shift = 0; shift < 32; shift += 8) writer.byte((length >>> shift) & 0xff);
  return writer.take();
}

/** An envelope around the fields of a type that has no schema here. */
export function writeRawEnvelope(type: Typed, raw: Buffer): Buffer {
  writer.raw(trailer);
  writer.bytes(raw);
  writer.varint(rawTag);
  writeType(type);
  return writer.take();
}

function writeEnvelope(schema: Schema, object: Typed): void {
  writer.raw(trailer);
  const start = writer.size;
  encoderOf(schema)(writer, object);
  writer.varint(writer.size - start);
  writer.varint(rawTag);
  writeType(object);
}

function writeType({ apiVersion = '', kind = '' }: Typed): void {
  const start = writer.size;
  writer.string(kind);
  writer.varint(18);
  writer.string(apiVersion);
  writer.varint(10);
  writer.varint(writer.size - start);
  writer.varint(typeMetaTag);
  writer.raw(magic);
}

/** contentEncoding and contentType, both empty, as Kubernetes writes them. */
export const trailer = Buffer.from([26, 0, 34, 0]);

function delimit(tag: number): void {
  writer.varint(writer.size);
  writer.varint(tag);
}

interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The object's encoded fields. */
  readonly raw: Buffer;
}

/** The bytes of a stored value that begins as an envelope does; undefined for another one. */
export function beginsAsProtobuf(value: Uint8Array | string): Buffer | undefined {
  if (typeof value === 'string') return value.startsWith('k8s\0') ? Buffer.from(value, 'latin1') : undefined;
  const begins = magic.every((byte, i) => value[i] === byte);
  return begins ? Buffer.from(value.buffer, value.byteOffset, value.length) : undefined;
}

/** Throws ProtobufError for bytes that are no envelope. */
export function readEnvelope(bytes: Buffer): Envelope {
  if (Buffer.compare(bytes.subarray(0, magic.length), magic) !== 0)
    throw new ProtobufError(
      'the provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  const reader = new Reader(bytes.subarray(magic.length));
  const envelope = { apiVersion: '', kind: '', raw: Buffer.alloc(0) as Buffer };
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === typeMetaTag) readType(reader, envelope);
    else if (tag === rawTag) envelope.raw = reader.bytes();
    else reader.skip(tag);
  }
  return envelope;
}

function readType(reader: Reader, type: { apiVersion: string; kind: string }): void {
  const outer = reader.enter();
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === 10) type.apiVersion = reader.string();
    else if (tag === 18) type.kind = reader.string();
    else reader.skip(tag);
  }
  reader.leave(outer);
}

/** The fields of an object in JSON form. Throws ProtobufError. */
export function decodeFields(schema: Schema, raw: Buffer): Record<string, unknown> {
  const object = {};
  decoderOf(schema)(new Reader(raw), object);
  return object;
}

/** The object of an envelope in JSON form. Throws ProtobufError. */
export function readProtobuf(bytes: Buffer): Record<string, unknown> {
  const { apiVersion, kind, raw } = readEnvelope(bytes);
  const schema = protobufSchema({ apiVersion, kind });
  if (!schema)
    throw new ProtobufError(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  return { apiVersion, kind, ...decodeFields(schema, raw) };
}
