// Laws of label selectors: the text, the structure and the meaning agree.

import { describe, expect, test } from 'vitest';
import fc from '../test-property.ts';
import { labelSelector, mapSelector, parseLabelSelector } from './label-selector.ts';

const key = fc.constantFrom('app', 'tier', 'example.com/zone');
const value = fc.constantFrom('a', 'b', '');
const labels = fc.dictionary(key, value);
const expression = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values: fc.uniqueArray(value, { minLength: 1 }) }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);
const spec = fc.record({ matchLabels: labels, matchExpressions: fc.array(expression, { maxLength: 3 }) });

type Expression = { key: string; operator: string; values?: string[] };

/** The meaning, as the documentation of label selectors states it. */
function means({ key, operator, values = [] }: Expression, given: Record<string, string>): boolean {
  const has = key in given;
  if (operator === 'Exists') return has;
  if (operator === 'DoesNotExist') return !has;
  return operator === 'In' ? has && values.includes(given[key]) : !has || !values.includes(given[key]);
}

function textOf({ key, operator, values = [] }: Expression): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
}

describe('label selectors', () => {
  test('match by their parts', () =>
    fc.assert(
      fc.property(spec, labels, (given, on) => {
        const wanted =
          Object.entries(given.matchLabels).every(([name, text]) => on[name] === text) &&
          given.matchExpressions.every((part) => means(part as Expression, on));
        expect(labelSelector(given as never).matches(on)).toBe(wanted);
      }),
    ));

  test('have the same meaning as text', () =>
    fc.assert(
      fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), labels, (parts, on) => {
        const text = parts.map((part) => textOf(part as Expression)).join(',');
        const structure = labelSelector({ matchExpressions: parts } as never);
        expect(parseLabelSelector(text).matches(on)).toBe(structure.matches(on));
      }),
    ));

  test('a map of labels selects every object that has them, and an empty map none', () =>
    fc.assert(
      fc.property(
        labels,
        labels,
        (map, more) => void expect(mapSelector(map).matches({ ...more, ...map })).toBe(Object.keys(map).length > 0),
      ),
    ));
});
