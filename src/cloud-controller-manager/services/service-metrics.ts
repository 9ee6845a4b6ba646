// The metrics of Kubernetes' service controller.

import type { Metrics } from '../../machinery/metrics.ts';

/** 1 s to 16384 s. */
const buckets = Array.from({ length: 15 }, (_, i) => 2 ** i);

export const serviceMetrics = (metrics: Metrics) => ({
  syncs: metrics.counter(
    'service_controller_loadbalancer_sync_total',
    'A metric counting the amount of times any load balancer has been configured, as an effect of service/node changes on the cluster',
  ),
  errors: metrics.counter(
    'service_controller_nodesync_error_total',
    'A metric counting the amount of times any load balancer has been configured and errored, as an effect of node changes on the cluster',
  ),
  latency: metrics.histogram(
    'service_controller_update_loadbalancer_host_latency_seconds',
    'A metric measuring the latency for updating each load balancer hosts.',
    buckets,
  ),
});
