import { expect, test } from 'vitest';
import type { Device } from '../generated/types.ts';
import { DeviceSelectorError, deviceMatcher } from './device-matching.ts';
import { compileSelector, selectorCost } from './device-selectors.ts';

const domain = 'dra.example.com';
const attribute = (name: string) => `device.attributes["${domain}"].${name}`;
const capacity = (name: string) => `device.capacity["${domain}"].${name}`;

interface Case {
  readonly case: string;
  readonly expression: string;
  readonly device?: Partial<Device>;
  readonly driver?: string;
  /** The result, or the error. */
  readonly gives: boolean | string;
  readonly maxCost?: number;
}

const yes = { attributes: { name: { bool: true } } };
const nested = (depth: number, inner: string): string =>
  depth === 0 ? inner : `[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(x${depth}, ${nested(depth - 1, inner)})`;

test.each<Case>([
  { case: 'a constant', expression: 'true', gives: true, maxCost: 0 },
  {
    case: 'a syntax error',
    expression: '?!',
    gives: 'CEL compile error: compilation failed: ERROR: <input>:1:1: Syntax',
  },
  {
    case: 'another type',
    expression: '1',
    gives: 'CEL compile error: must evaluate to bool or the unknown type, not int',
  },
  {
    case: 'an unknown attribute',
    expression: 'device.attributes["no-such-domain"].noSuchAttr.isGreaterThan(quantity("0"))',
    gives: 'CEL runtime error: no such key: noSuchAttr',
    maxCost: 6,
  },
  { case: 'an unknown domain', expression: '"no-such" in device.attributes', gives: false, maxCost: 3 },
  { case: 'a known domain', expression: `"${domain}" in device.attributes`, device: yes, gives: true, maxCost: 3 },
  { case: 'the driver', expression: `device.driver == "${domain}"`, gives: true, maxCost: 4 },
  { case: "a name in the driver's domain", expression: attribute('name'), device: yes, gives: true, maxCost: 4 },
  {
    case: 'a binding',
    expression: `cel.bind(dra, device.attributes["${domain}"], dra.name)`,
    device: yes,
    gives: true,
    maxCost: 15,
  },
  {
    case: 'a name with a domain',
    expression: 'device.attributes["other.example.com"].name',
    device: { attributes: { 'other.example.com/name': { bool: true } } },
    gives: true,
    maxCost: 4,
  },
  {
    case: 'an integer',
    expression: `${attribute('name')} > 0`,
    device: { attributes: { name: { int: 1 } } },
    gives: true,
    maxCost: 5,
  },
  {
    case: 'a version',
    expression: `${attribute('v')}.isGreaterThan(semver("0.0.1"))`,
    device: { attributes: { v: { version: '1.0.0' } } },
    gives: true,
    maxCost: 6,
  },
  {
    case: 'a list, which is off in 1.36',
    expression: attribute('names'),
    device: { attributes: { names: { strings: ['a'] } } },
    gives: 'CEL runtime error: attribute names: unsupported attribute value',
  },
  {
    case: 'an attribute that is no boolean',
    expression: attribute('name'),
    device: { attributes: { name: { string: 'fish' } } },
    gives:
      "CEL runtime error: CEL result of type string could not be converted to bool: unsupported native conversion from string to 'bool'",
  },
  {
    case: 'a capacity',
    expression: `${capacity('name')}.isGreaterThan(quantity("1Ki"))`,
    device: { capacity: { name: { value: '1Mi' } } },
    gives: true,
    maxCost: 6,
  },
  {
    case: 'a capacity that is there',
    expression: `"name" in device.capacity["${domain}"] && ${capacity('name')}.isGreaterThan(quantity("1Ki"))`,
    device: { capacity: { name: { value: '1Mi' } } },
    gives: true,
    maxCost: 10,
  },
  {
    case: 'a capacity that does not exist',
    expression: `!("name" in device.capacity["${domain}"]) || ${capacity('name')}.isGreaterThan(quantity("1Ki"))`,
    gives: true,
    maxCost: 11,
  },
  {
    case: 'a loop over domains',
    expression: `device.attributes.exists_one(x, x == "${domain}")`,
    device: yes,
    gives: true,
    maxCost: 164,
  },
  {
    case: 'a loop over names',
    expression: `device.capacity["${domain}"].exists_one(x, x == "memory")`,
    device: { capacity: { memory: { value: '1Mi' } } },
    gives: true,
    maxCost: 133,
  },
  {
    case: 'parts of a text',
    expression: `${attribute('services')}.split("example").size() >= 2`,
    device: { attributes: { services: { string: 'some_example_value' } } },
    gives: true,
    maxCost: 19,
  },
  {
    case: 'a pattern',
    expression: `${attribute('services')}.matches("[^a]?sym")`,
    device: { attributes: { services: { string: 'asymetric' } } },
    gives: true,
    maxCost: 18,
  },
  {
    case: 'more than the limit of costs',
    expression: nested(7, `int('1'.find('[0-9]*')) < 100`),
    gives: 'CEL runtime error: operation cancelled: actual cost limit exceeded',
    maxCost: 85_555_551,
  },
  {
    case: 'multiple allocations',
    expression: 'device.allowMultipleAllocations == true',
    device: { allowMultipleAllocations: true },
    gives: true,
    maxCost: 3,
  },
  { case: 'no multiple allocations', expression: 'device.allowMultipleAllocations == false', gives: true, maxCost: 3 },
])('$case', ({ expression, device, driver = domain, gives, maxCost }) => {
  const result = () => {
    try {
      return deviceMatcher(expression).match(driver, { name: 'd', ...device });
    } catch (error) {
      if (error instanceof DeviceSelectorError) return error.message;
      throw error;
    }
  };
  const found = result();
  if (typeof gives === 'string') expect(found).toContain(gives);
  else expect(found).toMatchObject({ matches: gives });
  const program = compileSelector(expression);
  if (maxCost === undefined || 'fault' in program) return;
  expect(selectorCost(program)).toBe(maxCost);
  if (typeof found === 'object') expect(found.cost).toBeLessThanOrEqual(maxCost);
});
