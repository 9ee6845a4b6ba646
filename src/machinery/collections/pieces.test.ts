import { expect, test } from 'vitest';
import { Pieces } from './pieces.ts';

const counted = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => from + i);

test('pieces of any length are one body again', () => {
  const pieces = new Pieces();
  const all: number[] = [];
  for (const length of [3, 1, 20_000, 5, 0, 16_384, 16_383, 60_000, 65_535, 1, 1]) {
    const piece = counted(length, all.length);
    pieces.add(piece);
    all.push(...piece);
  }
  expect(pieces.length).toBe(all.length);
  expect(Buffer.concat(pieces.parts()).equals(Buffer.from(all))).toBe(true);
  pieces.add(counted(2, 7));
  expect(pieces.parts().at(-1)).toEqual(counted(2, 7));
  pieces.clear();
  expect([pieces.length, pieces.parts()]).toEqual([0, []]);
});

test('a body in one piece is not copied', () => {
  const pieces = new Pieces();
  const piece = counted(10, 0);
  pieces.add(piece);
  expect(pieces.parts()[0]).toBe(piece);
});

test('a million pieces of one byte are a few', () => {
  const pieces = new Pieces();
  for (let i = 0; i < 1_000_000; i++) pieces.add(counted(1, i));
  expect(pieces.parts().length).toBeLessThan(20);
});
