import { describe, expect, test } from 'vitest';
import { decodeBody } from '../body.ts';
import type { CustomResourceDefinition } from '../generated/types.ts';
import type { ApiObject, Kind } from '../kind.ts';
import { customKinds } from './custom-kind.ts';

/** Kinds of a definition with these versions: name -> the schema of spec, or of the whole object with `root`. */
function kinds(versions: Record<string, any>, more: Record<string, any> = {}): Kind[] {
  const list = Object.entries(versions).map(([name, { root, ...spec }], index) => ({
    name,
    served: true,
    storage: index === 0,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', ...spec },
          status: { type: 'object', properties: { n: { type: 'integer' } } },
        },
        ...root,
      },
    },
    ...more,
  }));
  const names = { plural: 'gears', kind: 'Gear' };
  return customKinds({ metadata: {}, spec: { group: 'g.test', scope: 'Namespaced', names, versions: list } } as never);
}

const fields = (...names: string[]) => ({
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});
const gear = (spec: unknown, more: object = {}): ApiObject =>
  ({ apiVersion: 'g.test/v1', kind: 'Gear', metadata: { name: 'g' }, spec, ...more }) as unknown as ApiObject;
const texts = (errors: readonly { field: string; message: string }[] = []) =>
  errors.map(({ field, message }) => `${field}: ${message}`);

function created(kind: Kind, object: ApiObject): string[] {
  kind.strategy.prepareForCreate?.(object, { now: 0, user: { name: '' } });
  return texts(kind.strategy.validate?.(object));
}

const changed = (kind: Kind, next: ApiObject, old: ApiObject) => [
  ...texts(kind.strategy.validate?.(next)),
  ...texts(kind.strategy.validateUpdate?.(next, old)),
];

describe('stored objects are read by the current schema', () => {
  test('fields that went are pruned, new ones get their default, each by the version that was stored', () => {
    const [v1, v2] = kinds({
      v1: { properties: { a: { type: 'string' }, n: { type: 'string', default: 'new' } } },
      v2: { properties: { a: { type: 'string' }, b: { type: 'string', default: 'other' } } },
    });
    expect(v1.readStored?.(gear({ a: '1', gone: '2' })).spec).toEqual({ a: '1', n: 'new' });
    expect(v2.readStored?.(gear({ a: '1', gone: '2' })).spec).toEqual({ a: '1', n: 'new' });
    expect(v2.readStored?.(gear({ a: '1', b: '2' }, { apiVersion: 'g.test/v2' })).spec).toEqual({ a: '1', b: '2' });
  });

  test('a version shows and stores only the fields of its schema', () => {
    const [v1, v2] = kinds({ v1: fields('both', 'one'), v2: fields('both', 'two') });
    expect(v2.fromStorage?.(gear({ both: '1', one: '2' })).spec).toEqual({ both: '1' });
    expect(v2.toStorage?.(gear({ both: '1', two: '2' }, { apiVersion: 'g.test/v2' }))).toMatchObject({
      apiVersion: 'g.test/v1',
      spec: { both: '1' },
    });
    const own = gear({ both: '1', one: '2' });
    expect(v1.fromStorage?.(own)).toBe(own);
  });

  test('metadata that cannot be read is dropped, the rest stays', () => {
    const [v1] = kinds({ v1: fields('a') });
    const stored = gear({ a: '1' }, { metadata: { name: 'g', labels: { a: 1 } } });
    expect(v1.readStored?.(stored).metadata).toEqual({ name: 'g' });
  });
});

