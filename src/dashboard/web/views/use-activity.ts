// The API server's metrics, read while the page is visible, and the last minutes of the main numbers.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { request } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { type Activity, activityOf, metricsQuery, type Reading, readMetrics } from '../model/metrics.ts';
import { now } from '../system.ts';
import { whileVisible } from '../ui/poll.ts';

export interface TimedActivity extends Activity {
  readonly atMs: number;
}

export interface ObservedActivity {
  /** Undefined: not yet. */
  readonly activity: Activity | undefined;
  /** Why there is none. */
  readonly fault: string | undefined;
  /** Newest last. */
  readonly history: readonly TimedActivity[];
}

const firstMs = 1_000;
const readMs = 3_000;
/** Servers that cannot choose answer all of their metrics, megabytes: they are read rarely. */
const rareMs = 15_000;
const largeLength = 500_000;
const kept = 60;

export function useActivity(): ReadonlySignal<ObservedActivity> {
  const observed = useSignal<ObservedActivity>({ activity: undefined, fault: undefined, history: [] });
  useEffect(() => {
    let before: Reading | undefined;
    const read = async (): Promise<number> => {
      try {
        const text = await (await request('/metrics', { accept: 'text/plain', query: metricsQuery })).text();
        const last = before;
        const atMs = now();
        before = readMetrics(text, atMs);
        // The first rates come soon.
        if (!last) return firstMs;
        const activity = activityOf(last, before);
        const history = [...observed.peek().history, { ...activity, atMs }].slice(-kept);
        observed.value = { activity, fault: undefined, history };
        return text.length > largeLength ? rareMs : readMs;
      } catch (error) {
        const fault = error instanceof Error ? error.message : String(error);
        const isRefused = error instanceof Failure && error.code === 403;
        observed.value = { ...observed.peek(), fault, ...(isRefused && { activity: undefined }) };
        return isRefused ? rareMs : readMs;
      }
    };
    return whileVisible(readMs, read);
  }, [observed]);
  return observed;
}
