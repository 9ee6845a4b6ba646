// How long a Job waits before it replaces failed pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy

import { conditionOf, isSidecar, type Pod } from '../../api/api.ts';

const firstBackoffMs = 10_000;
const longestBackoffMs = 600_000;

/** Milliseconds after the given number of failures in a row: 10 s, doubling, at most 10 minutes. */
export const backoffMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(firstBackoffMs * 2 ** Math.min(failures - 1, 10), longestBackoffMs);

/** The time of the pod's end in milliseconds: from its containers, otherwise from its conditions and metadata. */
export function endOf(pod: Pod): number {
  const { metadata } = pod;
  const ready = conditionOf(pod, 'Ready');
  const deletion = metadata.deletionTimestamp;
  return (
    endOfContainers(pod) ??
    (ready?.status === 'False' && ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : undefined) ??
    (deletion ? Date.parse(deletion) - Number(metadata.deletionGracePeriodSeconds ?? 0) * 1000 : undefined) ??
    Date.parse(metadata.creationTimestamp)
  );
}

/** The end of the container that ended last, sidecars included; undefined while one has not ended. */
function endOfContainers({ spec, status }: Pod): number | undefined {
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const counted = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  const ends = counted.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  return ends.length === 0 || ends.some(Number.isNaN) ? undefined : Math.max(...ends);
}

/** Milliseconds until pods that failed since the last success may be replaced. */
export function backoffLeftMs(succeeded: readonly Pod[], failed: readonly Pod[], nowMs: number): number {
  const lastSuccess = latest(succeeded.map(endOf));
  const failures = failed.map(endOf).filter((end) => end > lastSuccess);
  if (failures.length === 0) return 0;
  return Math.max(0, latest(failures) + backoffMs(failures.length) - nowMs);
}

/** For more pods than a call can have arguments. */
const latest = (times: readonly number[]): number => times.reduce((last, time) => Math.max(last, time), 0);
