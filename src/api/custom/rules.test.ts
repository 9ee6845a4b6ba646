import { describe, expect, test } from 'vitest';
import type { CustomResourceDefinition, ValidationRule } from '../generated/types.ts';
import { validateDefinition } from '../validation/crd/definition.ts';
import { validateRules } from './rules.ts';
import { rootSchema } from './schema.ts';

const schemaWith = (rules: object[], properties: object = {}) =>
  rootSchema({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          min: { type: 'integer' },
          max: { type: 'integer' },
          name: { type: 'string' },
          when: { type: 'string', format: 'date-time' },
          wait: { type: 'string', format: 'duration' },
          size: { 'x-kubernetes-int-or-string': true },
          'a-b': { type: 'string' },
          items: { type: 'array', items: { type: 'string' } },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          ...properties,
        },
        'x-kubernetes-validations': rules as ValidationRule[],
      },
    },
  });
const faults = (rule: object, spec: object, old?: object) =>
  validateRules(schemaWith([rule]), { spec }, old && { spec: old }).map(({ field, message }) => `${field}: ${message}`);

describe('rules', () => {
  test.each<[string, object]>([
    ['self.min <= self.max', { min: 1, max: 2 }],
    ["self.name.startsWith('a') && self.name.size() == 2", { name: 'ab' }],
    ["self.when > timestamp('2020-01-01T00:00:00Z')", { when: '2021-01-01T00:00:00Z' }],
    ["self.wait < duration('1h')", { wait: '30m' }],
    ['self.a__dash__b == "x"', { 'a-b': 'x' }],
    ["self.items.all(i, i.matches('^x-'))", { items: ['x-a', 'x-b'] }],
    ["'k' in self.labels && self.labels.k == 'v'", { labels: { k: 'v' } }],
    ['!has(self.name)', {}],
    ['type(self.size) == int ? self.size > 1 : self.size == "10%"', { size: '10%' }],
    ["quantity('1Gi').isGreaterThan(quantity('500Mi'))", {}],
    ["cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && isIP('::1')", {}],
    ["self.items.isSorted() && sets.contains(self.items, ['a'])", { items: ['a', 'b'] }],
    ['[1, 2].sum() == 3 && [3, 1].min() == 1', {}],
    ["'a-b'.replace('-', '_') == 'a_b' && 'x1y'.find('[0-9]') == '1'", {}],
  ])('%s holds', (rule, spec) => expect(faults({ rule }, spec)).toEqual([]));

  test.each<[string, object, object, string[]]>([
    ['a message', { rule: 'self.min < 1', message: 'too big' }, { min: 5 }, ['spec: Invalid value: too big']],
    ['no message', { rule: 'self.min < 1' }, { min: 5 }, ['spec: Invalid value: failed rule: self.min < 1']],
    [
      'a message that is made',
      {
        rule: 'self.min < 1',
        messageExpression: "'is ' + string(self.min)",
        reason: 'FieldValueForbidden',
        fieldPath: '.min',
      },
      { min: 5 },
      ['spec.min: Forbidden: is 5'],
    ],
    [
      'a field that does not exist',
      { rule: 'self.min < self.max' },
      { min: 5 },
      ['spec: Invalid value: "object": no such key: max evaluating rule: self.min < self.max'],
    ],
  ])('a rule that fails, with %s', (_, rule, spec, wanted) => expect(faults(rule, spec)).toEqual(wanted));

  test('transition rules wait for an old value', () => {
    const rule = { rule: 'self.min >= oldSelf.min', message: 'shrinks' };
    expect(faults(rule, { min: 1 })).toEqual([]);
    expect(faults(rule, { min: 1 }, { min: 2 })).toEqual(['spec: Invalid value: shrinks']);
  });

  test('an optional old value is none for a new object', () => {
    const rule = { rule: 'oldSelf.hasValue() || self.name == "first"', optionalOldSelf: true, message: 'no' };
    expect(faults(rule, { name: 'x' })).toEqual(['spec: Invalid value: no']);
    expect(faults(rule, { name: 'x' }, { name: 'y' })).toEqual([]);
  });

  test('unchanged parts are not validated again', () =>
    expect(faults({ rule: 'self.min < 1' }, { min: 5 }, { min: 5 })).toEqual([]));

  test('a part that does not change is only warned of', () => {
    const schema = schemaWith([], {
      part: {
        type: 'object',
        properties: { n: { type: 'integer' } },
        'x-kubernetes-validations': [{ rule: 'self.n < 1', message: 'too big' }],
      },
    });
    const warnings: string[] = [];
    const part = { n: 5 };
    const next = { spec: { part, name: 'b' } };
    expect(validateRules(schema, next, { spec: { part, name: 'a' } }, '', (text) => warnings.push(text))).toEqual([]);
    expect(warnings).toEqual(['spec.part: Invalid value: too big']);
  });

  test.each([
    ["self.name + '\\n' + self.name", 'failed rule: false'],
    ["' '", 'failed rule: false'],
    ['self.none', undefined],
    ["self.items.map(i, i + '0123456789').join(',') + self.name + string(1 / self.min)", 'failed rule: false'],
  ])('the message %s is replaced', (messageExpression, told) => {
    const found = faults({ rule: 'false', messageExpression }, { name: 'x', items: ['a'], min: 0 });
    if (told) expect(found).toEqual([`spec: Invalid value: ${told}`]);
  });

  test('one rule may cost so much, and all rules of a write', () => {
    const items = Array.from({ length: 2_000 }, (_, index) => `x${index}`);
    const rule = 'self.items.all(a, self.items.all(b, a != b || a == b))';
    expect(faults({ rule }, { items })).toEqual([
      `spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${rule}`,
    ]);
    const few = Array.from({ length: 400 }, (_, index) => `x${index}`);
    const rules = Array.from({ length: 20 }, () => ({ rule }));
    const found = validateRules(schemaWith(rules), { spec: { items: few } }, undefined);
    expect(found.map(({ message }) => message)).toEqual([
      'Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
  });
});

describe('the rules of a definition', () => {
  const define = (rule: object, properties: object = { a: { type: 'integer' } }) =>
    validateDefinition({
      metadata: { name: 'ws.x.test' },
      spec: {
        group: 'x.test',
        scope: 'Cluster',
        names: { plural: 'ws', singular: 'w', kind: 'W', listKind: 'WList' },
        conversion: { strategy: 'None' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', properties, 'x-kubernetes-validations': [rule] } },
              },
            },
          },
        ],
      },
      status: { storedVersions: ['v1'] },
    } as unknown as CustomResourceDefinition).map(({ message }) => message);

  test.each<[string, string | undefined]>([
    ['self.a > 1', undefined],
    ['self.b > 1', "ERROR: <input>:1:5: undefined field 'b'\n | self.b > 1\n | ....^"],
    ['self >', "ERROR: <input>:1:7: Syntax error: mismatched input '<EOF>'"],
    ['other.a', "undeclared reference to 'other' (in container '')"],
    ['size("x")', 'cel expression must evaluate to a bool'],
  ])('%s', (rule, why) => {
    const found = define({ rule });
    if (why) expect(found[0]).toContain(why);
    else expect(found).toEqual([]);
  });

  const text = (limits: object = {}) => ({ type: 'string', ...limits });
  const list = (items: object, limits: object = {}) => ({ type: 'array', items, ...limits });
  const tooDear = (factor: string) =>
    `Forbidden: estimated rule cost exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
  const contributed =
    'Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
  const allTooDear = (factor: string) =>
    `Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;

  test.each<[rule: string, properties: object, faults: string[]]>([
    ["self.a.all(x, x.contains('y'))", { a: list(text({ maxLength: 10 }), { maxItems: 10 }) }, []],
    ["self.a.contains('y')", { a: text() }, []],
    [
      "self.a.all(x, x.contains('y'))",
      { a: list(text({ maxLength: 1_000 }), { maxItems: 100_000 }) },
      [tooDear('4.0x')],
    ],
    [
      "self.a.all(x, x.contains('y'))",
      { a: list(text()) },
      [tooDear('more than 100x'), contributed, allTooDear('more than 100x')],
    ],
    [
      'self.a.all(x, self.a.all(y, x != y))',
      { a: list(text({ maxLength: 64 })) },
      [tooDear('more than 100x'), contributed, allTooDear('more than 100x')],
    ],
  ])('%s with %j may cost too much', (rule, properties, wanted) =>
    expect(define({ rule }, properties)).toEqual(wanted),
  );

  test.each<[fieldPath: string, fault: string | undefined]>([
    ['.a', undefined],
    ['.b.c', undefined],
    [".labels['x/y']", undefined],
    ['.none', 'Invalid value: ".none": must be a valid path'],
    ['a', 'Invalid value: "a": must be a valid path'],
  ])('the path %s', (fieldPath, fault) => {
    const properties = {
      a: { type: 'integer' },
      b: { type: 'object', properties: { c: { type: 'string' } } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    };
    expect(define({ rule: 'true', fieldPath }, properties)).toEqual(fault === undefined ? [] : [fault]);
  });

  test('a part of an atomic map has an old value', () => {
    const major = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] };
    const schema = { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { major } };
    expect(define({ rule: 'true' }, { a: schema })).toEqual([]);
  });

  test('an element of a plain list has no old value', () => {
    const items = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf' }] };
    expect(define({ rule: 'true' }, { a: { type: 'array', items } })[0]).toContain(
      'oldSelf cannot be used on the uncorrelatable portion of the schema',
    );
  });
});
