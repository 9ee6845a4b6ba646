import { expect, test } from 'vitest';
import { flat, TextCache } from './text-cache.ts';

test('a value is made once', () => {
  let made = 0;
  const cache = new TextCache((text) => `${text}${++made}`);
  expect([cache.get('a'), cache.get('a'), cache.get('b')]).toEqual(['a1', 'a1', 'b2']);
});

test('the number of texts and their length have bounds', () => {
  const cache = new TextCache((text) => text.length, { most: 10, longest: 5 });
  for (let i = 0; i < 1_000; i++) expect(cache.get(`${i}`)).toBe(`${i}`.length);
  expect(cache.size).toBeLessThanOrEqual(10);
  const { size } = cache;
  expect(cache.get('x'.repeat(6))).toBe(6);
  expect(cache.size).toBe(size);
});

test('an error is thrown each time', () => {
  const cache = new TextCache(() => {
    throw new Error('no');
  });
  for (let i = 0; i < 2; i++) expect(() => cache.get('a')).toThrow('no');
  expect(cache.size).toBe(0);
});

test.each(['', 'plain', '\ud800 alone', 'ä\u0000"'])('a copy of %j is equal', (text) => expect(flat(text)).toBe(text));
