// Writes that the server refused, by which part of it and why, and deletions with their users.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight } from '../api/api.ts';
import { deletionsIn } from '../model/deletions.ts';
import type { PastPlace } from '../model/history.ts';
import { refusalsIn } from '../model/refusals.ts';
import { t } from '../text.ts';
import { whileVisible } from '../ui/poll.ts';

const readMs = 10_000;

/** Undefined: the user may not see them, or they are not read yet. Without a place: all of them. */
const useWrites = <Write,>(
  name: 'refusals' | 'deletions',
  read: (answer: unknown) => readonly Write[],
  place: Partial<PastPlace>,
): ReadonlySignal<readonly Write[] | undefined> => {
  const found = useSignal<readonly Write[] | undefined>(undefined);
  const query = JSON.stringify(place);
  useEffect(() => {
    let isOver = false;
    const stop = whileVisible(readMs, async () => {
      const answer = await getInsight(name, JSON.parse(query)).then(read, () => undefined);
      if (!isOver) found.value = answer;
    });
    return () => {
      isOver = true;
      stop();
    };
  }, [name, read, query, found]);
  return found;
};

export const useRefusals = (place: Partial<PastPlace>) => useWrites('refusals', refusalsIn, place);
export const useDeletions = (place: Partial<PastPlace>) => useWrites('deletions', deletionsIn, place);

const ownParts = ['authorization', 'validation'] as const;

export const refuserText = (by: string): string => {
  const part = ownParts.find((one) => one === by);
  return part ? t(`refused.${part}`) : t('refused.plugin', { name: by });
};
