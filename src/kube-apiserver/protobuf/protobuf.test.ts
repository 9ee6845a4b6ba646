import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { type Schema, schemaKinds, schemaNamed } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import {
  decodeFields,
  encodeFields,
  encodeObject,
  encodeWatchEvent,
  ProtobufError,
  protobufSchema,
  readEnvelope,
} from './protobuf.ts';

/** The recorded field numbers, read by another implementation. */
const { messages } = JSON.parse(readFileSync(new URL('../../../facts/protobuf.json', import.meta.url), 'utf8')) as {
  messages: Record<string, Record<string, [number, string]>>;
};
const root = new protobuf.Root();
for (const [name, fields] of Object.entries(messages)) {
  const type = new protobuf.Type(name.split('.').at(-1) as string);
  for (const [field, [id, of]] of Object.entries(fields)) {
    const map = /^map<(\w+),(.*)>$/.exec(of);
    if (map) type.add(new protobuf.MapField(field, id, map[1], map[2]));
    else type.add(new protobuf.Field(field, id, of.replace('[]', ''), of.endsWith('[]') ? 'repeated' : 'optional'));
  }
  root.define(name.split('.').slice(0, -1).join('.')).add(type);
}
const messageName = (schema: string) =>
  schema
    .replace(/^io\.k8s\./, 'k8s.io.')
    .replace('apiextensions-apiserver', 'apiextensions_apiserver')
    .replace('kube-aggregator', 'kube_aggregator');

const random = seededRandom(36);
const pick = <T>(values: readonly T[]): T => values[random.int(values.length)];

/** A value of the schema that has every field, down to a depth. */
function example(schema: Schema, depth: number): any {
  if (schema.intOrString) return pick([0, 8080, '25%', 'http']);
  if (schema.union === 'schema-or-bool') return pick([true, false, { type: 'string' }]);
  if (schema.union) return pick([{ type: 'string' }, [{ type: 'object' }, { type: 'array' }]]);
  if (schema.type === 'array')
    return depth < 0 ? [] : [example(schema.items ?? {}, depth - 1), example(schema.items ?? {}, depth - 1)];
  if (typeof schema.additionalProperties === 'object')
    return {
      '': example(schema.additionalProperties, depth - 1),
      'kürzel/ä': example(schema.additionalProperties, depth - 1),
    };
  if (schema.properties) {
    const fields = Object.entries(schema.properties).filter(([, property]) => property.protobuf && depth >= 0);
    return Object.fromEntries(fields.map(([name, property]) => [name, example(property, depth - 1)]));
  }
  switch (schema.format) {
    case 'date-time':
      return pick(['2026-11-26T10:00:00Z', '1969-12-31T23:59:59Z', '0001-01-02T00:00:00Z']);
    case 'micro-time':
      return '2026-11-26T10:00:00.000123Z';
    case 'quantity':
      return pick(['100m', '64Mi', '0']);
    case 'byte':
      return pick(['', 'AAECAwQ=', 'SGVsbG8=']);
    case 'int64':
      return pick([0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
  }
  if (schema.type === 'string') return pick(['', 'web', 'grüße, 世界 🎉', 'x'.repeat(200), 'ü'.repeat(70)]);
  if (schema.type === 'boolean') return pick([true, false]);
  if (schema.type === 'integer') return pick([0, 1, -1, 127, 128, 2 ** 31 - 1]);
  if (schema.type === 'number') return pick([0.5, -1e100]);
  if (schema.type === 'object' && !schema.preserveUnknownFields) return {};
  return { any: ['thing', 1, null] };
}

const names = [...new Set(Object.values(schemaKinds()))].filter((name) => !/WatchEvent|APIVersions$/.test(name));

describe('every kind', () => {
  test.each(names)('%s comes back as it was, by our reader and by another', (name) => {
    const schema = schemaNamed(name);
    for (let depth = 1; depth < 9; depth += 2) {
      const object = example(schema, depth);
      const bytes = encodeFields(schema, object);
      expect(decodeFields(schema, bytes)).toEqual(withoutEmpty(object));
      const type = messages[messageName(name)] && root.lookupType(messageName(name));
      if (type) expect(Buffer.from(type.encode(type.decode(bytes)).finish())).toHaveLength(bytes.length);
    }
  });
});

/** Empty lists and maps are absent, as in Go; as the value of a map, an empty list stays. */
function withoutEmpty(value: any): any {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withoutEmpty(inner)] as const);
  const isMap = '' in value;
  return Object.fromEntries(entries.filter(([, inner]) => isMap || !(Array.isArray(inner) && inner.length === 0)));
}

const pod = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web' } };
const podSchema = protobufSchema(pod)!;

test('the envelope of an object', () => {
  const bytes = encodeObject(podSchema, pod);
  expect(bytes.toString('latin1')).toBe(
    'k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x07\x0a\x05\x0a\x03web\x1a\x00\x22\x00',
  );
  expect(readEnvelope(bytes)).toMatchObject({ apiVersion: 'v1', kind: 'Pod' });
  expect(decodeFields(podSchema, readEnvelope(bytes).raw)).toEqual({ metadata: { name: 'web' } });
});

