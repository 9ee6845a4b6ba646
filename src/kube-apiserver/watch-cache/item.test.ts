import { expect, test } from 'vitest';
import type { ApiObject } from '../../api/api.ts';
import { Item, serialize } from './item.ts';

const object = (name: string, note: string): ApiObject =>
  ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name, namespace: 'default', uid: 'u-1', resourceVersion: undefined, labels: { a: 'b' } },
    data: { note },
  }) as unknown as ApiObject;

test.each([
  { case: 'ASCII', name: 'plain', note: 'plain' },
  { case: 'not ASCII behind the uid', name: 'plain', note: 'naïve 漢字 🛶' },
  { case: 'not ASCII before the uid', name: 'naïve-漢字', note: 'plain' },
])('an item is written with its version, as its object is: $case', ({ name, note }) => {
  const stored = object(name, note);
  const serialized = serialize(stored);
  const item = new Item('/registry/configmaps/default/x', 42, stored, serialized);
  expect(serialized.cut).toBeGreaterThan(0);
  expect(Buffer.from(item.bytes()).toString()).toBe(JSON.stringify(item.object));
  expect(item.byteLength(true)).toBe(item.bytes().length);
  const target = Buffer.alloc(item.byteLength(false));
  expect(item.write(target, 0, false)).toBe(target.length);
  const { kind: _, apiVersion: __, ...rest } = item.object;
  expect(target.toString()).toBe(JSON.stringify(rest));
  expect(JSON.parse(item.frame('ADDED').toString())).toEqual({ type: 'ADDED', object: item.object });
  expect(item.holds(serialize(object(name, note)), object(name, note))).toBe(true);
  expect(item.holds(serialize(object(name, `${note}!`)), object(name, `${note}!`))).toBe(false);
});

test('object and bytes are made from each other when one of them was dropped', () => {
  const stored = object('plain', 'some "quoted" note');
  const item = new Item('/registry/configmaps/default/x', 42, stored, serialize(stored));
  const whole = JSON.stringify(stored);
  item.forgetObject();
  expect(item.mayHold('quoted')).toBe(true);
  expect(item.mayHold('some "quoted"')).toBe(true);
  expect(item.mayHold('elsewhere')).toBe(false);
  expect(item.byteLength(false)).toBe(item.byteLength(true) - '"kind":"ConfigMap","apiVersion":"v1",'.length);
  expect(JSON.stringify(item.object)).toBe(whole);
  item.forgetBytes();
  expect(item.keptBytes).toBe(0);
  expect(Buffer.from(item.bytes()).toString()).toBe(whole);
  // Without a place for the version, the bytes cannot replace the object.
  const read = new Item('/registry/configmaps/default/x', 42, object('plain', 'x'));
  read.forgetObject();
  expect(read.object.metadata.name).toBe('plain');
});
