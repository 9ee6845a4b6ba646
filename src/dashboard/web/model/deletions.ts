// Deletions that the server carried out, as it reports them.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface Deletion {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly user: string;
  readonly isEviction: boolean;
  /** False: the object stayed until its grace period and its finalizers ended. */
  readonly isGone: boolean;
}

export const deletionsIn = (answer: unknown): readonly Deletion[] =>
  listIn(fieldsIn(answer)['deletions']).map((item, index) => {
    const { timeMs, user, subresource, isGone } = fieldsIn(item);
    return {
      key: `${String(timeMs)} ${index}`,
      timeMs: Number(timeMs) || 0,
      user: textIn(user),
      isEviction: subresource === 'eviction',
      isGone: isGone === true,
    };
  });
