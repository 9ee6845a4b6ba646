import type { Event } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { failure } from '../status.ts';

export interface EventLimit {
  readonly type: keyof typeof keys;
  readonly qps: number;
  readonly burst: number;
  /** Cached buckets; 0 for the default. */
  readonly cacheSize?: number;
}

const defaultBuckets = 4_096;

/** The bucket of an event. */
const keys = {
  Server: () => '',
  Namespace: ({ namespace }: AdmissionAttributes) => namespace,
  User: ({ user }: AdmissionAttributes) => user.name,
  SourceAndObject: ({ object }: AdmissionAttributes) => {
    const event = object as Event | undefined;
    const { component = '', host = '' } = event?.source ?? {};
    const { kind = '', namespace = '', name = '', uid = '', apiVersion = '' } = event?.involvedObject ?? {};
    return [component, host, kind, namespace, name, uid, apiVersion].join('');
  },
};
export const eventLimitTypes = Object.keys(keys) as readonly EventLimit['type'][];

/** https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#eventratelimit */
export function eventRateLimit(limits: readonly EventLimit[], clock: Clock): AdmissionPlugin {
  const limiters = limits.map((limit) => ({ ...limit, buckets: new Buckets(limit, clock) }));
  return {
    name: 'EventRateLimit',
    validate(attributes) {
      const { operation, kind, dryRun } = attributes;
      if ((operation !== 'CREATE' && operation !== 'UPDATE') || dryRun) return;
      // Kubernetes limits the events of the core group alone.
      if (kind.kind !== 'Event' || kind.group !== '') return;
      const faults = limiters.flatMap(({ type, buckets }) => {
        const key = keys[type](attributes);
        return buckets.take(key) ? [] : [`limit reached on type ${type} for key ${key}`];
      });
      if (!faults.length) return;
      const why = faults.length > 1 ? `[${faults.join(', ')}]` : faults[0];
      throw failure(429, 'TooManyRequests', `Too many requests: ${why}`);
    },
  };
}

/** Token buckets by key; the least recently used one is evicted, and starts full again. */
class Buckets {
  readonly #limit: EventLimit;
  readonly #clock: Clock;
  readonly #byKey = new Map<string, { tokens: number; at: number }>();

  constructor(limit: EventLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  take(key: string): boolean {
    const { qps, burst, cacheSize } = this.#limit;
    const now = this.#clock.monotonic();
    const { tokens, at } = this.#byKey.get(key) ?? { tokens: burst, at: now };
    const refilled = Math.min(burst, tokens + ((now - at) / 1_000) * qps);
    const isGiven = refilled >= 1;
    this.#byKey.delete(key);
    if (this.#byKey.size >= (cacheSize || defaultBuckets))
      this.#byKey.delete(this.#byKey.keys().next().value as string);
    this.#byKey.set(key, { tokens: isGiven ? refilled - 1 : refilled, at: now });
    return isGiven;
  }
}
