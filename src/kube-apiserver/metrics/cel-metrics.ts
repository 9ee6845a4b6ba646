import { defaultBuckets, perRegistry } from '../../machinery/metrics.ts';

/** Of the rules of custom resources. */
export const celMetrics = perRegistry((metrics) => ({
  compilation: metrics
    .histogram('apiserver_cel_compilation_duration_seconds', 'CEL compilation time in seconds.', defaultBuckets)
    .at(),
  evaluation: metrics
    .histogram('apiserver_cel_evaluation_duration_seconds', 'CEL evaluation time in seconds.', defaultBuckets)
    .at(),
}));
