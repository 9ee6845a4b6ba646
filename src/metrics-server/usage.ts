// Current usage from two samples of the counters. Pure.

import type { Sample } from './scraped.ts';

export interface Usage {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  readonly atMs: number;
  /** The CPU usage is the average over this time before `atMs`. */
  readonly windowMs: number;
}

/** A younger container is still starting: its average says little. */
const leastAgeMs = 10_000;

/**
 * Undefined while no rate is known. A container that started after the previous sample, or started again, is measured
 * from its start.
 */
export function usageBetween(previous: Sample | undefined, last: Sample): Usage | undefined {
  const { cpuSeconds, memoryBytes, atMs, startMs } = last;
  const isSame = previous !== undefined && previous.startMs === startMs && cpuSeconds >= previous.cpuSeconds;
  if (isSame && atMs > previous.atMs) {
    const windowMs = atMs - previous.atMs;
    return { cpuCores: ((cpuSeconds - previous.cpuSeconds) * 1000) / windowMs, memoryBytes, atMs, windowMs };
  }
  if (isSame || startMs === undefined || atMs - startMs < leastAgeMs) return undefined;
  return { cpuCores: (cpuSeconds * 1000) / (atMs - startMs), memoryBytes, atMs, windowMs: atMs - startMs };
}

/** Of all containers, by name; undefined until every one of them has its usage. */
export function podUsage(
  previous: ReadonlyMap<string, Sample> | undefined,
  last: ReadonlyMap<string, Sample>,
): ReadonlyMap<string, Usage> | undefined {
  const usages = new Map<string, Usage>();
  for (const [container, sample] of last) {
    const usage = usageBetween(previous?.get(container), sample);
    if (!usage) return undefined;
    usages.set(container, usage);
  }
  return usages.size > 0 ? usages : undefined;
}
