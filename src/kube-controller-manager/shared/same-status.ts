import { deepEqual } from '../../machinery/collections/equal.ts';

/** Whether two statuses are equal for clients: counters that are zero and absent ones mean the same. */
export const isSameStatus = (one: object, other: object | undefined): boolean =>
  deepEqual(withoutZeros(one), withoutZeros(other ?? {}));

const withoutZeros = (status: object) =>
  Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0 && value !== undefined));
