// Writes that the server refused: by which part of it, and why.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight } from '../api/api.ts';
import type { PastPlace } from '../model/history.ts';
import { type Refusal, refusalsIn } from '../model/refusals.ts';
import { t } from '../text.ts';
import { whileVisible } from '../ui/poll.ts';

const readMs = 10_000;

/** Undefined: the user may not see them, or they are not read yet. Without a place: all of them. */
export function useRefusals(place: Partial<PastPlace>): ReadonlySignal<readonly Refusal[] | undefined> {
  const found = useSignal<readonly Refusal[] | undefined>(undefined);
  const query = JSON.stringify(place);
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      const answer = await getInsight('refusals', JSON.parse(query)).then(refusalsIn, () => undefined);
      if (!isOver) found.value = answer;
    };
    const stop = whileVisible(readMs, read);
    return () => {
      isOver = true;
      stop();
    };
  }, [query, found]);
  return found;
}

const ownParts = ['authorization', 'validation'] as const;

export const refuserText = (by: string): string => {
  const part = ownParts.find((one) => one === by);
  return part ? t(`refused.${part}`) : t('refused.plugin', { name: by });
};
