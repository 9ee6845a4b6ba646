// Requirements of selectors for authorization. A selector that cannot be read has none: it gives no rights, and the
// request is refused later.

import { type FieldRequirement, fieldSelectorSteps } from '../../machinery/selectors/field-selector.ts';
import type { LabelSelector } from '../../machinery/selectors/label-selector.ts';
import { requirementSteps, SelectorError } from '../../machinery/selectors/label-text.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { finishInPauses, type Steps } from '../../machinery/time/steps.ts';

type Timer = Pick<Clock, 'monotonic'>;

export async function fieldRequirements(text: string, clock: Timer): Promise<readonly FieldRequirement[] | undefined> {
  return (await readable(fieldSelectorSteps(text), clock))?.requirements;
}

export const labelRequirements = (text: string, clock: Timer): Promise<LabelSelector['requirements'] | undefined> =>
  readable(requirementSteps(text), clock);

async function readable<T>(steps: Steps<T>, clock: Timer): Promise<T | undefined> {
  try {
    return await finishInPauses(steps, clock);
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}
