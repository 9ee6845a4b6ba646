// Which pods of a target have usable metrics, and the requests that utilization is relative to.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details

import { conditionOf, isSidecar, type Pod, podRequests } from '../../api/api.ts';
import { milliValue } from '../../machinery/quantity.ts';
import type { AutoscalerConfig } from './config.ts';

/** A measurement of one pod; the value is in thousandths. */
export interface PodMetric {
  readonly value: number;
  readonly timestampMs: number;
  /** The value is an average over this time before the timestamp. */
  readonly windowMs: number;
}

/** By the name of the pod. */
export type PodMetrics = ReadonlyMap<string, PodMetric>;

export type ReadinessTimes = Pick<Required<AutoscalerConfig>, 'cpuInitializationMs' | 'initialReadinessMs'>;

interface PodGroups {
  readonly ready: number;
  /** Pending, or not ready: their metrics do not count. */
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  /** Terminating or failed. */
  readonly ignored: ReadonlySet<string>;
}

/** `resource`: `cpu` also checks readiness; other metrics do not depend on it. */
export function groupPods(
  pods: readonly Pod[],
  metrics: PodMetrics,
  resource: string | undefined,
  times: ReadinessTimes,
  nowMs: number,
): PodGroups {
  let ready = 0;
  const [unready, missing, ignored] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const pod of pods) {
    const { name, deletionTimestamp } = pod.metadata;
    const metric = metrics.get(name);
    if (deletionTimestamp || pod.status?.phase === 'Failed') ignored.add(name);
    else if (pod.status?.phase === 'Pending') unready.add(name);
    else if (!metric) missing.add(name);
    else if (resource === 'cpu' && isInitializing(pod, metric, times, nowMs)) unready.add(name);
    else ready++;
  }
  return { ready, unready, missing, ignored };
}

/** Whether the CPU usage is not that of the pod's work. */
function isInitializing(
  pod: Pod,
  metric: PodMetric,
  { cpuInitializationMs, initialReadinessMs }: ReadinessTimes,
  nowMs: number,
): boolean {
  const condition = conditionOf(pod, 'Ready');
  const startTime = pod.status?.startTime;
  if (!condition || !startTime) return true;
  const startedMs = Date.parse(startTime);
  const changedMs = condition.lastTransitionTime ? Date.parse(condition.lastTransitionTime) : Number.NEGATIVE_INFINITY;
  if (startedMs + cpuInitializationMs > nowMs)
    return condition.status === 'False' || metric.timestampMs < changedMs + metric.windowMs;
  return condition.status === 'False' && startedMs + initialReadinessMs > changedMs;
}

/**
 * Requests of each pod in thousandths, of one container or of the whole pod. Throws if one of them has none: then no
 * utilization exists.
 */
export function requestsOf(pods: readonly Pod[], container: string, resource: string): ReadonlyMap<string, number> {
  return new Map(pods.map((pod) => [pod.metadata.name, requestOf(pod, container, resource)]));
}

function requestOf(pod: Pod, container: string, resource: string): number {
  const { name } = pod.metadata;
  const own = pod.spec.resources?.requests;
  if (!container && own && Object.keys(own).length > 0) {
    const request = podRequests(pod)[resource];
    if (request === undefined) throw new Error(`missing pod-level request for ${resource} in Pod ${name}`);
    return milliValue(request);
  }
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)];
  const counted = container ? all.filter((each) => each.name === container) : all;
  if (counted.length === 0 && container) throw new Error(`container ${container} not found in Pod ${name}`);
  return counted.reduce((sum, each) => {
    const request = each.resources?.requests?.[resource];
    if (request === undefined)
      throw new Error(`missing request for ${resource} in container ${each.name} of Pod ${name}`);
    return sum + milliValue(request);
  }, 0);
}
