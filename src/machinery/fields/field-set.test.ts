import { describe, expect, test } from 'vitest';
import fc from '../test-property.ts';
import {
  difference,
  type FieldSet,
  fromFieldsV1,
  hasAtMost,
  intersection,
  isFieldsV1,
  paths,
  sameSet,
  toFieldsV1,
  union,
  unionOf,
} from './field-set.ts';

const { fields } = fc.letrec((tie) => ({
  fields: fc.dictionary(
    fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:"y"', 'i:0', '.'),
    fc.oneof({ maxDepth: 3 }, fc.constant({}), tie('fields')),
    { maxKeys: 4 },
  ),
}));
/** A dot means that the path itself is in the set, without children. */
const tidy = (node: any): any =>
  Object.fromEntries(Object.entries(node).map(([key, child]) => [key, key === '.' ? {} : tidy(child)]));
/** The root is no path. */
const set = fields.map(({ '.': _, ...json }: any) => fromFieldsV1(tidy(json)));
const textsOf = (given: FieldSet) => new Set([...paths(given)].map((path) => path.join('/')));

describe('field sets are sets of paths', () => {
  const law = (name: string, holds: (a: FieldSet, b: FieldSet, c: FieldSet) => void) =>
    test(name, () => fc.assert(fc.property(set, set, set, (a, b, c) => void holds(a, b, c))));

  law('FieldsV1 and back', (a) => {
    const json = toFieldsV1(a);
    expect(isFieldsV1(json)).toBe(true);
    expect(sameSet(fromFieldsV1(json), a)).toBe(true);
  });
  law('union', (a, b) => expect(textsOf(union(a, b))).toEqual(textsOf(a).union(textsOf(b))));
  law('intersection', (a, b) => expect(textsOf(intersection(a, b))).toEqual(textsOf(a).intersection(textsOf(b))));
  law('difference', (a, b) => expect(textsOf(difference(a, b))).toEqual(textsOf(a).difference(textsOf(b))));
  law('union of many', (a, b, c) => expect(sameSet(unionOf([a, b, c]), union(union(a, b), c))).toBe(true));
  law('a set is its parts in and outside another', (a, b) =>
    expect(sameSet(union(intersection(a, b), difference(a, b)), a)).toBe(true),
  );
  law('a bound that holds', (a) => expect(hasAtMost(a, 10_000)).toBe(true));
});
