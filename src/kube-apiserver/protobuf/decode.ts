// Reads objects from protobuf, by code that is generated from the schema of a type when it is first used.

import { formatTime, parseJson, type Schema, schemaNamed } from '../../api/api.ts';
import { ProtobufError, type Reader } from './reader.ts';
import { type Embedded, type Field, type Form, fieldsOf } from './shape.ts';

/** Reads fields into the object up to the end of the message. */
type Decoder = (reader: Reader, object: object) => void;

const decoders = new WeakMap<Schema, Decoder>();

export function decoderOf(schema: Schema): Decoder {
  let decoder = decoders.get(schema);
  if (!decoder) decoders.set(schema, (decoder = generate(fieldsOf(schema))));
  return decoder;
}

function generate(fields: readonly (Field | Embedded)[]): Decoder {
  const nested: Decoder[] = [];
  const cases = fields.map((field) => {
    if (!('form' in field)) {
      nested.push(generate(field.fields));
      const read = `const outer = r.enter(); nested[${nested.length - 1}](r, o); r.leave(outer);`;
      return `case ${field.number * 8 + 2}: { ${read} break; }`;
    }
    return casesOf(field, nested);
  });
  const code = `while (!r.isDone) { const tag = r.tag(); switch (tag) { ${cases.join('\n')} default: r.skip(tag); } }`;
  return new Function('tools', 'nested', `return function (r, o) { ${code} }`)(tools, nested) as Decoder;
}

function casesOf({ number, name, form }: Field, nested: Decoder[]): string {
  const target = `o[${JSON.stringify(name)}]`;
  if (form.of === 'list') {
    const list = `(${target} ??= [])`;
    const item = readValue(form.items, nested);
    const one = `case ${number * 8 + wireType(form.items)}: ${list}.push(${item}); break;`;
    if (wireType(form.items) === 2) return one;
    // Numbers may be packed: many in one field.
    const packed = `const outer = r.enter(); const list = ${list}; while (!r.isDone) list.push(${item}); r.leave(outer);`;
    return `${one} case ${number * 8 + 2}: { ${packed} break; }`;
  }
  if (form.of === 'map') {
    nested.push(entryReader(form.values));
    return `case ${number * 8 + 2}: nested[${nested.length - 1}](r, ${target} ??= {}); break;`;
  }
  if (form.of === 'message') {
    // A repeated message is merged, as protobuf requires.
    nested.push(lazy(form.schema));
    const read = `const outer = r.enter(); nested[${nested.length - 1}](r, ${target} ??= {}); r.leave(outer);`;
    return `case ${number * 8 + 2}: { ${read} break; }`;
  }
  return `case ${number * 8 + wireType(form)}: ${target} = ${readValue(form, nested)}; break;`;
}

const wireType = ({ of }: Form): number => (of === 'boolean' || of === 'integer' ? 0 : of === 'double' ? 1 : 2);

/** An expression that reads one value. */
function readValue(form: Form, nested: Decoder[]): string {
  switch (form.of) {
    case 'string':
      return 'r.string()';
    case 'boolean':
      return 'r.integer() !== 0';
    case 'integer':
      return 'r.integer()';
    case 'double':
      return 'r.double()';
    case 'message':
      nested.push(lazy(form.schema));
      return `tools.message(r, nested[${nested.length - 1}])`;
    case 'wrapped-list':
      nested.push(generate([{ number: 1, name: 'list', form: { of: 'list', items: form.items } }]));
      return `(tools.message(r, nested[${nested.length - 1}]).list ?? [])`;
    default:
      return `tools[${JSON.stringify(form.of)}](r)`;
  }
}

/** Types may contain themselves (JSONSchemaProps): a nested type is looked up when it is first read. */
function lazy(schema: Schema): Decoder {
  let decoder: Decoder | undefined;
  return (reader, object) => (decoder ??= decoderOf(schema))(reader, object);
}

