// Long work in steps, between which others may have a turn. Work that is short is done in one go.

import type { Clock } from './clock.ts';
import { ownTurn, pause } from './turn.ts';

/** Stops where others may have a turn. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Gives other work a turn of the event loop between two steps. */
export async function finishInTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await ownTurn();
  }
}

/** Same, when the steps of a turn have taken long: for steps that may be short. */
export async function finishInPauses<T>(steps: Steps<T>, clock: Pick<Clock, 'monotonic'>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await pause(clock);
  }
}
