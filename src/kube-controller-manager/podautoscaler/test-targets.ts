// For tests: pods with metrics, from short texts.

import type { Pod } from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';
import type { PodMetric, PodMetrics } from './pod-groups.ts';
import type { Target } from './replica-count.ts';

export interface Options {
  readonly target: number;
  /** Default: the number of pods. */
  readonly replicas?: number;
  /** Cores that each container of a pod requests. Default: 1. */
  readonly requests?: readonly number[];
  readonly container?: string;
  /** Tolerances. Default: 0.1. */
  readonly up?: number;
  readonly down?: number;
}

const nowMs = Date.UTC(2026, 0, 1);
const times = { cpuInitializationMs: 120_000, initialReadinessMs: 10_000 };
const startOf: Readonly<Record<string, number>> = { hot: nowMs, cool: nowMs - 180_000 };
const phases: Readonly<Record<string, string>> = { pending: 'Pending', failed: 'Failed' };

const wordsOf = (pods: string): string[][] => (pods ? pods.split(', ').map((pod) => pod.split(' ')) : []);

export function podsOf(pods: string, { requests }: Options): Pod[] {
  return wordsOf(pods)
    .filter((words) => !words.includes('gone'))
    .map((words, i) => {
      const started = startOf[words.find((word) => word in startOf) ?? ''] ?? 0;
      const cores = requests ? requests[i] : 1;
      const resources = cores === undefined ? {} : { requests: { cpu: String(cores) } };
      const ready = {
        type: 'Ready',
        status: words.includes('unready') ? 'False' : 'True',
        lastTransitionTime: timestamp(0),
      };
      return {
        metadata: { name: `pod-${i}`, ...(words.includes('deleted') && { deletionTimestamp: timestamp(nowMs) }) },
        spec: { containers: ['container1', 'container2'].map((name) => ({ name, resources })) },
        status: {
          phase: phases[words.find((word) => word in phases) ?? ''] ?? 'Running',
          startTime: timestamp(started),
          conditions: [ready],
        },
      } as unknown as Pod;
    });
}

export const targetOf = (pods: string, options: Options): Target => ({
  pods: podsOf(pods, options),
  replicas: options.replicas ?? podsOf(pods, options).length,
  tolerances: { up: options.up ?? 0.1, down: options.down ?? 0.1 },
  times,
  nowMs,
});

/** Of one container, or of both together. The metrics are as old as the pods' last change of readiness. */
export function metricsOf(pods: string, container: string): PodMetrics {
  const found: [string, PodMetric][] = [];
  let number = 0;
  for (const words of wordsOf(pods)) {
    const name = words.includes('gone') ? `gone-${found.length}` : `pod-${number++}`;
    const [usage] = words;
    if (usage === '-') continue;
    const [first, second = first] = usage.split('/').map(Number);
    const value = container === 'container1' ? first : container === 'container2' ? second : first + second;
    found.push([name, { value, timestampMs: 0, windowMs: 60_000 }]);
  }
  return new Map(found);
}
