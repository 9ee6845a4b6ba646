import { describe, expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import { ApplyConflicts, applyConfiguration, updateManagedFields } from './managed-fields.ts';

const text: Schema = { type: 'string' };
const schema: Schema = {
  type: 'object',
  properties: {
    apiVersion: text,
    kind: text,
    metadata: {
      type: 'object',
      default: {},
      properties: { name: text, labels: { type: 'object', additionalProperties: text } },
    },
    data: { type: 'object', additionalProperties: text },
    spec: {
      type: 'object',
      default: {},
      properties: {
        selector: { type: 'object', mapType: 'atomic', additionalProperties: text },
        ports: {
          type: 'array',
          listType: 'map',
          listMapKeys: ['port', 'protocol'],
          items: {
            type: 'object',
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: text },
          },
        },
      },
    },
  },
};
const base = { apiVersion: 'v1', time: '2026-01-01T00:00:00Z', schema };
const object = (fields: object) => ({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, ...fields });
const apply = (live: any, manager: string, fields: object, force = false) =>
  applyConfiguration({ ...base, live, manager, applied: object(fields), force }).object as any;
const owners = (o: any) =>
  Object.fromEntries((o.metadata.managedFields ?? []).map((e: any) => [e.manager, e.fieldsV1]));

describe('server-side apply', () => {
  test('the applier owns the applied fields', () =>
    expect(owners(apply(undefined, 'one', { data: { a: '1' } }))).toEqual({ one: { 'f:data': { 'f:a': {} } } }));

  test("changing another manager's field is a conflict, in Kubernetes' words", () => {
    const live = apply(undefined, 'one', { data: { a: '1', b: '1' } });
    expect(() => apply(live, 'two', { data: { a: '2' } })).toThrow(
      'Apply failed with 1 conflict: conflict with "one": .data.a',
    );
    expect(() => apply(live, 'two', { data: { a: '2', b: '2' } })).toThrow(
      'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
    );
    expect(() => apply(live, 'two', { data: { a: '2' } })).toThrow(ApplyConflicts);
  });

  test('kubectl takes over its client-side applied fields, and keeps the annotation', () => {
    const name = 'kubectl.kubernetes.io/last-applied-configuration';
    const last = JSON.stringify(object({ data: { a: '1', b: '1', gone: '1' } }));
    const live = object({ metadata: { name: 'x', annotations: { [name]: last } }, data: { a: '1', b: '2', c: '1' } });
    const next = { ...live, metadata: { ...live.metadata } };
    const managedFields = updateManagedFields({ ...base, live: undefined, next, manager: 'client' });
    const owned = { ...live, metadata: { ...live.metadata, managedFields } };
    expect(() => apply(owned, 'other', { data: { a: '3' } })).toThrow('.data.a');
    // Another manager changed b since, and kubectl never owned c.
    for (const key of ['b', 'c'])
      expect(() => apply(owned, 'kubectl', { data: { [key]: '3' } })).toThrow(`.data.${key}`);
    const applied = apply(owned, 'kubectl', { data: { a: '<3' } });
    expect(applied.data).toEqual({ a: '<3', b: '2', c: '1' });
    expect(applied.metadata.annotations[name]).toBe(
      '{"apiVersion":"v1","data":{"a":"\\u003c3"},"kind":"X","metadata":{"name":"x"}}\n',
    );
  });

  test('force takes the field over', () => {
    const live = apply(apply(undefined, 'one', { data: { a: '1', b: '1' } }), 'two', { data: { a: '2' } }, true);
    expect(live.data).toEqual({ a: '2', b: '1' });
    expect(owners(live)).toEqual({ one: { 'f:data': { 'f:b': {} } }, two: { 'f:data': { 'f:a': {} } } });
  });

  test('a field that its manager no longer applies is removed, unless another owns it', () => {
    let live = apply(undefined, 'one', { data: { a: '1', b: '1', c: '1' } });
    live = apply(live, 'two', { data: { a: '1' } });
    live = apply(live, 'one', { data: { b: '1' } });
    expect(live.data).toEqual({ a: '1', b: '1' });
  });

  test('a container whose last field is removed stays, and so do its owners', () => {
    const made = object({ data: { a: '1' } });
    const managedFields = updateManagedFields({ ...base, live: undefined, next: made, manager: 'creator' });
    const live = { ...made, metadata: { ...made.metadata, managedFields } };
    const taken = apply(live, 'one', { data: { a: '2' } }, true);
    const left = apply(taken, 'one', {});
    expect(left.data).toEqual({});
    expect(owners(left)).toEqual({ creator: { 'f:data': {} } });
  });

  test('null keeps a map whose keys have owners, and clears an atomic one', () => {
    const live = apply(undefined, 'one', { data: { a: '1' }, spec: { selector: { a: '1' } } });
    const next = apply(live, 'two', { data: null, spec: { selector: null } }, true);
    expect(next).toMatchObject({ data: { a: '1' }, spec: { selector: null } });
  });

  test('an empty list takes the place of an atomic one', () => {
    const selector = { a: '1' };
    const live = apply(undefined, 'one', { spec: { selector } });
    expect(() => apply(live, 'two', { spec: { selector: {} } })).toThrow('conflict with "one": .spec.selector');
  });

  test('a key field that is left out counts with its default', () => {
    const live = apply(undefined, 'one', { spec: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }] } });
    expect(owners(live).one['f:spec']['f:ports']).toEqual({
      'k:{"port":53,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
      'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
    });
  });

  test('an atomic map is one field', () =>
    expect(owners(apply(undefined, 'one', { spec: { selector: { a: 'b' } } }))).toEqual({
      one: { 'f:spec': { 'f:selector': {} } },
    }));

  test.each([
    ['an unknown field', { shade: 'x' }, '.shade: field not declared in schema'],
    ['a list where a map belongs', { data: ['x'] }, '.data: expected map, got &{[x]}'],
    [
      'two items of one key',
      { spec: { ports: [{ port: 1 }, { port: 1 }] } },
      '.spec.ports: duplicate entries for key [port=1,protocol="TCP"]',
    ],
  ])('refuses %s', (_name, fields, message) => expect(() => apply(undefined, 'one', fields)).toThrow(message));

  test.each([
    ['the applied order wins', ['a', 'b', 'c'], ['c', 'a'], ['b', 'c', 'a']],
    ['others stay where they are', ['a', 'x', 'b'], ['a', 'b'], ['a', 'x', 'b']],
    ['new ones follow', ['a', 'x'], ['a', 'n'], ['a', 'x', 'n']],
  ])('list order: %s', (_name, before, applied, after) => {
    const ports = (names: string[]) => ({ spec: { ports: names.map((n) => ({ port: n.charCodeAt(0), name: n })) } });
    const live = object(ports(before));
    expect(apply(live, 'one', ports(applied), true).spec.ports.map((p: any) => p.name)).toEqual(after);
  });
});

describe('updates', () => {
  test('a create owns all it sets, with the containers that it made', () => {
    const next = object({ data: { a: '1' }, spec: { selector: { x: 'y' } } });
    expect(updateManagedFields({ ...base, live: undefined, next, manager: 'kubectl' })).toMatchObject([
      {
        manager: 'kubectl',
        operation: 'Update',
        fieldsV1: { 'f:data': { '.': {}, 'f:a': {} }, 'f:spec': { 'f:selector': {} } },
      },
    ]);
  });

  test('an update takes over changed fields', () => {
    const live = apply(undefined, 'one', { data: { a: '1', b: '1' } });
    const next = { ...live, data: { a: '2', b: '1' } };
    expect(
      owners({ metadata: { managedFields: updateManagedFields({ ...base, live, next, manager: 'two' }) } }),
    ).toEqual({
      one: { 'f:data': { 'f:b': {} } },
      two: { 'f:data': { 'f:a': {} } },
    });
  });
});
