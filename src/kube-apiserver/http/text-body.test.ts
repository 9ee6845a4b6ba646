import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import '../../machinery/text/exact-json.ts';
import type { Accepted } from './media-type.ts';
import { LazyList, TextBody } from './text-body.ts';

const items = [{ a: 1, text: 'x\n\n  y\n', deep: { list: [[1], []] } }, {}, { b: '{"items":[]}\n]' }, { c: null }];
const frames = [
  { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] },
  { apiVersion: 'v1', items: [], kind: 'List', metadata: { continue: '', remaining: undefined } },
];
const forms: readonly [Accepted, (value: object) => string][] = [
  [{ format: 'json' }, (value) => `${JSON.stringify(value)}\n`],
  [{ format: 'json', pretty: true }, (value) => JSON.stringify(value, undefined, 2)],
  [{ format: 'yaml' }, (value) => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })],
];
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

async function textOf(value: object, accepted: Accepted): Promise<string> {
  let text = '';
  for await (const piece of new TextBody(value, accepted).pieces()) text += piece;
  return text;
}

test.each(
  forms.flatMap((form) => frames.flatMap((frame) => [[], items].map((list) => [...form, frame, list] as const))),
)('a list in pieces is the list in one: %j', async (accepted, whole, frame, list) => {
  const lazy = new LazyList(list.length, (index) => list[index]);
  expect(await textOf({ ...frame, items: lazy }, accepted)).toBe(whole({ ...frame, items: list }));
});

const long = many(150, (i) => `${i}`);
const values: readonly [what: string, value: object][] = [
  ['short', { a: 'b', gone: undefined }],
  ['empty parts', { a: {}, b: [], c: { d: {} } }],
  ['a map', { data: Object.fromEntries(many(500, (i) => [`k${i}`, `line\n  ${i}\n`])), rest: true }],
  ['a list of lists', { a: [[long, long], [], [[long, long]], {}, [{ b: long, c: { d: long } }, null, undefined]] }],
  ['a list of maps', { a: many(3, (i) => ({ b: [long, { c: long }], d: { 'e\n': [long], f: long }, g: i })) }],
  ['a first key that is long', { a: [{ '': { '?': [{ '- x: #': many(300, (i) => i) }] } }] }],
  ['quotes on several lines', { a: { b: long, c: [long, `"${'x'.repeat(60)}\n\u0001y`] } }],
  ['a large integer', { a: long, b: [long, 2n ** 62n] }],
];

test.each(forms.flatMap((form) => values.map(([what, value]) => [...form, what, value] as const)))(
  'an object in pieces is the object in one: %j %#',
  async (accepted, whole, _, value) => expect(await textOf(value, accepted)).toBe(whole(value)),
);

test.each([
  [
    'text',
    { a: 'x\n \u0001\u007f\ufeff\u0085"\\'.repeat(3_000), b: ['y\n'.repeat(10_000), { c: ' '.repeat(20_000) }] },
  ],
  ['keys', { ['k\n'.repeat(10_000)]: { ['l'.repeat(20_000)]: [1, { m: 'n' }] }, ['o'.repeat(20_000)]: [long, long] }],
])('very long %s is quoted in YAML', async (_, value) => {
  const text = await textOf(value, { format: 'yaml' });
  expect(parse(text)).toEqual(value);
  expect(text.split('\n').length).toBeLessThan(400);
});

test.each(forms)('an object of thousands of levels as %j', async (accepted) => {
  let deep: object = {};
  for (let i = 0; i < 3_000; i++) deep = i % 2 ? { a: deep } : [deep];
  let length = 0;
  for await (const piece of new TextBody({ deep }, accepted).pieces()) length += piece.length;
  expect(length).toBeGreaterThan(9_000);
});

test.each(forms)('pieces are short: %j', async (accepted) => {
  const list = new LazyList(100, () => ({ text: 'x'.repeat(20_000) }));
  const map = Object.fromEntries(many(30_000, (i) => [`k${i}`, { a: `v${i}` }]));
  for (const value of [{ items: list }, ...(accepted.format === 'yaml' || accepted.pretty ? [{ map }] : [])])
    for await (const piece of new TextBody(value, accepted).pieces()) expect(piece.length).toBeLessThan(200_000);
});
