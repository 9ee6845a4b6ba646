import { expect, test } from 'vitest';
import { decodeBody } from './body.ts';
import { storedForm } from './decode.ts';
import { KindRegistry } from './registry.ts';

const kind = new KindRegistry().byResource('', 'v1', 'pods');
const context = { now: 0, user: { name: 'tester' } };
const containers = [{ name: 'c', image: 'i' }];

test.each([
  { case: 'no empty lists: the object itself', spec: { containers }, isSame: true },
  { case: 'an empty map that would be left out', spec: { containers, nodeSelector: {} }, isSame: false },
  { case: 'an empty list within', spec: { containers: [{ ...containers[0], args: [] }] }, isSame: false },
])('$case', ({ spec, isSame }) => {
  if (!kind) throw new Error('no pods');
  const { object } = decodeBody(JSON.stringify({ metadata: { name: 'x' }, spec }), 'json', kind);
  kind.strategy.setDefaults?.(object);
  expect(storedForm(kind, object) === object).toBe(isSame);
  kind.strategy.prepareForCreate?.(object, context);
  const stored = storedForm(kind, object);
  expect(stored === object).toBe(isSame);
  expect(JSON.stringify(stored)).not.toMatch(/nodeSelector|args/);
});
