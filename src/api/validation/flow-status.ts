// Status rules shared by both kinds of flow control.

import { all, each, need, struct, unique } from './rules.ts';

/** Each type once. */
export const flowConditions = all(
  unique(({ type }: { type?: string }) => type ?? '', '.type'),
  each(struct({ type: need() })),
);
