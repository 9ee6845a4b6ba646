import { describe, expect, test } from 'vitest';
import fc from '../../machinery/test-property.ts';
import { deal, hashOfFlow } from './shuffle.ts';

const hash = fc.bigInt(0n, 2n ** 64n - 1n);

describe('a hand', () => {
  test('has the requested number of different cards of the deck, and is deterministic', () =>
    fc.assert(
      fc.property(hash, fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 8 }), (entropy, deck, size) => {
        fc.pre(size <= deck);
        const hand = deal(entropy, deck, size);
        expect(new Set(hand).size).toBe(size);
        expect(hand.every((card) => card >= 0 && card < deck)).toBe(true);
        expect(deal(entropy, deck, size)).toEqual(hand);
      }),
    ));

  test('is dealt evenly: no queue is in twice as many hands as it should', () => {
    const hits = new Array<number>(64).fill(0);
    for (let i = 0; i < 2_000; i++)
      for (const card of deal(hashOfFlow('schema', `user-${i}`), 64, 6)) hits[card] = (hits[card] ?? 0) + 1;
    const expected = (2_000 * 6) / 64;
    expect(Math.max(...hits)).toBeLessThan(1.4 * expected);
    expect(Math.min(...hits)).toBeGreaterThan(0.6 * expected);
  });
});
