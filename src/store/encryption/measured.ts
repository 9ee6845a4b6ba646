import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { encryptionMetrics } from '../encryption-metrics.ts';
import type { Transformer } from './providers.ts';

export interface Measuring {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** `resource.group` of a key in the store. */
  readonly resourceOf: (key: string) => string;
}

/** A transformer whose operations are counted and timed. */
export function measured(transformer: Transformer, { clock, metrics, resourceOf }: Measuring): Transformer {
  const { prefix } = transformer;
  const { duration, operations } = encryptionMetrics(metrics);
  const timed = async <T>(type: 'to_storage' | 'from_storage', key: string, work: () => T | Promise<T>): Promise<T> => {
    const startMs = clock.monotonic();
    let status = 'unknown-non-grpc';
    try {
      const result = await work();
      status = 'OK';
      const seconds = (clock.monotonic() - startMs) / 1_000;
      duration.observe(seconds, { transformation_type: type, transformer_prefix: prefix });
      return result;
    } finally {
      const resource = resourceOf(key);
      operations.add(1, { resource, transformation_type: type, transformer_prefix: prefix, status });
    }
  };
  return {
    prefix,
    encrypt: (value, key) => timed('to_storage', key, () => transformer.encrypt(value, key)),
    decrypt: (value, key) => timed('from_storage', key, () => transformer.decrypt(value, key)),
  };
}
