import { expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import { finish } from '../time/steps.ts';
import { creatingFields } from './created-fields.ts';

const text: Schema = { type: 'string' };
const item: Schema = { type: 'object', properties: { name: text, value: text } };
const env: Schema = { type: 'array', listType: 'map', listMapKeys: ['name'], items: item };
const schema: Schema = { type: 'object', properties: { spec: { type: 'object', properties: { env } } } };
const value = { spec: { env: Array.from({ length: 5_000 }, (_, i) => ({ name: `n${i}`, value: 'v' })) } };

test('a long list of a large object is done in steps, with the same fields', () => {
  const steps = creatingFields({}, value, schema, true);
  let count = 1;
  let last = steps.next();
  for (; !last.done; count++) last = steps.next();
  expect(count).toBeGreaterThan(4);
  const whole = finish(creatingFields({}, value, schema));
  expect(JSON.stringify(last.value)).toBe(JSON.stringify(whole));
  expect(whole).toMatchObject({ 'f:spec': { 'f:env': { '.': {}, 'k:{"name":"n7"}': { '.': {}, 'f:value': {} } } } });
});
