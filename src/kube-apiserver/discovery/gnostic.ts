// OpenAPI documents as protobuf: the messages of gnostic, which client-go reads.
// https://github.com/google/gnostic-models (openapiv2/OpenAPIv2.proto, openapiv3/OpenAPIv3.proto)

import { fieldsIn } from '../../machinery/parsed.ts';
import { Writer } from '../protobuf/writer.ts';

/** How a value is written as the field of a message, its number aside. */
type Kind = 'string' | 'bool' | 'int' | 'double' | 'any' | Message;

export interface Field {
  readonly number: number;
  readonly kind: Kind;
  /** One after the other in the same field. */
  readonly isList?: boolean;
}

/** Name in the document -> field. */
export interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  /** Where fields go that are not listed, with their names: extensions, or the entries of a map. */
  readonly entries?: { readonly number: number; readonly kind: Kind; readonly of: 'extensions' | 'all' };
  /** A message that is only the place of another. */
  readonly wrap?: (value: unknown) => Field | undefined;
}

const writer = new Writer();

/** The bytes of a message, without its length. */
export function encodeMessage(message: Message, value: object): Buffer {
  write(message, value);
  return writer.take();
}

/** An entry of a map: its name, and its value in a message. */
export function encodeEntry(number: number, name: string, message: Message, value: object): Buffer {
  entry(number, name, message, value);
  return writer.take();
}

/** A message around bytes that are fields already. */
export function encodeAround(number: number, parts: readonly Uint8Array[]): Buffer[] {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  writer.varint(length);
  writer.varint(number * 8 + 2);
  return [writer.take(), ...(parts as Buffer[])];
}

function write(message: Message, value: unknown): void {
  if (message.wrap) {
    const inner = message.wrap(value);
    if (inner) field(inner, value);
    return;
  }
  const { entries } = message;
  const fields = fieldsIn(value);
  for (const name of Object.keys(fields).reverse()) {
    const declared = message.fields[name];
    if (fields[name] === undefined) continue;
    if (declared) field(declared, fields[name]);
    else if (entries && (entries.of === 'all' || name.startsWith('x-')))
      entry(entries.number, name, entries.kind, fields[name]);
  }
}

function entry(number: number, name: string, kind: Kind, value: unknown): void {
  const start = writer.size;
  one({ number: 2, kind }, value);
  writer.string(name);
  writer.varint(10);
  close(number, start);
}

function field(declared: Field, value: unknown): void {
  if (!declared.isList) return one(declared, value);
  const list = Array.isArray(value) ? value : [value];
  for (let i = list.length - 1; i >= 0; i--) one(declared, list[i]);
}

function one({ number, kind }: Field, value: unknown): void {
  switch (kind) {
    case 'string':
      writer.string(String(value));
      return writer.varint(number * 8 + 2);
    case 'bool':
      if (!value) return;
      writer.byte(1);
      return writer.varint(number * 8);
    case 'int':
      writer.integer(value as number);
      return writer.varint(number * 8);
    case 'double':
      writer.double(Number(value));
      return writer.varint(number * 8 + 1);
    default: {
      const start = writer.size;
      // Any value is stored as YAML, which includes JSON.
      if (kind === 'any') {
        writer.string(`${JSON.stringify(value)}\n`);
        writer.varint(18);
      } else write(kind, value);
      return close(number, start);
    }
  }
}

function close(number: number, start: number): void {
  writer.varint(writer.size - start);
  writer.varint(number * 8 + 2);
}
