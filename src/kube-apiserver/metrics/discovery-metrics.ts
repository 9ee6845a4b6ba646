import { perRegistry } from '../../machinery/metrics.ts';

export const discoveryMetrics = perRegistry((metrics) => ({
  aggregations: metrics
    .counter('aggregator_discovery_aggregation_count_total', 'Counter of number of times discovery was aggregated')
    .at(),
}));
