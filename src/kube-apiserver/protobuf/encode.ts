// Encodes objects as protobuf. The code for each type is generated from its schema on first use, so that each field is
// accessed by name and written with a constant tag.

import { type Schema, schemaNamed } from '../../api/api.ts';
import { type Embedded, type Field, type Form, fieldsOf } from './shape.ts';
import type { Writer } from './writer.ts';

/** Encodes the fields of an object, without a length. Fields outside the schema are skipped. */
type Encoder = (writer: Writer, object: object) => void;

const encoders = new WeakMap<Schema, Encoder>();

export function encoderOf(schema: Schema): Encoder {
  let encoder = encoders.get(schema);
  if (!encoder) encoders.set(schema, (encoder = generate(schema)));
  return encoder;
}

const lengthDelimited = 2;

/** Types may contain themselves (JSONSchemaProps): a nested type is looked up when it is first written. */
function generate(schema: Schema): Encoder {
  const nested: Schema[] = [];
  const code = statements(fieldsOf(schema), nested);
  const write = new Function('tools', 'encoders', `return function (w, o) { let v; ${code} }`);
  const lazy = nested.map((inner) => {
    let encoder: Encoder | undefined;
    return (writer: Writer, object: object) => (encoder ??= encoderOf(inner))(writer, object);
  });
  return write(tools, lazy) as Encoder;
}

/** Fields from the last to the first, because the writer works backwards. */
function statements(fields: readonly (Field | Embedded)[], nested: Schema[]): string {
  return [...fields]
    .reverse()
    .map((field) => {
      if ('form' in field) {
        const write = value(field.form, field.number, 'v', nested, 0);
        return `v = o[${JSON.stringify(field.name)}]; if (v !== undefined && v !== null) { ${write} }`;
      }
      const inner = statements(field.fields, nested);
      const start = `s${field.number}`;
      return `{ const ${start} = w.size; ${inner} if (w.size > ${start}) { w.varint(w.size - ${start}); ${tag(field.number, lengthDelimited)} } }`;
    })
    .join('\n');
}

const tag = (number: number, type: number): string => `w.varint(${number * 8 + type});`;

/** Code that writes the value in the variable `name` with its tag. */
function value(form: Form, number: number, name: string, nested: Schema[], depth: number): string {
  switch (form.of) {
    case 'string':
      return `w.string(${name}); ${tag(number, lengthDelimited)}`;
    case 'boolean':
      return `w.byte(${name} ? 1 : 0); ${tag(number, 0)}`;
    case 'integer':
      return `w.integer(${name}); ${tag(number, 0)}`;
    case 'double':
      return `w.double(${name}); ${tag(number, 1)}`;
    case 'list': {
      const [i, item] = [`i${depth}`, `e${depth}`];
      const write = value(form.items, number, item, nested, depth + 1);
      return `for (let ${i} = ${name}.length - 1; ${i} >= 0; ${i}--) { const ${item} = ${name}[${i}]; ${write} }`;
    }
    case 'wrapped-list':
      return delimited(value({ of: 'list', items: form.items }, 1, name, nested, depth + 1), number, depth);
    case 'map': {
      const [key, item, start] = [`k${depth}`, `e${depth}`, `s${depth}_`];
      const write = `if (${item} !== undefined && ${item} !== null) { ${value(form.values, 2, item, nested, depth + 1)} }`;
      const entry = `const ${item} = ${name}[${key}], ${start} = w.size; ${write} w.string(${key}); w.varint(10); w.varint(w.size - ${start}); ${tag(number, lengthDelimited)}`;
      return `for (const ${key} of Object.keys(${name}).reverse()) { ${entry} }`;
    }
    case 'message': {
      nested.push(form.schema);
      return delimited(`encoders[${nested.length - 1}](w, ${name});`, number, depth);
    }
    default:
      return delimited(`tools[${JSON.stringify(form.of)}](w, ${name});`, number, depth);
  }
}

function delimited(write: string, number: number, depth: number): string {
  const start = `n${depth}_${number}`;
  return `{ const ${start} = w.size; ${write} w.varint(w.size - ${start}); ${tag(number, lengthDelimited)} }`;
}

/** Forms that are text or a number in JSON, and a message in protobuf. Each writes the message's fields. */
const tools = {
  bytes(w: Writer, text: string) {
    w.raw(Buffer.from(text, 'base64'));
  },
  quantity(w: Writer, text: string | number) {
    w.string(String(text));
    w.varint(10);
  },
  'int-or-string'(w: Writer, value: number | string) {
    w.string(typeof value === 'string' ? value : '');
    w.varint(26);
    w.integer(typeof value === 'string' ? 0 : value);
    w.varint(16);
    w.varint(typeof value === 'string' ? 1 : 0);
    w.varint(8);
  },
  time(w: Writer, text: string) {
    writeTime(w, text, 0);
  },
  'micro-time'(w: Writer, text: string) {
    writeTime(w, text, Number(/\.(\d{1,9})/.exec(text)?.[1].padEnd(9, '0') ?? 0));
  },
  json(w: Writer, value: unknown) {
    w.bytes(Buffer.from(JSON.stringify(value)));
    w.varint(10);
  },
  'schema-or-array'(w: Writer, value: object | readonly (object | string)[]) {
    if (!Array.isArray(value)) return writeSchema(w, value, 10);
    for (const item of value.toReversed()) {
      if (typeof item === 'string') {
        w.string(item);
        w.varint(18);
      } else writeSchema(w, item, 18);
    }
  },
  'schema-or-bool'(w: Writer, value: object | boolean) {
    if (typeof value === 'object') writeSchema(w, value, 18);
    w.byte(value === false ? 0 : 1);
    w.varint(8);
  },
};

function writeTime(w: Writer, text: string, nanoseconds: number): void {
  w.varint(nanoseconds);
  w.varint(16);
  w.integer(secondsOf(text));
  w.varint(8);
}

let lastText = '';
let lastSeconds = 0;
/** An object often has one time in several fields. */
function secondsOf(text: string): number {
  if (text === lastText) return lastSeconds;
  lastText = text;
  lastSeconds = Math.floor(Date.parse(text) / 1000);
  return lastSeconds;
}

function writeSchema(w: Writer, schema: object, tag: number): void {
  const start = w.size;
  encoderOf(schemaNamed('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'))(w, schema);
  w.varint(w.size - start);
  w.varint(tag);
}
