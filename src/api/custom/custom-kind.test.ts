import { describe, expect, test } from 'vitest';
import { decodeBody } from '../body.ts';
import { canonical } from '../decode.ts';
import type { CustomResourceDefinition } from '../generated/types.ts';
import type { ApiObject } from '../kind.ts';
import { customKinds } from './custom-kind.ts';
import { readJsonPath, Visits } from './json-path.ts';

const spec = {
  type: 'object',
  required: ['n'],
  properties: {
    n: { type: 'integer', minimum: 1, maximum: 10, multipleOf: 2 },
    s: { type: 'string', minLength: 2, maxLength: 4, pattern: '^[a-z]+$' },
    e: { type: 'string', enum: ['a', 'b'] },
    f: { type: 'string', format: 'date-time' },
    l: { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 2 },
    o: { type: 'object', required: ['r'], properties: { r: { type: 'string' } } },
    nul: { type: 'string', nullable: true, default: 'd' },
    ios: { 'x-kubernetes-int-or-string': true },
    flag: { type: 'boolean' },
    alt: {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
    parts: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, size: { type: 'integer', default: 1 } },
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
    emb: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
  },
};

const crd = {
  metadata: { name: 'widgets.g.test' },
  spec: {
    group: 'g.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec, status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        },
        subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
        additionalPrinterColumns: [
          { name: 'N', type: 'integer', jsonPath: '.spec.n' },
          { name: 'Part', type: 'string', jsonPath: '.spec.parts[0].name' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        selectableFields: [{ jsonPath: '.spec.e' }],
      },
      { name: 'v2', served: true, storage: false, schema: { openAPIV3Schema: { type: 'object' } } },
      { name: 'v3', served: false, storage: false, schema: { openAPIV3Schema: { type: 'object' } } },
    ],
  },
} as unknown as CustomResourceDefinition;

const [widget, widgetV2] = customKinds(crd);
const decodeWidget = (body: object) =>
  decodeBody(
    JSON.stringify({ apiVersion: 'g.test/v1', kind: 'Widget', metadata: { name: 'w' }, ...body }),
    'json',
    widget,
  );

function make(value: unknown): ApiObject {
  const { object } = decodeWidget({ spec: value });
  widget.strategy.setDefaults?.(object);
  return object;
}

const context = { now: 0, user: { name: 'tester' } };
const faults = (object: ApiObject) => {
  widget.strategy.prepareForCreate?.(object, context);
  return (widget.strategy.validate?.(object) ?? []).map((e) => `${e.field}: ${e.message}`);
};

