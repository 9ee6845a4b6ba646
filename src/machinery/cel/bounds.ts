// Results are bounded before memory is taken for them: one larger than this costs more than a call may cost at all.

import { CostExceeded } from './values.ts';

const mostItems = 1_000_000;
const mostCharacters = 10_000_000;

export function boundItems(count: number): void {
  if (count > mostItems) throw new CostExceeded();
}

export function boundCharacters(count: number): void {
  if (count > mostCharacters) throw new CostExceeded();
}
