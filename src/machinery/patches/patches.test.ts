import { describe, expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const text: Schema = { type: 'string' };
const podSpec: Schema = {
  type: 'object',
  properties: {
    containers: {
      type: 'array',
      patchStrategy: 'merge',
      patchMergeKey: 'name',
      items: { type: 'object', properties: { name: text, image: text, args: { type: 'array', items: text } } },
    },
    finalizers: { type: 'array', patchStrategy: 'merge', items: text },
    args: { type: 'array', items: text },
    strategy: { type: 'object', properties: { type: text, rollingUpdate: { type: 'object' } } },
  },
};

describe('merge patch (RFC 7396, appendix A)', () => {
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  ])('%j + %j', (target, patch, result) => expect(applyMergePatch(target, patch)).toEqual(result));
});

describe('JSON patch (RFC 6902)', () => {
  test.each([
    ['adds a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'q' }], { foo: 'bar', baz: 'q' }],
    [
      'adds an array element',
      { foo: ['a', 'c'] },
      [{ op: 'add', path: '/foo/1', value: 'b' }],
      { foo: ['a', 'b', 'c'] },
    ],
    ['appends', { foo: ['a'] }, [{ op: 'add', path: '/foo/-', value: 'b' }], { foo: ['a', 'b'] }],
    ['moves', { a: 1, b: {} }, [{ op: 'move', from: '/a', path: '/b/c' }], { b: { c: 1 } }],
    ['replaces a key that does not exist', { a: 1 }, [{ op: 'replace', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }], { b: 2 }],
    ['copies a missing value as null', { a: 1 }, [{ op: 'copy', from: '/c', path: '/b' }], { a: 1, b: null }],
    ['reads escapes', { 'a/b': 1 }, [{ op: 'replace', path: '/a~1b', value: 2 }], { 'a/b': 2 }],
  ])('%s', (_name, document, patch, result) => expect(applyJsonPatch(document, patch)).toEqual(result));

  test.each([
    ['a failing test', { a: 1 }, [{ op: 'test', path: '/a', value: 2 }]],
    ['removing a missing key', { a: 1 }, [{ op: 'remove', path: '/b' }]],
    ['replacing below a missing key', { a: 1 }, [{ op: 'replace', path: '/b/c', value: 1 }]],
    ['replacing the whole by a value', { a: 1 }, [{ op: 'replace', path: '', value: 1 }]],
    ['testing below a missing key', { a: 1 }, [{ op: 'test', path: '/b/c', value: null }]],
    ['a missing parent', {}, [{ op: 'add', path: '/a/b', value: 1 }]],
    ['an index beyond the end', { a: [1] }, [{ op: 'add', path: '/a/7', value: 1 }]],
    ['an unknown operation', {}, [{ op: 'bend', path: '/a' }]],
    ['a path without slash', {}, [{ op: 'add', path: 'a', value: 1 }]],
    ['moving a value into itself', { a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/b' }]],
    ['a name that every object inherits', {}, [{ op: 'remove', path: '/constructor' }]],
    ['the whole document', { a: 1 }, [{ op: 'remove', path: '' }]],
    [
      'copies of more than three megabytes',
      { a: ['x'.repeat(1_000)] },
      Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' })),
    ],
  ])('refuses %s', (_name, document, patch) => expect(() => applyJsonPatch(document, patch)).toThrow());
});

test.each([
  [{ op: 'add', path: '/b/c', value: 1 }, 'add operation does not apply: doc is missing path: "/b/c": missing value'],
  [
    { op: 'add', path: '/list/9', value: 1 },
    "error in add for path: '/list/9': Unable to access invalid index: 9: invalid index referenced",
  ],
  [
    { op: 'add', path: '/list/x', value: 1 },
    `error in add for path: '/list/x': value was not a proper array index: 'x': strconv.Atoi: parsing "x": invalid syntax`,
  ],
  [{ op: 'remove', path: 'a' }, 'remove operation does not apply: doc is missing path: "a": missing value'],
  [{ op: 'remove', path: '/b' }, "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value"],
  [
    { op: 'replace', path: '/list/-', value: 1 },
    'replace operation does not apply: doc is missing key: /list/-: missing value',
  ],
  [
    { op: 'replace', path: '/b/c', value: 1 },
    'replace operation does not apply: doc is missing path: /b/c: missing value',
  ],
  [
    { op: 'move', from: '/b', path: '/c' },
    "error in move for path: 'b': Unable to remove nonexistent key: b: missing value",
  ],
  [
    { op: 'move', from: '/list', path: '/list/0' },
    'move operation does not apply: doc is missing destination path: /list/0: missing value',
  ],
  [
    { op: 'copy', from: '/b/c', path: '/d' },
    'copy operation does not apply: doc is missing from path: /b/c: missing value',
  ],
  [{ op: 'test', path: '/a', value: 2 }, 'testing value /a failed: test failed', 'untrue'],
  [{ op: 'test', path: '/b/c', value: 2 }, 'test operation does not apply: is missing path: /b/c: missing value'],
])('%j fails in the words of evanphx/json-patch', (operation, why, kind: string = 'unappliable') =>
  expect(() => applyJsonPatch({ a: 1, list: [1] }, [operation])).toThrow(
    expect.objectContaining({ message: why, kind }),
  ),
);

describe('JSON patch, the habits of evanphx/json-patch', () => {
  test.each([
    ['counts from the end', { a: [1, 2] }, [{ op: 'replace', path: '/a/-1', value: 3 }], { a: [1, 3] }],
    ['adds null without a value', {}, [{ op: 'add', path: '/a' }], { a: null }],
    ['tests a missing member for null', {}, [{ op: 'test', path: '/a', value: null }], {}],
  ])('%s', (_name, document, patch, result) => expect(applyJsonPatch(document, patch)).toEqual(result));

  test('changes neither the document nor the patch, and copies are independent', () => {
    const document = { a: { b: [1] } };
    const patch = [
      { op: 'add', path: '/c', value: { d: [] } },
      { op: 'copy', from: '/a', path: '/e' },
      { op: 'add', path: '/e/b/-', value: 2 },
      { op: 'add', path: '/c/d/-', value: 3 },
    ];
    const before = structuredClone({ document, patch });
    expect(applyJsonPatch(document, patch)).toEqual({ a: { b: [1] }, c: { d: [3] }, e: { b: [1, 2] } });
    expect({ document, patch }).toEqual(before);
  });

  test('ten thousand operations on a large object do not copy it each time', () => {
    const document = { data: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'v'])) };
    const patch = Array.from({ length: 10_000 }, (_, i) => ({ op: 'replace', path: `/data/k${i}`, value: 'w' }));
    const started = performance.now();
    applyJsonPatch(document, patch);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('strategic merge patch', () => {
  const two = {
    containers: [
      { name: 'a', image: 'x' },
      { name: 'b', image: 'y' },
    ],
    finalizers: ['one', 'two'],
    args: ['1'],
  };
  test.each([
    [
      'merges a list by its key',
      { containers: [{ name: 'b', image: 'z' }] },
      { ...two, containers: [two.containers[0], { name: 'b', image: 'z' }] },
    ],
    [
      'puts a new element first: the order of the patch comes before that of the server',
      { containers: [{ name: 'c' }] },
      { ...two, containers: [{ name: 'c' }, ...two.containers] },
    ],
    [
      'deletes an element',
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { ...two, containers: [two.containers[1]] },
    ],
    [
      'replaces a list',
      { containers: [{ $patch: 'replace' }, { name: 'n' }] },
      { ...two, containers: [{ name: 'n' }] },
    ],
    ['replaces an atomic list', { args: ['2'] }, { ...two, args: ['2'] }],
    ['unites a list of values', { finalizers: ['two', 'three'] }, { ...two, finalizers: ['one', 'two', 'three'] }],
    [
      'deletes from a list of values',
      { '$deleteFromPrimitiveList/finalizers': ['one'] },
      { ...two, finalizers: ['two'] },
    ],
    [
      'orders a list',
      { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'q' }] },
      { ...two, containers: [two.containers[1], { name: 'a', image: 'q' }] },
    ],
    ['removes a key', { args: null }, { containers: two.containers, finalizers: two.finalizers }],
  ])('%s', (_name, patch, result) => expect(applyStrategicMergePatch(two, patch, podSpec)).toEqual(result));

  test('$retainKeys drops the keys that it does not name', () => {
    const target = { strategy: { type: 'RollingUpdate', rollingUpdate: {} } };
    const patch = { strategy: { $retainKeys: ['type'], type: 'Recreate' } };
    expect(applyStrategicMergePatch(target, patch, podSpec)).toEqual({ strategy: { type: 'Recreate' } });
  });

  test.each([
    ['$retainKeys does not mind keys that go', { $retainKeys: ['args'], containers: null }, { args: ['1'] }],
    ['a directive without anything to direct', { other: { $patch: 'replace', a: 1 } }, two],
    ['nulls are dropped from new maps', { other: { a: null, b: 1 } }, { ...two, other: { b: 1 } }],
    ['a value that becomes another type', { containers: { a: 1 } }, { ...two, containers: { a: 1 } }],
    ['deleting from a list that does not exist', { '$deleteFromPrimitiveList/other': ['x'] }, two],
    ['$patch replaces a map with all that it says', { $patch: 'replace', args: ['2'] }, { args: ['2'] }],
  ])('%s', (_, patch, result) => expect(applyStrategicMergePatch(two, patch, podSpec)).toEqual(result));

  test.each([
    [{ $patch: 'merge', args: [] }, 'schema', 'unknown patch type: merge in map: map[$patch:merge args:[]]'],
    [{ containers: [{ name: 'a', $patch: 'x' }] }, 'schema', 'unknown patch type: x in map: map[$patch:x name:a]'],
    [{ containers: [{ $patch: 'merge' }] }, 'schema', 'merging lists cannot yet be specified in the patch'],
    [{ $retainKeys: 'args' }, 'malformed', 'invalid patch format of retainKeys'],
    [{ $retainKeys: ['args'], finalizers: [] }, 'malformed', 'invalid patch format of retainKeys'],
    [{ '$setElementOrder/args': 'x' }, 'schema', 'expected a []interface {}, but received a string'],
    [{ $setElementOrderX: [] }, 'malformed', 'invalid patch format of setElementOrder list'],
    [{ $deleteFromPrimitiveList: [] }, 'malformed', 'invalid patch format of primitive list'],
    [
      { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b' }] },
      'schema',
      "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
    ],
    [{ containers: [1] }, 'schema', /^list element types are not identical: \[\[map\[.* 1\]|\[1\]\]$/],
    [{ finalizers: [['x']] }, 'schema', 'list element types are not identical: [[one two] [[x]]]'],
  ])('%j is refused as Kubernetes words it', (patch, kind, message) => {
    const applying = () => applyStrategicMergePatch(two, patch, podSpec);
    expect(applying).toThrow(message);
    expect(applying).toThrow(expect.objectContaining({ kind }));
  });

  test('an element without its merge key is refused as Kubernetes words it', () =>
    expect(() => applyStrategicMergePatch(two, { containers: [{ image: 'x' }] }, podSpec)).toThrow(
      'map: map[image:x] does not contain declared merge key: name',
    ));
});