/** One entry of a map: the key in field 1, the value in field 2. */
function entryReader(form: Form): Decoder {
  const nested: Decoder[] = [];
  const empty: Readonly<Record<string, string>> = {
    'wrapped-list': '[]',
    message: '{}',
    boolean: 'false',
    integer: '0',
    double: '0',
    json: 'null',
  };
  const value = `v = ${readValue(form, nested)};`;
  const code = `
    let k = '', v = ${empty[form.of] ?? "''"};
    const outer = r.enter();
    while (!r.isDone) {
      const tag = r.tag();
      if (tag === 10) k = r.string();
      else if (tag === ${16 + wireType(form)}) ${value}
      else r.skip(tag);
    }
    r.leave(outer);
    tools.put(map, k, v);`;
  return new Function('tools', 'nested', `return function (r, map) { ${code} }`)(tools, nested) as Decoder;
}

/** Runs `read` for each field of a message. */
function eachField(r: Reader, read: (tag: number) => boolean): void {
  const outer = r.enter();
  while (!r.isDone) {
    const tag = r.tag();
    if (!read(tag)) r.skip(tag);
  }
  r.leave(outer);
}

const tools = {
  message(r: Reader, decoder: Decoder): Record<string, unknown> {
    const object = {};
    const outer = r.enter();
    decoder(r, object);
    r.leave(outer);
    return object;
  },
  /** A key such as __proto__ is a key like any other. */
  put(map: Record<string, unknown>, key: string, value: unknown): void {
    if (key !== '__proto__') map[key] = value;
    else Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  },
  bytes: (r: Reader): string => r.bytes().toString('base64'),
  quantity(r: Reader): string {
    let text = '';
    eachField(r, (tag) => {
      if (tag !== 10) return false;
      text = r.string();
      return true;
    });
    return text;
  },
  'int-or-string'(r: Reader): number | string {
    let type: number | bigint = 0;
    let number = 0;
    let text = '';
    eachField(r, (tag) => {
      if (tag === 8) type = r.integer();
      else if (tag === 16) number = Number(r.integer());
      else if (tag === 26) text = r.string();
      else return false;
      return true;
    });
    return type === 1 ? text : number;
  },
  time: (r: Reader): string | null => readTime(r, 0),
  'micro-time': (r: Reader): string | null => readTime(r, 6),
  json(r: Reader): unknown {
    let text = '';
    eachField(r, (tag) => {
      if (tag !== 10) return false;
      text = r.string();
      return true;
    });
    if (text === '') return undefined;
    try {
      return parseJson(text).value;
    } catch (error) {
      throw new ProtobufError((error as Error).message);
    }
  },
  'schema-or-array'(r: Reader): unknown {
    let schema: unknown;
    const list: unknown[] = [];
    eachField(r, (tag) => {
      if (tag === 10) schema = readSchema(r);
      else if (tag === 18) list.push(readSchema(r));
      else return false;
      return true;
    });
    return list.length > 0 ? list : (schema ?? []);
  },
  'schema-or-bool'(r: Reader): unknown {
    let allows = false;
    let schema: unknown;
    eachField(r, (tag) => {
      if (tag === 8) allows = r.integer() !== 0;
      else if (tag === 18) schema = readSchema(r);
      else return false;
      return true;
    });
    return schema ?? allows;
  },
};

const readSchema = (r: Reader): object =>
  tools.message(r, decoderOf(schemaNamed('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')));

/** Seconds that JSON can represent: years 0 to 9999. */
const earliest = -62_167_219_200;
const latest = 253_402_300_799;

/** An empty message is the zero time, which JSON writes as null. */
function readTime(r: Reader, fractionDigits: number): string | null {
  let seconds = 0;
  let nanoseconds = 0;
  let isEmpty = true;
  eachField(r, (tag) => {
    if (tag === 8) seconds = Number(r.integer());
    else if (tag === 16) nanoseconds = Number(r.integer());
    else return false;
    isEmpty = false;
    return true;
  });
  if (isEmpty) return null;
  if (seconds < earliest || seconds > latest)
    throw new ProtobufError('Time.MarshalJSON: year outside of range [0,9999]');
  const whole = textOf(seconds);
  if (fractionDigits === 0) return whole;
  return `${whole.slice(0, -1)}.${String(Math.floor(nanoseconds / 1000)).padStart(fractionDigits, '0')}Z`;
}

let lastSeconds = Number.NaN;
let lastText = '';
/** One object has the same time several times. */
function textOf(seconds: number): string {
  if (seconds === lastSeconds) return lastText;
  lastSeconds = seconds;
  lastText = formatTime(seconds * 1000);
  return lastText;
}
