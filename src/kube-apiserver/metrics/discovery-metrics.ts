import { perRegistry } from '../../machinery/metrics.ts';

export const discoveryMetrics = perRegistry((metrics) => ({
  aggregations: metrics
    .counter('aggregator_discovery_aggregation_count_total', 'Counter of number of times discovery was aggregated')
    .at(),
  /** Each request is: API servers do not merge the discovery of their peers. */
  withoutPeers: metrics
    .counter('aggregator_discovery_nopeer_requests_total', 'Counter of number of times no-peer discovery was requested')
    .at(),
}));
