// Values of expressions, and the error messages. Facts: Kubernetes 1.36.2 and cel-go.

import { describe, expect, test } from 'vitest';
import type { Schema } from '../schema.ts';
import { CostExceeded, celEnvironment, compileExpression, EvaluationFault, fromJson } from './cel.ts';
import { named, sizedType } from './schema-types.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    s: { type: 'string', constraints: { maxLength: 64 } },
    i: { type: 'integer' },
    d: { type: 'number' },
    when: { type: 'string', format: 'date-time' },
    wait: { type: 'string', format: 'duration' },
    bytes: { type: 'string', format: 'byte' },
    list: { type: 'array', items: { type: 'integer' }, constraints: { maxItems: 10 } },
    set: { type: 'array', items: { type: 'string' }, listType: 'set' },
    keyed: {
      type: 'array',
      listType: 'map',
      listMapKeys: ['name'],
      items: { type: 'object', properties: { name: { type: 'string' }, v: { type: 'integer' } } },
    },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    size: { intOrString: true },
    none: { type: 'string', nullable: true },
    'a-b': { type: 'string' },
    namespace: { type: 'string' },
  },
};
const object = {
  s: 'hello',
  i: 5,
  d: 1.5,
  when: '2024-01-02T03:04:05Z',
  wait: '90s',
  bytes: 'aGVsbG8=',
  list: [3, 1, 2],
  set: ['x', 'y'],
  keyed: [
    { name: 'p', v: 1 },
    { name: 'q', v: 2 },
  ],
  map: { k: 'v', k2: 'v2' },
  size: '50%',
  'a-b': 'dash',
  namespace: 'ns',
};

const { sized, structs } = named(sizedType(schema) as NonNullable<ReturnType<typeof sizedType>>, 'selfType');
const environment = celEnvironment({ variables: [{ name: 'self', type: sized.type }], structs });
const compile = (source: string) => compileExpression(source, environment);

function costOf(source: string): number {
  let cost = 0;
  compile(source).run({ self: fromJson(object, schema) }, 1_000_000, (spent) => (cost = spent));
  return cost;
}

const evaluate = (source: string) => compile(source).run({ self: fromJson(object, schema) }, 1_000_000);

function faultOf(source: string): string {
  try {
    evaluate(source);
    return '';
  } catch (error) {
    if (error instanceof EvaluationFault || error instanceof CostExceeded) return error.message;
    throw error;
  }
}

