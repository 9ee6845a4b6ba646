// The time, as a value that a component shows.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
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
  return time.value;
}
