// The time that a component shows: now, or that of the chosen moment.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { moment } from '../past/moment.ts';
import { every, now } from '../system.ts';

/** Changes every `ms` milliseconds, while the page is visible. */
export function useNow(ms: number): number {
  const time = useSignal(now());
  useEffect(
    () =>
      every(ms, () => {
        if (!document.hidden) time.value = now();
      }),
    [ms, time],
  );
  return moment.value?.timeMs ?? time.value;
}
