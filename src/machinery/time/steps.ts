// Long work in steps, between which others may have a turn. Work that is short is done in one go.

/** Stops where others may have a turn. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
