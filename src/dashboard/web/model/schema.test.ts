import { describe, expect, test } from 'vitest';
import { pathAtLine, SchemaDocument } from './schema.ts';

const text = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
spec:
  # a comment
  template:
    spec:
      containers:
      - name: a
        image: b
        ports:
          - containerPort: 80

      - image: c
      volumes:
      - name: v
---
kind: Pod`.split('\n');

test.each([
  [0, ''],
  [3, 'metadata'],
  [5, 'metadata.labels'],
  [8, 'spec'],
  [11, 'spec.template.spec.containers.*'],
  [12, 'spec.template.spec.containers.*'],
  [14, 'spec.template.spec.containers.*.ports.*'],
  [16, 'spec.template.spec.containers.*'],
  [17, 'spec.template.spec'],
  [18, 'spec.template.spec.volumes.*'],
  [20, ''],
])('the path of line %d', (line, path) => expect(pathAtLine(text, line).join('.')).toBe(path));

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const document = new SchemaDocument({
  components: {
    schemas: {
      web: {
        type: 'object',
        required: ['spec'],
        properties: { spec: { allOf: [ref('spec')], description: 'The wish.' }, labels: ref('labels') },
        'x-kubernetes-group-version-kind': [{ group: 'g', version: 'v1', kind: 'Web' }],
      },
      spec: {
        type: 'object',
        properties: {
          size: { type: 'integer' },
          policy: { type: 'string', enum: ['A', 'B'] },
          items: { type: 'array', items: ref('item') },
          isOpen: { type: 'boolean' },
          port: { 'x-kubernetes-int-or-string': true, oneOf: [] },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
      item: { type: 'object', properties: { name: { type: 'string' }, self: ref('item') } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
});
const root = document.ofKind('g', 'v1', 'Web') ?? {};

describe('a schema', () => {
  test('of an unknown kind', () => expect(document.ofKind('g', 'v2', 'Web')).toBeUndefined());
  test.each([
    ['', ['spec', 'labels']],
    ['spec', ['size', 'policy', 'items', 'isOpen', 'port', 'free']],
    ['spec.items.*', ['name', 'self']],
    ['spec.items.*.self.self', ['name', 'self']],
    ['spec.nothing', []],
    ['constructor', []],
  ])('the fields at %j', (path, names) =>
    expect(document.propertiesAt(root, path ? path.split('.') : []).map(({ name }) => name)).toEqual(names),
  );
  test('describes a field', () =>
    expect(document.propertiesAt(root, [])[0]).toEqual({
      ...{ name: 'spec', type: 'object', description: 'The wish.', isRequired: true },
    }));
  test.each([
    ['spec.policy', ['A', 'B']],
    ['spec.isOpen', ['true', 'false']],
    ['spec.size', []],
  ])('the values at %j', (path, values) => expect(document.valuesAt(root, path.split('.'))).toEqual(values));
});

test.each([
  [{ spec: { size: 1 } }, undefined],
  [{ spec: { size: '1' } }, 'spec.size: expected integer'],
  [{ spec: { siez: 1 } }, 'spec.siez: unknown field siez'],
  [{ spec: { items: [{ name: 'a' }, { nmae: 'b' }] } }, 'spec.items.1.nmae: unknown field nmae'],
  [{ spec: { items: {} } }, 'spec.items: expected array'],
  [{ labels: { any: 'text' } }, undefined],
  [{ labels: { any: 1 } }, 'labels.any: expected string'],
  [{ spec: { port: 'http' } }, undefined],
  [{ spec: { free: { anything: [1] } } }, undefined],
  [{ spec: null }, undefined],
])('the fault of %j', (value, fault) => {
  const found = document.faultOf(root, value);
  expect(found && `${found.path.join('.')}: ${found.message}`).toBe(fault);
});