describe('true', () => {
  test.each([
    "self.a__dash__b == 'dash' && self.namespace == 'ns' && self.__namespace__ == 'ns'",
    'self.i + 1 == 6 && self.i > 4.5 && self.i % 2 == 1 && 7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1',
    '9223372036854775807 == 9223372036854775807 && -9223372036854775808 < 0 && 18446744073709551615u > 0u',
    "self.when.getMonth() == 0 && self.when.getDayOfWeek() == 2 && self.when.getHours('+02:00') == 5",
    "self.when.getHours('America/New_York') == 22 && self.when - duration('1h') < self.when",
    "self.wait == duration('1m30s') && string(self.wait) == '90s' && self.wait.getSeconds() == 90",
    "self.bytes == b'hello' && string(self.bytes) == 'hello' && size(self.bytes) == 5",
    "self.set == ['y', 'x'] && self.set + ['z'] == ['x', 'y', 'z'] && 'x' in self.set",
    "self.keyed.exists_one(k, k.name == 'q') && self.keyed.map(k, k.v).sum() == 3",
    "self.map == {'k2': 'v2', 'k': 'v'} && self.map.k == 'v' && self.map['k2'] == 'v2' && 'k' in self.map",
    "type(self.size) == string && self.size == '50%' && type(self.map) == map && type(self.i) == int",
    "!has(self.none) && !self.?none.hasValue() && self.?s.orValue('x') == 'hello'",
    "self.map[?'zz'].orValue('d') == 'd' && self.list[?9].orValue(7) == 7",
    'optional.of(1).optMap(x, x + 1).value() == 2 && optional.none().optFlatMap(x, optional.of(x)) == optional.none()',
    '[?optional.none(), 1] == [?optional.of(1)] && {?1: optional.none()}.size() == 0',
    'true || 1 / 0 == 1 && false',
    'self.list.exists(x, 1 / (x - 3) == 0 || x == 2)',
    'self.list.all(i, v, i < 3 && v > 0) && self.map.exists(k, v, v == k.replace("k", "v"))',
    "self.map.transformMap(k, v, v + '!') == {'k': 'v!', 'k2': 'v2!'}",
    "self.list.transformList(i, v, v > 1, i + v) == [3, 4] && {'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
    'self.list.sort() == [1, 2, 3] && self.list.sortBy(x, -x) == [3, 2, 1] && self.list.reverse() == [2, 1, 3]',
    '[[[1]], [[2], [3]]].flatten(2) == [1, 2, 3] && lists.range(3) == [0, 1, 2] && [1, 1].distinct() == [1]',
    'self.list.slice(1, 3) == [1, 2] && self.list.max() == 3 && self.list.indexOf(2) == 2 && !self.list.isSorted()',
    "'%s %d %.2f %e %b %x %X %o'.format(['a', 5, 1234.5, 1052.03, 5, 255, 'hi', 8]) == 'a 5 1,234.50 1.052030×10⁰³ 101 ff 6869 10'",
    "'%s'.format([[1.5, 'a', b'b', duration('1s')]]) == '[1.500000, \"a\", b\"b\", duration(\"1s\")]'",
    "'a-b-c'.split('-', 2) == ['a', 'b-c'] && 'abc'.substring(1, 2) == 'b' && ['a', 'b'].join('-') == 'a-b'",
    "'tacocat'.lastIndexOf('a', 3) == 1 && '\u{1f600}b'.indexOf('b') == 1 && '\u{1f600}'.size() == 1",
    "strings.quote('a\"b') == '\"a\\\\\"b\"' && ' \\t a '.trim() == 'a' && 'É'.lowerAscii() == 'É'",
    "'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a1'.find('[0-9]') == '1' && 'x'.matches('(?i)X')",
    "url('https://u@h.test:80/a%20b?q=1&q=2#f').getQuery()['q'] == ['1', '2']",
    "url('https://[::1]:80/').getHostname() == '::1' && url('http://h/a b').getEscapedPath() == '/a%20b'",
    "ip('::1').isLoopback() && ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()",
    "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0')",
    "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && string(ip('1.2.3.4')) == '1.2.3.4'",
    "quantity('1.5Gi').isGreaterThan(quantity('1Gi')) && quantity('50k') == quantity('50000')",
    "quantity('1').add(2).asInteger() == 3 && !quantity('1000m').isInteger() && sign(quantity('-1')) == -1",
    "semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && isSemver('v1.2', true) && !isSemver('1.2')",
    "semver('1.0.0-alpha.1').compareTo(semver('1.0.0-alpha.beta')) == -1",
    "format.dns1123Label().validate('a_b').value()[0].startsWith('a lowercase RFC 1123 label')",
    "format.named('uuid').value().validate('6ba7b810-9dad-11d1-80b4-00c04fd430c8') == optional.none()",
    'sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2]) && sets.contains([1, 2], [])',
    "string(1e6) == '1e+06' && string(123456.0) == '123456' && string(0.00001) == '1e-05' && double('inf') > 1.0",
    "string(timestamp('2024-01-02T03:04:05.120Z')) == '2024-01-02T03:04:05.12Z'",
    "int(timestamp('1969-12-31T23:59:59Z')) == -1 && timestamp(0) == timestamp('1970-01-01T00:00:00Z')",
    'dyn(1) in [dyn(1.0)] && dyn({1: 2})[1.0] == 2 && [dyn(1u)] == [dyn(1)]',
    "r'\\d' == '\\\\d' && '''a''' == \"a\" && b'\\x00\\377' == b'\\000\\xff' && '\\u00e9' == 'é'",
  ])('%s', (source) => expect(evaluate(source)).toBe(true));
});

