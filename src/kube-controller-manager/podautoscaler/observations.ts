// The metrics of the autoscaler, by their names in Kubernetes.
// https://kubernetes.io/docs/reference/instrumentation/metrics/ (horizontal_pod_autoscaler_controller_*)

import type { Metrics } from '../../machinery/metrics.ts';

export type Action = 'scale_up' | 'scale_down' | 'none';
type Fault = 'spec' | 'internal' | 'none';

/** Upper bounds in seconds: fifteen, each twice the previous one. */
const buckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const prefix = 'horizontal_pod_autoscaler_controller';

export class Observations {
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  reconciliation(action: Action, error: Fault, ms: number): void {
    const labels = { action, error };
    this.#metrics.counter(`${prefix}_reconciliations_total`, 'Number of reconciliations.').add(1, labels);
    this.#metrics
      .histogram(`${prefix}_reconciliation_duration_seconds`, 'Time of one reconciliation in seconds.', buckets)
      .observe(ms / 1000, labels);
  }

  computation(metricType: string, action: Action, error: Fault, ms: number): void {
    const labels = { action, error, metric_type: metricType };
    this.#metrics.counter(`${prefix}_metric_computation_total`, 'Number of metric computations.').add(1, labels);
    this.#metrics
      .histogram(`${prefix}_metric_computation_duration_seconds`, 'Time of the computation of one metric.', buckets)
      .observe(ms / 1000, labels);
  }

  autoscalers(count: number): void {
    this.#metrics.gauge(`${prefix}_num_horizontal_pod_autoscalers`, 'Number of autoscalers.').set(count);
  }

  desired(namespace: string, name: string, replicas: number): void {
    const labels = { namespace, hpa_name: name };
    this.#metrics.gauge(`${prefix}_desired_replicas`, 'Desired number of replicas of a target.').set(replicas, labels);
  }
}
