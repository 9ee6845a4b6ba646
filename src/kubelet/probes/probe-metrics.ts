// prober_probe_total and prober_probe_duration_seconds. They belong to containers, so they end with these.
// https://kubernetes.io/docs/reference/instrumentation/metrics/

import type { Pod } from '../../api/api.ts';
import { Exposition, type FamilyDescription } from '../stats/exposition.ts';
import type { ProbeOutcome } from './probe-handlers.ts';

/** Seconds, those of Prometheus' clients by default. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The results of one probe of one container. */
export class ProbeCounts {
  readonly results: { successful: number; failed: number; unknown: number } = { successful: 0, failed: 0, unknown: 0 };
  /** Of probes that did not fail: how many took at most the time of each bucket. */
  readonly within = buckets.map(() => 0);
  seconds = 0;

  add(result: ProbeOutcome['result'], seconds: number): void {
    const counted = result === 'failure' ? 'failed' : result === 'error' ? 'unknown' : 'successful';
    this.results[counted]++;
    if (counted === 'failed') return;
    this.seconds += seconds;
    for (const [i, most] of buckets.entries()) if (seconds <= most) this.within[i]++;
  }
}

interface ProbeOfContainer {
  readonly pod: Pod;
  readonly container: string;
  /** Liveness, Readiness or Startup. */
  readonly kind: string;
  readonly counts: ProbeCounts;
}

const total: FamilyDescription = [
  'prober_probe_total',
  'counter',
  '[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.',
];
const duration = 'prober_probe_duration_seconds';
const durationHead = `# HELP ${duration} [ALPHA] Duration in seconds for a probe response.\n# TYPE ${duration} histogram\n`;

export function probeMetrics(probes: readonly ProbeOfContainer[]): string {
  const families = ['bucket', 'sum', 'count'].map((part) => [`${duration}_${part}`, 'counter', ''] as const);
  const totals = new Exposition([total]);
  const durations = new Exposition(families);
  for (const { pod, container, kind, counts } of probes) {
    const { name, namespace = '', uid } = pod.metadata;
    for (const [result, count] of Object.entries(counts.results))
      if (count > 0)
        totals.add(total[0], { container, namespace, pod: name, pod_uid: uid, probe_type: kind, result }, count);
    const labels = { container, namespace, pod: name, probe_type: kind };
    const count = counts.results.successful + counts.results.unknown;
    if (count === 0) continue;
    for (const [i, most] of buckets.entries())
      durations.add(`${duration}_bucket`, { ...labels, le: String(most) }, counts.within[i]);
    durations.add(`${duration}_bucket`, { ...labels, le: '+Inf' }, count);
    durations.add(`${duration}_sum`, labels, counts.seconds);
    durations.add(`${duration}_count`, labels, count);
  }
  const text = durations.text().replaceAll(/^#.*\n/gm, '');
  return totals.text() + (text ? durationHead + text : '');
}
