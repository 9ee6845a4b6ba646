import { describe, expect, test } from 'vitest';
import { parseFieldSelector } from './field-selector.ts';
import { labelSelector, labelSelectorSteps, mapSelector, parseLabelSelector } from './label-selector.ts';

const labels = { app: 'web', tier: 'x', empty: '', 'a.b/c': '1', size: '5' };

describe('text form', () => {
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app!=web', false],
    ['missing!=web', true],
    ['app in (web,db)', true],
    ['app in (db)', false],
    ['app notin (db)', true],
    ['missing notin (db)', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['empty=', true],
    ['a.b/c=1,app=web', true],
    ['size>4', true],
    ['size<5', false],
    ['app=web,tier!=x', false],
    [' app = web , tier in ( x , y ) ', true],
  ])('%j selects: %j', (text, selected) => expect(parseLabelSelector(text).matches(labels)).toBe(selected));

  test.each(['app=', 'a b', 'in (x)=', ',', 'a=b,', 'a in b', 'a in (b', '=b', 'a=sp@ce', 'a>x', '-a=b', 'a===b'])(
    '%j is refused or harmless',
    (text) => {
      if (text === 'app=') expect(parseLabelSelector(text).matches({ app: '' })).toBe(true);
      else expect(() => parseLabelSelector(text)).toThrow(/^(unable to parse requirement: |found )/);
    },
  );

  test('the canonical text has sorted keys and values', () =>
    expect(String(parseLabelSelector('b notin (y,x),a,!c,d=1'))).toBe('a,b notin (x,y),!c,d=1'));
});

describe('faults have the words of Kubernetes', () => {
  const label = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'";
  const operators = 'expected: in, notin, =, ==, !=, gt, lt';
  test.each([
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['!a=b', "found '=', expected: ',' or 'end of string'"],
    ['!=b', "found '!=', expected: !, identifier, or 'end of string'"],
    ['!!a', "unable to parse requirement: found '!', expected: identifier"],
    ['a b', `unable to parse requirement: found 'b', ${operators}`],
    ['a constructor', `unable to parse requirement: found 'constructor', ${operators}`],
    ['a===b', "unable to parse requirement: found '=', expected: identifier"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (=)', "unable to parse requirement: found '=', expected: ',', ')' or identifier"],
    ['a in (b c)', "unable to parse requirement: found 'c', expected: ',' or ')'"],
    ['a in (b,', "unable to parse requirement: found '', expected: ',', or identifier"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    [
      'a>9223372036854775808',
      /^unable to parse requirement: values\[0\]: Invalid value: "9223372036854775808": for 'Gt'/,
    ],
    [
      'a>x',
      /^unable to parse requirement: values\[0\]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be/,
    ],
    ['a in (!)', /found '!'/],
    ['a in (-,x,_)', new RegExp(`requirement: \\[values\\[0\\]\\[a\\]: Invalid value: "-": ${label}.*, values\\[1\\]`)],
  ])('%j', (text, message) => expect(() => parseLabelSelector(text)).toThrow(message));

  test.each([
    ['a in ()', 'a='],
    ['a in (,)', 'a='],
    ['a in (,b)', 'a in (,b)'],
    ['a in (b,)', 'a in (,b)'],
    ['a in (b,,c)', 'a in (,b,c)'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['notin', 'notin'],
    ['\t a\r\n= b', 'a=b'],
  ])('%j is %j', (text, canonical) => expect(String(parseLabelSelector(text))).toBe(canonical));
});

test('a text of any length is read in steps', () => {
  const keys = Array.from({ length: 60_000 }, (_, i) => `k${59_999 - i}`);
  for (const text of [keys.join(), `a in (${keys})`]) {
    const steps = labelSelectorSteps(text);
    let count = 0;
    let step = steps.next();
    for (; !step.done; step = steps.next()) count++;
    expect(count).toBeGreaterThan(50);
    expect(step.value.matches({ a: 'k7' })).toBe(text !== keys.join());
  }
});

describe('object form', () => {
  test.each([
    { case: 'nothing given selects nothing', spec: undefined, selected: false },
    { case: 'an empty one selects everything', spec: {}, selected: true },
    { case: 'labels that are there', spec: { matchLabels: { app: 'web' } }, selected: true },
    { case: 'an expression', spec: { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, selected: true },
    {
      case: 'both must hold',
      spec: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['x'] }] },
      selected: false,
    },
  ])('$case', ({ spec, selected }) => expect(labelSelector(spec).matches(labels)).toBe(selected));

  test('an empty map selects nothing', () => expect(mapSelector({}).matches(labels)).toBe(false));
});

describe('a long selector', () => {
  const true20 = Array.from({ length: 20 }, (_, i) => `!missing${i}`).join();
  test.each([
    ['app=web', true],
    ['app!=web', false],
    ['missing!=web', true],
    ['app in (web,db),app in (web,x)', true],
    ['app in (web),app in (db)', false],
    ['app notin (db),app notin (web)', false],
    ['app', true],
    ['missing', false],
    ['!app', false],
    ['empty=', true],
    ['size>4,size>3,size<7,size<6', true],
    ['size>4,size>5', false],
    ['size<5,size<9', false],
    ['app>1', false],
    ['missing>1', false],
    ['constructor', false],
    ['!constructor', true],
  ])('%j selects: %j', (text, selected) =>
    expect(parseLabelSelector(`${true20},${text}`).matches(labels)).toBe(selected),
  );

  test('a bound that is no number selects nothing', () => {
    const matchExpressions = [
      ...Array.from({ length: 20 }, (_, i) => ({ key: `missing${i}`, operator: 'DoesNotExist' })),
      { key: 'size', operator: 'Gt', values: ['x'] },
    ];
    expect(labelSelector({ matchExpressions }).matches(labels)).toBe(false);
  });
});

describe('field selectors', () => {
  const fields: Record<string, string> = { 'metadata.name': 'a', 'status.phase': 'Running', odd: 'x,y=z' };
  test.each([
    ['', true],
    ['metadata.name=a', true],
    ['metadata.name==a,status.phase!=Pending', true],
    ['metadata.name!=a', false],
    ['odd=x\\,y\\=z', true],
    ['metadata.name=a,metadata.name=a', true],
    ['metadata.name=a,metadata.name=b', false],
    ['metadata.name!=b,metadata.name!=a', false],
    [',,metadata.name=a,', true],
  ])('%j selects: %j', (text, selected) =>
    expect(parseFieldSelector(text).matches((field) => fields[field] ?? '')).toBe(selected),
  );

  test.each([
    ['metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
    ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
    ['a\\=b=c', 'invalid field selector: unescaped character in value: 61'],
    ['a=\\x', 'invalid field selector: invalid escape sequence: \\x'],
    ['a=b\\', 'invalid field selector: invalid escape sequence: \\'],
  ])('%j is refused', (text, message) => expect(() => parseFieldSelector(text)).toThrow(message));
});