describe('evaluation fails', () => {
  test.each([
    ['1 / 0 == 1', 'division by zero'],
    ['1 % 0 == 1', 'modulus by zero'],
    ['9223372036854775807 + 1 == 0', 'integer overflow'],
    ['0u - 1u == 0u', 'unsigned integer overflow'],
    ["self.map['zz'] == ''", 'no such key: zz'],
    ['self.list[5] == 1', 'index out of bounds: 5'],
    ['self.size + 1 == 2', 'no such overload'],
    ['int(self.s) == 1', "type conversion error from 'string' to 'int'"],
    ['optional.none().value() == 1', 'optional.none() dereference'],
    ['[1].filter(x, x > 1).max() == 1', 'max called on empty list'],
    ["'a'.charAt(2) == ''", 'index out of range: 2'],
    [
      "url(self.s).getScheme() == ''",
      'URL parse error during conversion from string: parse "hello": invalid URI for request',
    ],
    [
      "ip('10.0.0.01').family() == 4",
      'IP Address "10.0.0.01" parse error during conversion from string: ParseAddr("10.0.0.01"): IPv4 field has octet with leading zero',
    ],
    ["semver('1').major() == 1", 'No Major.Minor.Patch elements found'],
    [
      "'%d'.format([dyn('a')]) == ''",
      'error during formatting: decimal clause can only be used on integers, was given string',
    ],
  ])('%s: %s', (source, why) => expect(faultOf(source)).toBe(why));
});

