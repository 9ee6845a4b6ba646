// The API server's metrics, read while the page is visible, and the last minutes of the main numbers.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { request } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { type Activity, activityOf, type Reading, readMetrics } from '../model/metrics.ts';
import { every, now } from '../system.ts';

export interface ObservedActivity {
  /** Undefined: not yet. */
  readonly activity: Activity | undefined;
  /** Why there is none. */
  readonly fault: string | undefined;
  /** Newest last. */
  readonly history: readonly Activity[];
}

/** The metrics are megabytes: a page reads them rarely. */
const readMs = 3_000;
const kept = 60;

export function useActivity(): ReadonlySignal<ObservedActivity> {
  const observed = useSignal<ObservedActivity>({ activity: undefined, fault: undefined, history: [] });
  useEffect(() => {
    let before: Reading | undefined;
    let isReading = false;
    const read = async () => {
      if (document.hidden || isReading) return;
      isReading = true;
      try {
        const text = await (await request('/metrics', { accept: 'text/plain' })).text();
        const after = readMetrics(text, now());
        if (before) {
          const activity = activityOf(before, after);
          const history = [...observed.peek().history, activity].slice(-kept);
          observed.value = { activity, fault: undefined, history };
        }
        before = after;
      } catch (error) {
        const fault = error instanceof Error ? error.message : String(error);
        const isRefused = error instanceof Failure && error.code === 403;
        observed.value = { ...observed.peek(), fault, ...(isRefused && { activity: undefined }) };
      }
      isReading = false;
    };
    void read();
    // The first rates come soon.
    const cancel = every(readMs, () => void read());
    const second = every(1_000, () => {
      if (before && !observed.peek().activity) void read();
    });
    return () => {
      cancel();
      second();
    };
  }, [observed]);
  return observed;
}
