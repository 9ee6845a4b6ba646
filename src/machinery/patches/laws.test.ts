// Laws that hold for any document and any patch.

import { describe, expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import fc from '../test-property.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const key = fc.constantFrom('a', 'b', 'c');
const scalar = fc.oneof(fc.integer(), fc.string(), fc.boolean());
const { document } = fc.letrec((tie) => ({
  document: fc.dictionary(key, fc.oneof({ maxDepth: 3 }, scalar, fc.array(scalar, { maxLength: 3 }), tie('document'))),
}));
const { patch } = fc.letrec((tie) => ({
  patch: fc.dictionary(key, fc.oneof({ maxDepth: 3 }, fc.constant(null), scalar, fc.array(scalar), tie('patch'))),
}));

/** The merge patch that makes `after` of `before` (RFC 7386). */
function mergePatchOf(before: any, after: any): any {
  const isMap = (value: any) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(before) || !isMap(after)) return after;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries(
    [...keys].flatMap((name) => {
      if (!(name in after)) return [[name, null]];
      if (!(name in before)) return [[name, after[name]]];
      return JSON.stringify(before[name]) === JSON.stringify(after[name])
        ? []
        : [[name, mergePatchOf(before[name], after[name])]];
    }),
  );
}

describe('merge patch', () => {
  test('applied twice is applied once', () =>
    fc.assert(
      fc.property(document, patch, (given, changes) => {
        const once = applyMergePatch(given, changes);
        expect(applyMergePatch(once, changes)).toEqual(once);
      }),
    ));

  test('does not change its inputs', () =>
    fc.assert(
      fc.property(document, patch, (given, changes) => {
        const before = structuredClone(given);
        applyMergePatch(given, changes);
        expect(given).toEqual(before);
      }),
    ));

  test('makes any document of any other', () =>
    fc.assert(
      fc.property(
        document,
        document,
        (before, after) => void expect(applyMergePatch(before, mergePatchOf(before, after))).toEqual(after),
      ),
    ));
});

const schema: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    ports: {
      type: 'array',
      patchStrategy: 'merge',
      patchMergeKey: 'port',
      items: { type: 'object', properties: { port: { type: 'integer' }, name: { type: 'string' } } },
    },
    args: { type: 'array', items: { type: 'string' } },
  },
};
const text = fc.constantFrom('x', 'y', 'z');
const object = fc.record(
  {
    name: text,
    labels: fc.dictionary(key, text),
    ports: fc.uniqueArray(fc.record({ port: fc.nat(3), name: text }), { selector: ({ port }) => port }),
    args: fc.array(text, { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

describe('strategic merge patch', () => {
  test('applied twice is applied once', () =>
    fc.assert(
      fc.property(object, object, (given, changes) => {
        const once = applyStrategicMergePatch(given, changes, schema);
        expect(applyStrategicMergePatch(once, changes, schema)).toEqual(once);
      }),
    ));

  test('of itself has no effect', () =>
    fc.assert(
      fc.property(object, (given) => void expect(applyStrategicMergePatch(given, given, schema)).toEqual(given)),
    ));

  test('keeps unnamed list items, and merges named ones', () =>
    fc.assert(
      fc.property(object, object, (given, changes) => {
        const { ports = [] } = applyStrategicMergePatch(given, changes, schema) as { ports?: { port: number }[] };
        const expected = new Map([...(given.ports ?? []), ...(changes.ports ?? [])].map((item) => [item.port, item]));
        expect(new Map(ports.map((item) => [item.port, item]))).toEqual(expected);
      }),
    ));
});

describe('JSON patch', () => {
  test('removes added fields', () =>
    fc.assert(
      fc.property(document, scalar, (given, value) => {
        const added = applyJsonPatch(given, [{ op: 'add', path: '/new', value }]);
        expect(
          applyJsonPatch(added, [
            { op: 'test', path: '/new', value },
            { op: 'remove', path: '/new' },
          ]),
        ).toEqual(given);
      }),
    ));

  test('leaves the document as it is when one operation fails', () =>
    fc.assert(
      fc.property(document, (given) => {
        const before = structuredClone(given);
        expect(() =>
          applyJsonPatch(given, [
            { op: 'add', path: '/new', value: 1 },
            { op: 'test', path: '/new', value: 2 },
          ]),
        ).toThrow();
        expect(given).toEqual(before);
      }),
    ));
});