describe('unknown fields', () => {
  const decoded = (spec: object, value: object) => {
    const [kind] = kinds({ v1: spec });
    const { object, strictFaults } = decodeBody(JSON.stringify(gear(value)), 'json', kind);
    return [object.spec, strictFaults];
  };
  const keep = { 'x-kubernetes-preserve-unknown-fields': true };

  test.each([
    [
      'kept in the items of a list that keeps them',
      { l: { type: 'array', ...keep, items: { type: 'object' } } },
      { l: [{ q: { r: 1 } }] },
      { l: [{ q: { r: 1 } }] },
    ],
    [
      'of known fields within are pruned',
      { o: { type: 'object', ...keep, properties: { k: { type: 'object' } } } },
      { o: { k: { x: 1 }, y: 1 } },
      { o: { k: {}, y: 1 } },
    ],
    [
      'below additionalProperties: true go, its values stay',
      { o: { type: 'object', additionalProperties: true } },
      { o: { a: 1, b: { c: 1 } } },
      { o: { a: 1, b: {} } },
    ],
    [
      'beside additionalProperties: true stay',
      { o: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: true } },
      { o: { a: '1', b: 2 } },
      { o: { a: '1', b: 2 } },
    ],
    ['with names that every object inherits are unknown too', {}, { constructor: 1, toString: 2 }, {}],
  ])('%s', (_, properties, value, wanted) => expect(decoded({ properties }, value)[0]).toEqual(wanted));

  test('nulls that may not be one are dropped, or give way to a default', () => {
    const properties = {
      a: { type: 'string' },
      b: { type: 'string', nullable: true },
      c: { type: 'string', default: 'c' },
      d: { type: 'object', ...keep },
    };
    const [kind] = kinds({ v1: { properties } });
    const { object } = decodeBody(JSON.stringify(gear({ a: null, b: null, c: null, d: { e: null } })), 'json', kind);
    kind.strategy.setDefaults?.(object);
    expect(object.spec).toEqual({ b: null, c: 'c', d: { e: null } });
  });

  test('of metadata within the object are named with their path', () =>
    expect(
      decoded(
        { properties: { t: { type: 'object', 'x-kubernetes-embedded-resource': true, ...keep } } },
        { t: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', odd: 1 } } },
      ),
    ).toEqual([
      { t: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } } },
      ['unknown field "spec.t.metadata.odd"'],
    ]));
});

