import { expect, test } from 'vitest';
import { Compacted, type Entry, type Write } from '../interface.ts';
import { textOf, valueOfText } from '../value.ts';
import { outcomeOf } from './outcome.ts';

/** Versions of a key as [revision, value]; without a value the key is deleted. */
type History = readonly (readonly [number, string?])[];

function entryAt(history: History, at: number): Entry | undefined {
  let entry: Entry | undefined;
  for (const [modRevision, text] of history) {
    if (modRevision > at) break;
    const createRevision = entry?.createRevision ?? modRevision;
    entry =
      text === undefined ? undefined : { key: 'k', value: valueOfText(text), createRevision, modRevision, lease: 0 };
  }
  return entry;
}

const put = (text: string, expected?: number): Write => ({ key: 'k', value: valueOfText(text), expected });
const remove = (expected: number): Write => ({ key: 'k', expected });

test.each<[string, Write, History, unknown]>([
  ['a create was made', put('mine', 0), [[5, 'mine']], { ok: true, revision: 5 }],
  [
    'a create was made, and replaced since',
    put('mine', 0),
    [
      [5, 'mine'],
      [6, 'next'],
    ],
    { ok: true, revision: 5 },
  ],
  ['another create was faster', put('mine', 0), [[5, 'theirs']], { ok: false }],
  [
    'an update was made, or an equal one of another client',
    put('mine', 3),
    [
      [3, 'old'],
      [5, 'mine'],
      [7, 'next'],
      [9, 'last'],
    ],
    undefined,
  ],
  [
    'another update was faster',
    put('mine', 3),
    [
      [3, 'old'],
      [5, 'theirs'],
      [7, 'mine'],
    ],
    { ok: false },
  ],
  ['the key was deleted since', put('mine', 3), [[3, 'old'], [5, 'mine'], [6]], undefined],
  ['the key was deleted and made again since', put('mine', 3), [[3, 'old'], [5, 'mine'], [6], [7, 'b']], undefined],
  ['a delete was made, by whomever', remove(3), [[3, 'old'], [5]], undefined],
  ['a delete was made, and the key made again', remove(3), [[3, 'old'], [5], [6, 'new']], undefined],
  [
    'an update was faster than a delete',
    remove(3),
    [
      [3, 'old'],
      [5, 'theirs'],
    ],
    { ok: false },
  ],
  ['another key of the transaction differs', put('mine', 3), [[3, 'old']], { ok: false }],
  ['no revision is named', put('mine'), [[3, 'mine']], undefined],
])('%s', async (_, write, history, expected) => {
  const current = [entryAt(history, 98)].filter((entry) => entry !== undefined);
  const outcome = await outcomeOf([write], current, async (__, at) => entryAt(history, at));
  if (expected === undefined) expect(outcome).toBeUndefined();
  else expect(outcome).toMatchObject(expected as object);
  expect(current.map(({ value }) => textOf(value))).toHaveLength(current.length);
});

test('versions that were compacted are unknown', async () => {
  const [entry] = [
    entryAt(
      [
        [5, 'mine'],
        [7, 'next'],
      ],
      98,
    ),
  ];
  const compacted = async () => {
    throw new Compacted(6);
  };
  expect(await outcomeOf([put('mine', 3)], [entry!], compacted)).toBeUndefined();
});