describe('values', () => {
  test.each([
    [
      {
        n: 2,
        s: 'ab',
        e: 'a',
        f: '2020-01-01T00:00:00Z',
        l: [1],
        o: { r: 'x' },
        ios: '5%',
        flag: true,
        alt: { a: 'x' },
      },
      [],
    ],
    [{}, ['spec.n: Required value']],
    [{ n: 0 }, ['spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1']],
    [{ n: 12 }, ['spec.n: Invalid value: 12: spec.n in body should be less than or equal to 10']],
    [{ n: 3 }, ['spec.n: Invalid value: 3: spec.n in body should be a multiple of 2']],
    [
      { n: '2' },
      [
        'spec.n: Invalid value: "string": spec.n in body must be of type integer: "string"',
        '.spec.n: Invalid value: 0: .spec.n accessor error: 2 is of the type string, expected int64',
      ],
    ],
    [{ n: 2, s: 'a' }, ['spec.s: Invalid value: "a": spec.s in body should be at least 2 chars long']],
    [{ n: 2, s: 'abcde' }, ['spec.s: Too long: may not be more than 4 bytes']],
    [{ n: 2, e: 'c' }, ['spec.e: Unsupported value: "c": supported values: "a", "b"']],
    [
      { n: 2, f: 'yesterday' },
      ['spec.f: Invalid value: "yesterday": spec.f in body must be of type date-time: "yesterday"'],
    ],
    [{ n: 2, l: [1, 2, 3] }, ['spec.l: Too many: 3: must have at most 2 items']],
    [{ n: 2, l: [] }, ['spec.l: Invalid value: 0: spec.l in body should have at least 1 items']],
    [{ n: 2, o: {} }, ['spec.o.r: Required value']],
    [
      { n: 2, alt: { a: 'x', b: 'y' } },
      [
        '<nil>: Invalid value: "": "spec.alt" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [{ n: 2, tags: ['a', 'a'] }, ['spec.tags[1]: Duplicate value: "a"']],
    [{ n: 2, parts: [{ name: 'x' }, { name: 'x' }] }, ['spec.parts[1]: Duplicate value: {"name":"x"}']],
    [{ n: 2, emb: { a: 1 } }, ['spec.emb.apiVersion: Required value', 'spec.emb.kind: Required value']],
    [
      'x',
      [
        'spec: Invalid value: "string": spec in body must be of type object: "string"',
        '.spec.n: Invalid value: 0: .spec.n accessor error: x is of the type string, expected map[string]interface{}',
      ],
    ],
  ])('%j', (value, wanted) => expect(faults(make(value))).toEqual(wanted));
});

test('unknown fields are dropped and named', () => {
  const { object, strictFaults } = decodeWidget({
    spec: { n: 2, odd: 1, o: { r: 'a', odder: 2 } },
    metadata: { name: 'w', colour: 1 },
  });
  expect(object.spec).toEqual({ n: 2, o: { r: 'a' } });
  expect(strictFaults).toEqual([
    'unknown field "metadata.colour"',
    'unknown field "spec.o.odder"',
    'unknown field "spec.odd"',
  ]);
});

test('defaults come in, null stays only where it may', () => {
  expect(make({ n: 2, s: null }).spec).toEqual({ n: 2, nul: 'd' });
  expect(make({ n: 2, nul: null }).spec).toEqual({ n: 2, nul: null });
  expect(make({ n: 2, parts: [{ name: 'a' }] }).spec).toMatchObject({ parts: [{ name: 'a', size: 1 }] });
});

test('fields are written in the order of their names', () =>
  expect(JSON.stringify(canonical(widget.schema, make({ s: 'ab', n: 2 })))).toBe(
    '{"apiVersion":"g.test/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"n":2,"nul":"d","s":"ab"}}',
  ));

test('the body must have a kind', () => {
  expect(() => decodeBody('{"metadata":{"name":"w"}}', 'json', widget)).toThrow(
    `Object 'Kind' is missing in '{"metadata":{"name":"w"}}'`,
  );
  expect(() => decodeBody('{"apiVersion":"other/v1","kind":"Widget"}', 'json', widget)).toThrow(
    'the API version in the data (other/v1) does not match the expected API version (g.test/v1)',
  );
  expect(faults({ ...make({ n: 2 }), kind: 'Gadget' })).toEqual(['kind: Invalid value: "Gadget": must be Widget']);
});

test('a definition makes a kind for each version that is served', () => {
  expect(customKinds(crd).map(({ version }) => version)).toEqual(['v1', 'v2']);
  expect(widget).toMatchObject({ storagePrefix: 'g.test/widgets', namespaced: true, shortNames: ['wd'], custom: true });
  expect(widget.subresources.map(({ name }) => name)).toEqual(['status', 'scale']);
  const object = make({ n: 2, e: 'b', parts: [{ name: 'p' }, { name: 'q' }] });
  object.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
  expect(widget.cells(object, Date.UTC(2026, 0, 1, 0, 5))).toEqual(['w', 2, 'p', '5m']);
  expect(widget.selectableFields['spec.e'](object)).toBe('b');
  expect(widgetV2.toStorage?.({ ...object, apiVersion: 'g.test/v2' }).apiVersion).toBe('g.test/v1');
  expect(widgetV2.columns.map(({ name }) => name)).toEqual(['Name', 'Age']);
});

test.each([
  ['.spec.n', [2]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  ['.status.conditions[*].type', ['Ready', 'Other']],
  [".metadata.annotations['a.b/c']", ['x']],
  ['.metadata.annotations.a\\.b/c', ['x']],
  ['.status.conditions[-1].type', ['Other']],
  ['.none.at.all', []],
])('JSON path %s', (path, wanted) => {
  const object = {
    metadata: { annotations: { 'a.b/c': 'x' } },
    spec: { n: 2 },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
    },
  };
  expect(readJsonPath(path)?.(object)).toEqual(wanted);
});

describe('a JSON path from a definition', () => {
  const object = { spec: { l: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }] } };
  test.each([
    ['.spec.l[1:3].n', [2, 3]],
    ['.spec.l[:2].n', [1, 2]],
    ['.spec.l[2:].n', [3, 4]],
    ['.spec.l[-1:].n', [4]],
    ['.spec.l[0:4:2].n', [1, 3]],
    ['.spec.l[-2].n', [3]],
    ['.spec.l[0,2].n', [1, 3]],
    ['.spec.l[?(@.n<2)].n', [1]],
    ['.spec.l[?(@.n<=2)].n', [1, 2]],
    ['.spec.l[?(@.n>3)].n', [4]],
    ['.spec.l[?(@.n>=3)].n', [3, 4]],
    ['.spec.l[?(@.n!=3)].n', [1, 2, 4]],
  ])('%s finds %j', (path, wanted) => expect(readJsonPath(path)?.(object)).toEqual(wanted));

  test('with a step of zero is invalid', () => expect(readJsonPath('.spec.l[0:4:0]')).toBeUndefined());
});

describe('a JSON path from a definition takes little time', () => {
  let deep: object = {};
  for (let i = 0; i < 1_000; i++) deep = { a: deep };
  const list = Array.from({ length: 2_000 }, () => ({ x: '1' }));

  test.each([
    ['descents of descents', `.spec${'..a'.repeat(6)}`],
    ['a descent in a filter', '.spec..[?(@..a)]'],
    ['a value many times', `.spec${"['l','l']".repeat(30)}`],
    ['all of all', `.spec.l${'[*]'.repeat(40)}`],
    ['spaces in a filter', `.spec.l[?(@.x${' '.repeat(3_000)}==${' '.repeat(900)}"2")]`],
    ['quotes that do not end', `.spec[${"'".repeat(3_001)}]`],
    ['half a megabyte', `.spec${'.a'.repeat(250_000)}`],
  ])('%s', (_, path) => {
    const before = process.threadCpuUsage().user;
    const found = readJsonPath(path)?.({ spec: { ...deep, l: list } }) ?? [];
    expect(found.length).toBeLessThan(10_000);
    expect(process.threadCpuUsage().user - before).toBeLessThan(200_000);
  });

  test('the columns of one object share their visits', () => {
    const visits = new Visits();
    const read = readJsonPath('.l[*].x');
    const counts = Array.from({ length: 100 }, () => read?.({ l: list }, visits).length);
    expect(counts[0]).toBe(2_000);
    expect(counts.at(-1)).toBe(0);
  });
});
