// Metrics of encryption at rest, under Kubernetes' names.

import { exponentialBuckets, perRegistry } from '../machinery/metrics.ts';

const prefix = 'apiserver_storage';

export const encryptionMetrics = perRegistry((metrics) => ({
  duration: metrics.histogram(
    `${prefix}_transformation_duration_seconds`,
    'Latencies in seconds of value transformation operations.',
    exponentialBuckets(5e-6, 2, 25),
  ),
  operations: metrics.counter(`${prefix}_transformation_operations_total`, 'Total number of transformations.'),
  keyMisses: metrics
    .counter(
      `${prefix}_envelope_transformation_cache_misses_total`,
      'Total number of cache misses while accessing key decryption key(KEK).',
    )
    .at(),
  keyGeneration: metrics
    .histogram(
      `${prefix}_data_key_generation_duration_seconds`,
      'Latencies in seconds of data encryption key(DEK) generation operations.',
      exponentialBuckets(5e-6, 2, 14),
    )
    .at(),
  keyGenerationFailures: metrics
    .counter(
      `${prefix}_data_key_generation_failures_total`,
      'Total number of failed data encryption key(DEK) generation operations.',
    )
    .at(),
}));
