import { expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import { appliedFaults } from './applied-faults.ts';

const text: Schema = { type: 'string' };
const schema: Schema = {
  type: 'object',
  properties: {
    text,
    number: { type: 'integer' },
    flag: { type: 'boolean' },
    time: { type: 'string', format: 'date-time' },
    amount: { intOrString: true },
    labels: { type: 'object', additionalProperties: text },
    set: { type: 'array', listType: 'set', items: text },
    names: { type: 'array', items: text },
    ports: {
      type: 'array',
      listType: 'map',
      listMapKeys: ['port'],
      items: { type: 'object', properties: { port: { type: 'integer' }, name: text } },
    },
    free: {
      type: 'object',
      preserveUnknownFields: true,
      properties: { text, inner: { type: 'object', properties: { text } } },
    },
  },
};

test.each<[object, string[]]>([
  [{ text: null, labels: null, free: { other: 1, text: 'a', inner: { other: 1 } }, amount: 1, time: 5 }, []],
  [{ text: 3 }, ['.text: expected string, got &value.valueUnstructured{Value:3}']],
  [
    { text: [{ a: null, b: 'c' }] },
    [
      '.text: expected string, got &value.valueUnstructured{Value:[]interface {}{map[string]interface {}{"a":interface {}(nil), "b":"c"}}}',
    ],
  ],
  [{ number: '1' }, ['.number: expected numeric (int or float), got string']],
  [{ number: {} }, ['.number: expected numeric (int or float), got map[string]interface {}']],
  [{ flag: 'true' }, ['.flag: expected boolean, got &{true}']],
  [{ time: { a: null } }, ['.time: expected any scalar, got &{map[a:<nil>]}']],
  [{ amount: [1] }, ['.amount: expected any scalar, got &{[1]}']],
  [{ labels: 'x' }, ['.labels: expected map, got &{x}']],
  [{ names: 'x' }, ['.names: expected list, got &{x}']],
  [
    { labels: { a: 1 }, other: 1 },
    ['.labels.a: expected string, got &value.valueUnstructured{Value:1}', '.other: field not declared in schema'],
  ],
  [{ names: ['a', 2] }, ['.names[1]: expected string, got &value.valueUnstructured{Value:2}']],
  [{ set: ['a', 'a'] }, ['.set: duplicate entries for key [="a"]']],
  [{ set: [{}] }, [".set: element 0: associative list without keys has an element that's a map type"]],
  [
    { ports: [{ port: 1 }, { port: 1, name: 2 }] },
    [
      '.ports: duplicate entries for key [port=1]',
      '.ports[port=1].name: expected string, got &value.valueUnstructured{Value:2}',
    ],
  ],
  [{ ports: [null] }, ['.ports: element 0: associative list with keys may not have a null element']],
  [
    { ports: [{ name: 'a' }] },
    [
      `.ports: element 0: associative list with keys has an element that omits all key fields ["port"] (and doesn't have default values for any key fields)`,
    ],
  ],
])('%j', (value, faults) => expect(appliedFaults(value, schema)).toEqual(faults));

test('of very many faults below a long key, the first are listed', () => {
  const unknown = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, 1]));
  const ofKeys: Schema = { type: 'object', additionalProperties: { type: 'object', properties: {} } };
  const faults = appliedFaults({ ['k'.repeat(300_000)]: unknown }, ofKeys);
  expect(faults).toHaveLength(3);
  expect(faults[0]).toMatch(/^\.k+\.f0: field not declared in schema$/);
});
