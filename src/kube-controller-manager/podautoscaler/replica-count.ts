// The number of replicas that a metric asks for. Values are in thousandths.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details

import { isPodReady, type Pod } from '../../api/api.ts';
import { groupPods, type PodMetric, type PodMetrics, type ReadinessTimes, requestsOf } from './pod-groups.ts';

/** Deviations of the ratio from 1 within which nothing changes. */
export interface Tolerances {
  readonly down: number;
  readonly up: number;
}

/** The target of an autoscaler at one time. */
export interface Target {
  readonly pods: readonly Pod[];
  readonly replicas: number;
  readonly tolerances: Tolerances;
  readonly times: ReadinessTimes;
  readonly nowMs: number;
}

interface Proposal {
  readonly replicas: number;
  /** The value now: for each pod, or of the whole target. */
  readonly usage: number;
}

const largestInt32 = 2 ** 31 - 1;
const largestInt64 = 2 ** 63;

const isWithin = ({ down, up }: Tolerances, ratio: number): boolean => 1 - down <= ratio && ratio <= 1 + up;

interface Measured {
  /** Usage relative to the target value. */
  readonly ratio: number;
  readonly usage: number;
}

type Measure<M extends Measured> = (metrics: PodMetrics) => M;

/** For a target that is a percentage of the pods' requests. */
export function replicasForUtilization(
  target: Target,
  metrics: PodMetrics,
  { resource, container, utilization }: { resource: string; container: string; utilization: number },
): Proposal & { readonly utilization: number } {
  return fromPods(target, metrics, resource, () => {
    const requests = requestsOf(target.pods, container, resource);
    return {
      measure: (counted) => utilizationOf(counted, requests, utilization),
      // Their requests are used up, or the target if that is more.
      assumed: (pod) => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, utilization)) / 100),
    };
  });
}

/** For a target that is an average value of the pods. */
export const replicasForAverage = (
  target: Target,
  metrics: PodMetrics,
  averageValue: number,
  resource?: string,
): Proposal =>
  fromPods(target, metrics, resource, () => ({
    measure(counted) {
      const usage = Math.trunc(sumOf(counted) / counted.size);
      return { ratio: usage / averageValue, usage };
    },
    assumed: () => averageValue,
  }));

/** For a target that is the value of one object, or of an external metric. */
export function replicasForValue({ pods, replicas, tolerances }: Target, usage: number, value: number): Proposal {
  const ratio = usage / value;
  if (replicas === 0) return { replicas: Math.ceil(ratio), usage };
  if (isWithin(tolerances, ratio)) return { replicas, usage };
  if (pods.length === 0)
    throw new Error('unable to calculate ready pods: no pods returned by selector while calculating replica count');
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isPodReady(pod)).length;
  return { replicas: Math.min(Math.ceil(ratio * ready), largestInt32), usage };
}

/** For a target that is a value divided by the number of replicas: `replicas` is that of the status. */
export function replicasForShare(
  { replicas, tolerances }: Pick<Target, 'replicas' | 'tolerances'>,
  usage: number,
  averageValue: number,
): Proposal {
  const isNear = isWithin(tolerances, usage / (averageValue * replicas));
  return {
    replicas: isNear ? replicas : Math.min(Math.ceil(usage / averageValue), largestInt32),
    // Without replicas there is no average: the whole value is shown.
    usage: usage >= largestInt64 || replicas === 0 ? usage : Math.ceil(usage / replicas),
  };
}

/** The sum of an external metric's values, at most the largest 64-bit number. */
export const sumOfValues = (values: readonly number[]): number =>
  values.reduce((sum, value) => Math.min(sum + value, largestInt64), 0);

const sumOf = (metrics: PodMetrics): number => [...metrics.values()].reduce((sum, { value }) => sum + value, 0);

function utilizationOf(metrics: PodMetrics, requests: ReadonlyMap<string, number>, target: number) {
  const matched = [...metrics].filter(([pod]) => requests.has(pod));
  const used = matched.reduce((sum, [, { value }]) => sum + value, 0);
  const requested = matched.reduce((sum, [pod]) => sum + (requests.get(pod) ?? 0), 0);
  if (requested === 0) throw new Error('no metrics returned matched known pods');
  const utilization = Math.trunc((used * 100) / requested);
  return { ratio: utilization / target, utilization, usage: Math.trunc(used / matched.length) };
}

/**
 * Pods without metrics count so that they dampen the change: as if they used the target when scaling down, and nothing
 * when scaling up. Unready pods count as using nothing when scaling up. The change never turns its direction by that.
 */
function fromPods<M extends Measured>(
  { pods, replicas, tolerances, times, nowMs }: Target,
  all: PodMetrics,
  resource: string | undefined,
  prepare: () => { readonly measure: Measure<M>; assumed(pod: string): number },
): M & Proposal {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const { ready, unready, missing, ignored } = groupPods(pods, all, resource, times, nowMs);
  const counted = new Map([...all].filter(([pod]) => !ignored.has(pod) && !unready.has(pod)));
  if (counted.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { measure, assumed } = prepare();
  const measured = measure(counted);
  const { ratio } = measured;
  const same = { ...measured, replicas };
  const countsUnready = unready.size > 0 && ratio > 1;
  if (!countsUnready && missing.size === 0)
    return isWithin(tolerances, ratio) ? same : { ...measured, replicas: Math.ceil(ratio * ready) };

  const at = (value: number): PodMetric => ({ value, timestampMs: nowMs, windowMs: 0 });
  if (ratio !== 1) for (const pod of missing) counted.set(pod, at(ratio < 1 ? assumed(pod) : 0));
  if (countsUnready) for (const pod of unready) counted.set(pod, at(0));
  const dampened = measure(counted).ratio;
  const turns = (ratio < 1 && dampened > 1) || (ratio > 1 && dampened < 1);
  if (isWithin(tolerances, dampened) || turns) return same;
  const proposed = Math.ceil(dampened * counted.size);
  if ((dampened < 1 && proposed > replicas) || (dampened > 1 && proposed < replicas)) return same;
  return { ...measured, replicas: proposed };
}
