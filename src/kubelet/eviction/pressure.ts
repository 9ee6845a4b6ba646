// Derives conditions and due thresholds from a node's available resources. Pure: state in, state out.

import {
  amountIn,
  type PressureCondition,
  type Signal,
  type StarvedResource,
  signals,
  type Threshold,
} from './thresholds.ts';

/** In bytes, inodes or processes. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}
export type Observations = Readonly<Partial<Record<Signal, Observation>>>;

export interface PressureState {
  /** Crossed thresholds whose minimum reclaim is not reached yet. */
  readonly met: readonly Threshold[];
  readonly firstMetMs: ReadonlyMap<Threshold, number>;
  readonly conditionSeenMs: ReadonlyMap<PressureCondition, number>;
}

export const noPressure: PressureState = { met: [], firstMetMs: new Map(), conditionSeenMs: new Map() };

interface Decision {
  readonly state: PressureState;
  readonly conditions: ReadonlySet<PressureCondition>;
  /** Thresholds whose grace period is over, in order of action. */
  readonly due: readonly Threshold[];
}

/** The crossed thresholds; with `andReclaim`, also those below their minimum reclaim. */
export function crossed(
  thresholds: readonly Threshold[],
  observations: Observations,
  andReclaim: boolean,
): readonly Threshold[] {
  return thresholds.filter(({ signal, value, minReclaim }) => {
    const observed = observations[signal];
    if (!observed) return false;
    const reclaim = andReclaim && minReclaim ? amountIn(minReclaim, observed.capacity) : 0;
    return amountIn(value, observed.capacity) + reclaim > observed.available;
  });
}

export function decide(
  before: PressureState,
  thresholds: readonly Threshold[],
  observations: Observations,
  now: number,
  transitionPeriodMs: number,
): Decision {
  const over = new Set([...crossed(thresholds, observations, false), ...crossed(before.met, observations, true)]);
  const firstMetMs = new Map([...over].map((each) => [each, before.firstMetMs.get(each) ?? now]));
  const conditionSeenMs = new Map(before.conditionSeenMs);
  for (const { signal } of over) conditionSeenMs.set(signals[signal].condition, now);
  const conditions = [...conditionSeenMs]
    .filter(([, seenMs]) => now - seenMs < transitionPeriodMs)
    .map(([name]) => name);
  const met = [...firstMetMs].filter(([each, firstMs]) => now - firstMs >= each.graceMs).map(([each]) => each);
  return { state: { met, firstMetMs, conditionSeenMs }, conditions: new Set(conditions), due: memoryFirst(met) };
}

const memoryFirst = (list: readonly Threshold[]): Threshold[] =>
  list.toSorted((a, b) => Number(resourceOf(b) === 'memory') - Number(resourceOf(a) === 'memory'));

export const resourceOf = ({ signal }: Threshold): StarvedResource => signals[signal].resource;