describe('ratcheting', () => {
  const properties = {
    a: { type: 'string', maxLength: 3 },
    b: { type: 'string' },
    m: {
      type: 'array',
      items: {
        type: 'object',
        required: ['k'],
        properties: { k: { type: 'string' }, v: { type: 'string', maxLength: 1 } },
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    },
    l: { type: 'array', items: { type: 'string', maxLength: 1 } },
    tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
  };
  const [kind] = kinds({ v1: { properties } });

  test.each([
    ['an invalid field that stays', { a: 'long', b: '1' }, { a: 'long', b: '2' }, []],
    [
      'an invalid field that changes',
      { a: 'long' },
      { a: 'longer' },
      ['spec.a: Too long: may not be more than 3 bytes'],
    ],
    [
      'an item of a keyed list that stays, wherever',
      { m: [{ k: '1', v: 'xx' }] },
      { m: [{ k: '0' }, { k: '1', v: 'xx' }] },
      [],
    ],
    [
      'an item of another list counts as changed with the list',
      { l: ['xx'] },
      { l: ['xx', 'y'] },
      ['spec.l[0]: Too long: may not be more than 1 byte'],
    ],
    ['such a list that stays', { l: ['xx'] }, { l: ['xx'], b: '1' }, []],
    ['duplicates that were there', { tags: ['a', 'a'] }, { tags: ['a', 'a', 'b'] }, []],
    ['duplicates that are new', { tags: ['a'] }, { tags: ['a', 'a'] }, ['spec.tags[1]: Duplicate value: "a"']],
  ])('%s', (_, old, next, wanted) =>
    expect(changed(kind, gear(next), gear(old)).map((text) => text.replace('1 bytes', '1 byte'))).toEqual(wanted),
  );
});

describe('values of each type and format', () => {
  test.each([
    [
      { type: 'integer', format: 'int32' },
      2 ** 31,
      ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.v'],
    ],
    [{ type: 'integer', format: 'int32' }, 1, []],
    [
      { type: 'number', format: 'float' },
      1e39,
      ['<nil>: Invalid value: "": Checked value must be of type number with format float in spec.v'],
    ],
    [
      { type: 'integer' },
      1.5,
      [
        'spec.v: Invalid value: "number": spec.v in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.v',
      ],
    ],
    [
      { type: 'string', format: 'date' },
      5,
      ['spec.v: Invalid value: "int64": spec.v in body must be of type date: "int64"'],
    ],
    [{ type: 'string', format: 'odd' }, 'x', []],
    [{ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }, '5%', []],
    [
      { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: '^[0-9]+$' },
      'x',
      ['spec.v: Invalid value: "x": spec.v in body should match \'^[0-9]+$\''],
    ],
    [
      { 'x-kubernetes-int-or-string': true },
      true,
      ['spec.v: Invalid value: "boolean": spec.v in body must be of type integer,string: "boolean"'],
    ],
    [{ type: 'string', nullable: true, enum: ['a'] }, null, ['spec.v: Unsupported value: null: supported values: "a"']],
    [{ type: 'number', enum: [0, 2] }, 2.5, []],
    [{ type: 'number', enum: [2.5] }, 2, ['spec.v: Unsupported value: 2: supported values: "2.5"']],
    [{ 'x-kubernetes-int-or-string': true, enum: ['A'] }, 65, []],
    [{ type: 'string', maxLength: 2 }, '😀😀', []],
    [
      { type: 'object', additionalProperties: { type: 'integer' } },
      { a: 'x' },
      ['spec.v.a: Invalid value: "string": spec.v.a in body must be of type integer: "string"'],
    ],
    [
      { type: 'integer', allOf: [{ minimum: 1 }, { maximum: 2 }] },
      3,
      [
        'spec.v: Invalid value: 3: spec.v in body should be less than or equal to 2',
        '<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf)',
      ],
    ],
    [
      {
        type: 'object',
        properties: { a: { type: 'string' }, b: { type: 'string' } },
        anyOf: [{ required: ['a'] }, { required: ['b'] }],
      },
      {},
      ['<nil>: Invalid value: "": "spec.v" must validate at least one schema (anyOf)', 'spec.v.a: Required value'],
    ],
    [{ type: 'integer', multipleOf: 3 }, 4, ['spec.v: Invalid value: 4: spec.v in body should be a multiple of 3']],
  ])('%j with %j', (v, value, wanted) => {
    const [kind] = kinds({ v1: { properties: { v } } });
    expect(created(kind, gear({ v: value }))).toEqual(wanted);
  });

  test.each([
    ['duration', ['1h30m', '1d', '3 weeks', '22 ns'], ['', 'abc', '1x']],
    [
      'datetime',
      ['2014-12-15T19:30:20.000Z', '2014-12-15t19:30:20+01:00'],
      ['2014-12-15', '2014-02-30T00:00:00Z', '2014-12-15T25:00:00Z'],
    ],
    ['uuid4', ['f47ac10b-58cc-4372-a567-0e02b2c3d479'], ['f47ac10b-58cc-1372-a567-0e02b2c3d479']],
    ['mac', ['01:23:45:67:89:ab', '0123.4567.89ab', '01-23-45-67-89-AB'], ['01:23:45', '01:23:45-67-89-ab']],
    ['uri', ['https://a.b/c', '/path', 'mailto:x@y'], ['a b', 'relative/path', '']],
    ['ipv4', ['10.0.0.1', '010.000.000.001'], ['10.0.0', '::1']],
    ['cidr', ['10.0.0.0/8', '2001:db8::/32'], ['10.0.0.0', '10.0.0.0/33']],
    ['hostname', ['example.com', 'a'], ['-a.com', 'a_b.com']],
    ['email', ['a@b.c', 'Name <a@b.c>'], ['a', '@b', 'a@']],
    ['isbn', ['0321751043', '978-0321751041'], ['0321751044']],
    ['byte', ['aGk='], ['aGk', '_']],
    ['hexcolor', ['#FFFFFF', 'abc'], ['#12']],
    ['rgbcolor', ['rgb(255,255,255)', 'rgb( 1, 2, 3 )'], ['rgb(256,0,0)', 'rgb(1,2)']],
    ['k8s-short-name', ['a-b'], ['A', 'a.b']],
    ['k8s-long-name', ['a.b'], ['A', 'a..b']],
  ])('format %s', (format, good, bad) => {
    const [kind] = kinds({ v1: { properties: { v: { type: 'string', format } } } });
    const ok = (value: string) => created(kind, gear({ v: value })).length === 0;
    expect([...good, ...bad].filter(ok)).toEqual(good);
  });
});

describe('the whole object', () => {
  const [kind] = kinds({ v1: { ...fields('a'), root: { required: ['metadata', 'spec'] } } });

  test('metadata and spec may be required', () => {
    expect(created(kind, gear({ a: '1' }))).toEqual([]);
    const { spec: _, ...without } = gear({});
    expect(created(kind, without as ApiObject)).toEqual(['spec: Required value']);
  });

  test('a finalizer without a domain is warned of', () => {
    const object = gear({}, { metadata: { name: 'g', finalizers: ['cleanup.example.com', 'odd'] } });
    expect(created(kind, object)).toEqual([]);
    expect(kind.strategy.warnings?.(object)).toEqual([
      'metadata.finalizers: "cleanup.example.com": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers',
      'metadata.finalizers: "odd": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers',
    ]);
    expect(kind.strategy.warnings?.(object, object)).toEqual([]);
  });

  test('the definition may restrict names', () => {
    const metadata = { type: 'object', properties: { name: { type: 'string', maxLength: 2 } } };
    const [short] = kinds({ v1: { root: { properties: { metadata, spec: { type: 'object' } } } } });
    expect(created(short, gear({}, { metadata: { name: 'long' } }))).toEqual([
      'metadata.name: Too long: may not be more than 2 bytes',
    ]);
  });

  test('generation counts the status where that has no endpoint', () => {
    const next = gear({ a: '1' }, { status: { n: 1 } });
    const old = gear({ a: '1' }, { metadata: { name: 'g', generation: 4 } });
    kind.strategy.prepareForUpdate?.(next, old, { now: 0, user: { name: '' } });
    expect(next.metadata.generation).toBe(5);
  });

  test('/status changes and checks only the status', () => {
    const [own] = kinds(
      { v1: { properties: { a: { type: 'string', maxLength: 1 } } } },
      { subresources: { status: {} } },
    );
    const old = gear({ a: 'long' });
    const next = gear({ a: 'long' }, { status: { n: 'x' }, metadata: { name: 'g', labels: { l: '1' } } });
    const { status } = own.strategy.subresources ?? {};
    status?.prepareForUpdate?.(next, old, { now: 0, user: { name: '' } });
    expect(next.metadata.labels).toBeUndefined();
    expect(texts(status?.validateUpdate?.(next, old))).toEqual([
      'status.n: Invalid value: "string": n in body must be of type integer: "string"',
    ]);
  });

  test('replicas behind a scale path are numbers that a Scale can hold', () => {
    const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
    const [own] = kinds({ v1: { properties: { replicas: { type: 'integer' } } } }, { subresources: { scale } });
    expect(created(own, gear({ replicas: -1 }))).toEqual([
      '.spec.replicas: Invalid value: -1: should be a non-negative integer',
    ]);
    expect(created(own, gear({ replicas: 2 ** 31 }))).toEqual([
      '.spec.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647',
    ]);
  });

  test('a deprecated version names the one to use', () => {
    const version = { openAPIV3Schema: { type: 'object' } };
    const [old] = customKinds({
      spec: {
        group: 'g.test',
        names: { plural: 'gears', kind: 'Gear' },
        versions: [
          { name: 'v1beta1', served: true, deprecated: true, schema: version },
          { name: 'v1', served: true, storage: true, schema: version },
          { name: 'v2', served: true, schema: version },
        ],
      },
    } as never as CustomResourceDefinition);
    expect(old.deprecation).toBe('g.test/v1beta1 Gear is deprecated; use g.test/v2 Gear');
  });
});
