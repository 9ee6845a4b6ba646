import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Accepted } from './media-type.ts';
import { TextList } from './text-list.ts';

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

test.each(
  forms.flatMap((form) => frames.flatMap((frame) => [[], items].map((list) => [...form, frame, list] as const))),
)('a list in pieces is the list in one: %j', async (accepted, whole, frame, list) => {
  let text = '';
  for await (const piece of new TextList(frame, 'items', list.length, (index) => list[index], accepted).pieces())
    text += piece;
  expect(text).toBe(whole({ ...frame, items: list }));
});

test('pieces are short', async () => {
  const many = Array.from({ length: 100 }, () => ({ text: 'x'.repeat(20_000) }));
  const list = new TextList(frames[0], 'items', many.length, (index) => many[index], { format: 'yaml' });
  for await (const piece of list.pieces()) expect(piece.length).toBeLessThan(200_000);
});
