// Shared by the long tests: their duration, and the seed, which is printed so that a failure can be repeated.

import { test } from 'vitest';
import { type Random, seededRandom } from '../../src/machinery/random.ts';

/** `coracle test --long` sets it: minutes instead of seconds. */
export const isLong = process.env['CORACLE_TEST_LONG'] === '1';

/** A test of the long run alone. */
export const longTest = test.runIf(isLong);

/** Why a file of such tests does not run; undefined in a long run. */
export const notLong = isLong ? undefined : 'only with --long';

/** Rounds of the normal run, and of the long one. */
export const rounds = (short: number, long: number): number => (isLong ? long : short);

/** CORACLE_TEST_SEED plays a run again; the long runs draw a new seed each time. */
export const seed = Number(process.env['CORACLE_TEST_SEED'] ?? (isLong ? Date.now() % 1_000_000_000 : 1));

export function seeded(name: string): Random {
  if (isLong) console.log(`${name}: CORACLE_TEST_SEED=${seed}`);
  return seededRandom(seed);
}
