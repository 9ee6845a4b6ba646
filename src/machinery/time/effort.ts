// The effort of validating one object. Its size alone does not decide how long that takes: an item may have ten thousand
// alternatives in its definition, and a pattern a node for each character. Where there is a limit, validation stops there,
// to be done in another thread.

/** The limit was reached: nothing is known about the object. */
export class TooMuchEffort extends Error {
  override readonly name = 'TooMuchEffort';
}

/** CEL counts finer steps than a value that is compared with a schema. */
const costOfStep = 10;

let left = Number.POSITIVE_INFINITY;

/** Runs `work` with at most this many steps. Throws TooMuchEffort. */
export function withEffort<T>(steps: number, work: () => T): T {
  const outer = left;
  left = steps;
  try {
    return work();
  } finally {
    left = outer;
  }
}

/** One step compares one value with one schema. */
export function spendEffort(steps: number): void {
  left -= steps;
  if (left < 0) throw new TooMuchEffort();
}

/** The cost that an expression may have. */
export const costWithinEffort = (): number => left * costOfStep;

export const spendCost = (cost: number): void => spendEffort(cost / costOfStep);
