import { describe, expect, test } from 'vitest';
import fc from '../../machinery/test-property.ts';
import { allocate } from './allocation.ts';

const claim = (lowerBound: number, upperBound: number, target: number) => ({ lowerBound, upperBound, target });

describe('allocation of seats', () => {
  test.each([
    {
      case: 'in proportion where no bound matters',
      sum: 100,
      claims: [claim(0, 100, 10), claim(0, 100, 30)],
      seats: [25, 75],
    },
    { case: 'a lower bound', sum: 100, claims: [claim(50, 100, 50), claim(0, 100, 150)], seats: [50, 50] },
    { case: 'an upper bound', sum: 100, claims: [claim(0, 20, 50), claim(0, 100, 50)], seats: [20, 80] },
    { case: 'no room below', sum: 100, claims: [claim(40, 50, 40), claim(60, 70, 60)], seats: [40, 60] },
    { case: 'no room above', sum: 100, claims: [claim(0, 40, 1), claim(0, 60, 1)], seats: [40, 60] },
    { case: 'nothing wanted by one', sum: 10, claims: [claim(0, 100, 0), claim(0, 100, 10)], seats: [0, 10] },
  ])('$case', ({ sum, claims, seats }) => expect(allocate(sum, claims).seats.map(Math.round)).toEqual(seats));

  const claims = fc.array(
    fc.record({ low: fc.nat(50), room: fc.nat(100), want: fc.nat(200) }).map(({ low, room, want }) => ({
      lowerBound: low,
      upperBound: low + room,
      target: low + want,
    })),
    { minLength: 1, maxLength: 8 },
  );
  test('allocates exactly the sum, within all bounds', () =>
    fc.assert(
      fc.property(claims, fc.double({ min: 0, max: 1, noNaN: true }), (given, part) => {
        const low = given.reduce((sum, { lowerBound }) => sum + lowerBound, 0);
        const high = given.reduce((sum, { upperBound }) => sum + upperBound, 0);
        const sum = low + part * (high - low);
        const { seats } = allocate(sum, given);
        expect(seats.reduce((total, one) => total + one, 0)).toBeCloseTo(sum, 3);
        for (const [i, { lowerBound, upperBound }] of given.entries()) {
          expect(seats[i]).toBeGreaterThanOrEqual(lowerBound);
          expect(seats[i]).toBeLessThanOrEqual(upperBound);
        }
      }),
    ));
});
