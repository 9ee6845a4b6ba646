// Patterns of a definition are RE2's: checked when the definition is written, matched in linear time.

import { expect, test } from 'vitest';
import { validateStructural } from '../validation/crd/structural.ts';
import { rootSchema } from './schema.ts';
import { validateCustom } from './validate.ts';

const definition = (pattern: string) => ({
  type: 'object',
  properties: { s: { type: 'string', pattern, allOf: [{ pattern }] } },
});
const faultsOf = (pattern: string, s: string) =>
  validateCustom(rootSchema(definition(pattern)), { metadata: {}, s }).map(({ message }) => message);

test('a pattern that is none is refused, at each level', () =>
  expect(validateStructural(definition('['), 'schema').map(({ field, message }) => `${field}: ${message}`)).toEqual(
    ['schema.properties[s].allOf[0].pattern', 'schema.properties[s].pattern'].map(
      (field) =>
        `${field}: Invalid value: "[": must be a valid regular expression, but isn't: error parsing regexp: missing closing ]: \`[\``,
    ),
  ));

test.each(['(?i)HELLO', '^[[:alpha:]]+$', '\\Ahello\\z', '^\\Qhello\\E$'])('%s is a pattern', (pattern) => {
  expect(validateStructural(definition(pattern), 'schema')).toEqual([]);
  expect(faultsOf(pattern, 'hello')).toEqual([]);
  expect(faultsOf(pattern, 'hell0')).not.toEqual([]);
});

test('a stored pattern that is none refuses each value', () =>
  expect(faultsOf('(', 'x')[0]).toBe(
    'Invalid value: "x": s in body should match \'(, but pattern is invalid: error parsing regexp: missing closing ): `(`\'',
  ));

test('no pattern backtracks', () => {
  const started = performance.now();
  expect(faultsOf('^(a+)+$', `${'a'.repeat(30)}!`)).toHaveLength(2);
  expect(performance.now() - started).toBeLessThan(250);
});