test('a frame of a watch stream', () => {
  const bytes = encodeWatchEvent('ADDED', podSchema, pod);
  expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
  const WatchEvent = root.lookupType('k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent');
  const event: any = WatchEvent.decode(bytes.subarray(4));
  expect(event.type).toBe('ADDED');
  expect(Buffer.from(event.object.raw)).toEqual(encodeObject(podSchema, pod));
});

test.each([
  ['Status', 'v1'],
  ['DeleteOptions', 'apps/v1'],
  ['PartialObjectMetadata', 'meta.k8s.io/v1'],
  ['PartialObjectMetadataList', 'meta.k8s.io/v1'],
  ['Scale', 'autoscaling/v1'],
])('%s of %s has a schema', (kind, apiVersion) => {
  expect(protobufSchema({ kind, apiVersion })?.properties).toBeDefined();
});
describe('metadata alone', () => {
  const metadata = { name: 'a', namespace: 'default', uid: 'u', labels: { app: 'web' }, resourceVersion: '7' };
  const meta = root.lookupType('k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };

  test('of an object is field 1', () => {
    const schema = protobufSchema(partial);
    const bytes = encodeFields(schema as Schema, { ...partial, metadata });
    const reader = protobuf.Reader.create(bytes);
    expect(reader.uint32() >>> 3).toBe(1);
    expect(meta.toObject(meta.decode(reader.bytes()))).toEqual(metadata);
    expect(reader.pos).toBe(reader.len);
    expect(decodeFields(schema as Schema, bytes)).toEqual({ metadata });
  });

  test('of a list has the items in field 2', () => {
    const type = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' };
    const schema = protobufSchema(type) as Schema;
    const list = {
      metadata: { resourceVersion: '9' },
      items: [{ metadata }, { metadata: { ...metadata, name: 'b' } }],
    };
    expect(decodeFields(schema, encodeFields(schema, { ...type, ...list }))).toEqual(list);
  });
});

test('a custom resource has none', () => {
  expect(protobufSchema({ kind: 'CronTab', apiVersion: 'stable.example.com/v1' })).toBeUndefined();
});

test('integers beyond 2^53 keep their digits', () => {
  const metadata = { generation: 9223372036854775807n };
  const read: any = decodeFields(podSchema, encodeFields(podSchema, { metadata }));
  expect(read.metadata.generation).toBe(9223372036854775807n);
});

test('the key __proto__ is a label like any other', () => {
  const labels = JSON.parse('{"__proto__":"x"}');
  const read: any = decodeFields(podSchema, encodeFields(podSchema, { metadata: { labels } }));
  expect(JSON.stringify(read.metadata.labels)).toBe('{"__proto__":"x"}');
});

describe('hostile bytes are refused', () => {
  const whole = encodeFields(podSchema, { metadata: { name: 'web', labels: { a: 'b' } }, spec: { priority: 1 } });
  test.each([...whole.keys()].slice(1))('cut off after %i bytes', (length) => {
    const cut = whole.subarray(0, length);
    // A cut between two fields leaves a shorter message that is whole.
    try {
      decodeFields(podSchema, cut);
    } catch (error) {
      expect(error).toBeInstanceOf(ProtobufError);
    }
  });
  test.each([
    { case: 'no envelope', bytes: Buffer.from('{"kind":"Pod"}'), message: /expected prefix \[107 56 115 0\]/ },
    {
      case: 'endless varint',
      bytes: Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(160_000, 0xff)]),
      message: /overflow/,
    },
    { case: 'a length beyond the end', bytes: Buffer.from('k8s\0\x0a\xff\xff\xff\x7f', 'latin1'), message: /EOF/ },
    { case: 'field number 0', bytes: Buffer.from('k8s\0\x02\x00', 'latin1'), message: /illegal tag 0/ },
    { case: 'a group', bytes: Buffer.from('k8s\0\x2b', 'latin1'), message: /illegal wireType 3/ },
  ])('$case', ({ bytes, message }) => {
    expect(() => readEnvelope(bytes)).toThrow(message);
  });
  test('random bytes never throw another error', () => {
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(whole);
      for (let changes = 0; changes < 3; changes++) bytes[random.int(bytes.length)] = random.int(256);
      try {
        decodeFields(podSchema, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtobufError);
      }
    }
  });
  test('schemas nested without end', () => {
    const schema = protobufSchema({ kind: 'CustomResourceDefinition', apiVersion: 'apiextensions.k8s.io/v1' })!;
    let bytes = Buffer.alloc(0);
    // JSONSchemaProps.not, again and again, inside spec.versions[0].schema.openAPIV3Schema.
    const wrap = (tag: number[], inner: Buffer) => {
      const length: number[] = [];
      let rest = inner.length;
      for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
      return Buffer.concat([Buffer.from([...tag, ...length, rest]), inner]);
    };
    for (let depth = 0; depth < 11_000; depth++) bytes = wrap([0xe2, 0x01], bytes);
    for (const tag of [10, 34, 58, 18]) bytes = wrap([tag], bytes);
    expect(() => decodeFields(schema, bytes)).toThrow(ProtobufError);
  });
});
