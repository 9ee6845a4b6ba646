// The differences between the present entries and those of a backup: both are read in order, side by side.

import { compareText } from '../../machinery/collections/in-order.ts';
import { type Entry, sameValue } from '../../store/store.ts';
import { resourceNames } from './inspect.ts';

export interface ResourceLoss {
  readonly resource: string;
  /** Objects that are not in the backup, and so are lost. */
  readonly lost: number;
  /** Objects that get the state of the backup. */
  readonly changed: number;
  /** Objects that come back. */
  readonly returned: number;
}

/** Resources with a difference. */
export async function compareContent(
  present: AsyncIterable<Entry>,
  restored: AsyncIterable<Entry>,
): Promise<readonly ResourceLoss[]> {
  const nameOf = resourceNames();
  const counts = new Map<string, { lost: number; changed: number; returned: number }>();
  const count = (key: string, field: keyof Omit<ResourceLoss, 'resource'>) => {
    const resource = nameOf(key);
    const found = counts.get(resource) ?? { lost: 0, changed: 0, returned: 0 };
    counts.set(resource, { ...found, [field]: found[field] + 1 });
  };
  const [before, after] = [present[Symbol.asyncIterator](), restored[Symbol.asyncIterator]()];
  let [a, b] = [await before.next(), await after.next()];
  while (!a.done || !b.done) {
    const order = a.done ? 1 : b.done ? -1 : compareText(a.value.key, b.value.key);
    if (order < 0) count(a.value.key, 'lost');
    else if (order > 0) count(b.value.key, 'returned');
    else if (!sameValue(a.value.value, b.value.value)) count(a.value.key, 'changed');
    if (order <= 0) a = await before.next();
    if (order >= 0) b = await after.next();
  }
  return [...counts]
    .map(([resource, found]) => ({ resource, ...found }))
    .sort((x, y) => y.lost - x.lost || y.changed - x.changed || (x.resource < y.resource ? -1 : 1));
}