describe('is refused', () => {
  test.each([
    ['self.zzz == 1', "1:5: undefined field 'zzz'"],
    ['has(self.zzz)', "1:4: undefined field 'zzz'"],
    ['self.i == 5.0', "1:8: found no matching overload for '_==_' applied to '(int, double)'"],
    ['self.s.size(1) == 1', "1:12: found no matching overload for 'size' applied to 'string.(int)'"],
    ['self.i.x == 1', "1:7: type 'int' does not support field selection"],
    [
      'self.i.all(x, x)',
      "1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ['self.i && true', "1:5: expected type 'bool' but found 'int'"],
    ["[1, 'a'].size() == 2", "1:5: expected type 'int' but found 'string'"],
    ['[1].existsOne(x, true)', "1:14: undeclared reference to 'existsOne' (in container '')"],
    ['foo(self.s)', "1:4: undeclared reference to 'foo' (in container '')"],
    ["duration('1x') == self.wait", '1:10: invalid duration argument'],
    ["timestamp('nope') == self.when", '1:11: invalid timestamp argument'],
    ["self.s.matches('[')", '1:16: invalid matches argument'],
    [
      "'%d'.format(['a']) == ''",
      '1:14: error during formatting: decimal clause can only be used on integers, was given string',
    ],
    ["'%s'.format([1, 2]) == ''", '1:12: too many arguments supplied to string.format (expected 1, got 2)'],
    ['self.list.all(1, true)', '1:15: argument must be a simple name'],
    ['self.list.all(i, i, true)', '1:18: duplicate variable name: i'],
    ['has(self)', '1:5: invalid argument to has() macro'],
    ['if', '1:1: reserved identifier: if'],
    ['9223372036854775808 == 1', '1:1: invalid int literal'],
    ['a b', "1:3: Syntax error: extraneous input 'b' expecting <EOF>"],
    ['(1', "1:3: Syntax error: missing ')' at '<EOF>'"],
    ['self.', "1:6: Syntax error: no viable alternative at input '.'"],
    ['self.true', "1:6: Syntax error: mismatched input 'true' expecting IDENTIFIER"],
    ['[1, 2', "1:6: Syntax error: mismatched input '<EOF>' expecting {']', ','}"],
    ['a{>b}', "1:3: Syntax error: extraneous input '>' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"],
    [
      'self.i ==',
      "1:10: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
    ],
    ['a = 1', "1:3: Syntax error: token recognition error at: '= '"],
  ])('%s at %s', (source, why) => expect(() => compile(source)).toThrow(`ERROR: <input>:${why}`));

  test('with the line and a mark below the place, all faults in the order of their places', () =>
    expect(() => compile("'é' == 'e' && x\n|| y")).toThrow(
      /^ERROR: <input>:1:15: undeclared reference to 'x' \(in container ''\)\n \| 'é' == 'e' && x\n \| \.．\.{12}\^\nERROR: <input>:2:4: undeclared reference to 'y' .*\n \| \|\| y\n \| \.\.\.\^$/,
    ));

  test('a failing constant is not a program', () => {
    expect(() => compile("int('a') == 1")).toThrow("type conversion error from 'string' to 'int'");
    expect(() => compile("self.s.find('(') == ''")).toThrow('error parsing regexp: missing closing ): `(`');
  });

  test('an expression that is too deep or too long', () => {
    expect(() => compile(`${'('.repeat(300)}1${')'.repeat(300)}`)).toThrow('expression recursion limit exceeded: 250');
    expect(() => compile(`self.s == '${'a'.repeat(100_001)}'`)).toThrow('expression code point size exceeds limit');
  });
});

describe('costs', () => {
  test.each([
    ['true', 0],
    ['self.i == 5', 3],
    ['has(self.s)', 1],
    ['self.keyed[0].name == "p"', 5],
    ['self.b ? 1 == 1 : false'.replace('self.b', 'self.i == 5'), 4],
    ['self.list.all(x, x > 0)', 2 + 3 * (2 + 3) + 1],
    ["self.s.matches('[a-z]+')", 2 + 1 * 2],
    ["self.s in ['a', 'hello']", 2],
    ['self.i in self.list', 2 + 2 + 3],
    ["self.s.startsWith('h')", 3],
    ['self.list.sum() == 6', 2 + 3 + 1],
    ['[self.i].size() == 1', 2 + 10 + 1 + 1],
    ["quantity('1') == quantity('1')", 1 + 1 + 1],
    ['self.list.distinct() == [1, 2, 3]', 2 + 18 + 1 + 10 + 1],
    ['self.list.sort() == [1, 2, 3]', 2 + 18 + 1 + 10 + 1],
  ])('%s: %i', (source, cost) => expect(costOf(source)).toBe(cost));

  test.each([
    ['self.i == 5', 2],
    ['self.list.all(x, x > 0)', 2 + 10 * 5 + 1],
    ["self.s == 'hello'", 3],
    ["self.s.contains('a')", 2 + 26],
    ["self.s.matches('abcd')", 2 + 26],
    ['self.set.all(x, x.size() > 1)', 2 + 1_048_575 * 6 + 1],
  ])('%s is estimated %i at most', (source, cost) => expect(compile(source).maxCost(sized)).toBe(cost));
});

describe('results are bounded', () => {
  test.each([
    'lists.range(1000000000).size() > 0',
    'lists.range(900).map(x, lists.range(900)).flatten().map(y, lists.range(900)).flatten().size() > 0',
    "'a'.replace('', lists.range(100000).map(x, 'xxxxxxxxxxxxxxxxxxxx').join('')).replace('', 'y').size() > 0",
    'lists.range(100000).all(x, lists.range(1000).all(y, true))',
    "'%.2000000f'.format([1.0]).size() > 0",
  ])('%s', (source) => {
    const started = performance.now();
    expect(faultOf(source)).toBe('operation cancelled: actual cost limit exceeded');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test.each([
    ['@'.repeat(99_000), '1 more errors were truncated'],
    [`[${Array(30_000).fill('y').join()}]`, '29900 more errors were truncated'],
    [`optional.of(1)${'.optMap(a, a)'.repeat(30)}`, 'macros make more than 100000 copies of parts of the expression'],
    ['['.repeat(99_000), 'expression recursion limit exceeded: 250'],
  ])('the fault of %.20s is found quickly', (source, why) => {
    const started = performance.now();
    expect(() => compile(source)).toThrow(why);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('too expensive calls are not started', () => {
    const list = `lists.range(60000)`;
    const started = performance.now();
    for (const source of [`${list}.distinct().size() > 0`, `sets.contains(${list}, ${list})`])
      expect(faultOf(source)).toBe('operation cancelled: actual cost limit exceeded');
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
