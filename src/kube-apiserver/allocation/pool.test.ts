import { expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import fc from '../../machinery/test-property.ts';
import { Pool } from './pool.ts';

test('never gives a number to two, and gives all that are free', () =>
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(50),
      fc.array(fc.nat(9)),
      (seed, size, reserved, steps) => {
        const pool = new Pool(size, reserved, seededRandom(seed));
        const taken = new Set<number>();
        for (const step of steps) {
          const [first] = taken;
          if (step < 7) {
            const drawn = pool.draw();
            expect(drawn === undefined).toBe(taken.size === size);
            if (drawn === undefined) continue;
            expect(taken.has(drawn)).toBe(false);
            taken.add(drawn);
          } else if (first !== undefined) {
            pool.cancel(first);
            taken.delete(first);
          }
        }
        for (let index = 0; index < size; index++) expect(pool.has(index)).toBe(taken.has(index));
      },
    ),
  ));

test('gives reserved numbers last', () => {
  const pool = new Pool(10, 4, seededRandom(1));
  const drawn = Array.from({ length: 10 }, () => pool.draw() as number);
  expect(drawn.slice(0, 6).every((index) => index >= 4)).toBe(true);
  expect(drawn.slice(6).every((index) => index < 4)).toBe(true);
  expect(pool.draw()).toBeUndefined();
});

test('a number that an object holds stays taken when the booking ends', () => {
  const pool = new Pool(1, 0, seededRandom(1));
  const index = pool.draw() as number;
  pool.hold(index);
  pool.cancel(index);
  expect(pool.draw()).toBeUndefined();
  pool.drop(index);
  expect(pool.draw()).toBe(index);
});
