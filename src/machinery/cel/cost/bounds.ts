// Bounds on the size of results, checked before allocation: a larger result would exceed the cost limit of a call.

import { CostExceeded } from '../values.ts';

const mostItems = 1_000_000;
const mostCharacters = 10_000_000;

export function boundItems(count: number): void {
  if (count > mostItems) throw new CostExceeded();
}

export function boundCharacters(count: number): void {
  if (count > mostCharacters) throw new CostExceeded();
}
