// Metrics of a work queue, under the names of client-go.

import { exponentialBuckets, type Metrics, perRegistry } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';

const buckets = exponentialBuckets(10e-9, 10, 10);

const families = perRegistry((metrics) => ({
  depth: metrics.gauge('workqueue_depth', 'Current depth of workqueue'),
  adds: metrics.counter('workqueue_adds_total', 'Total number of adds handled by workqueue'),
  waited: metrics.histogram(
    'workqueue_queue_duration_seconds',
    'How long in seconds an item stays in workqueue before being requested.',
    buckets,
  ),
  worked: metrics.histogram(
    'workqueue_work_duration_seconds',
    'How long in seconds processing an item from workqueue takes.',
    buckets,
  ),
  unfinished: metrics.gauge(
    'workqueue_unfinished_work_seconds',
    "How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this increases.",
  ),
  longest: metrics.gauge(
    'workqueue_longest_running_processor_seconds',
    'How many seconds has the longest running processor for workqueue been running.',
  ),
  retries: metrics.counter('workqueue_retries_total', 'Total number of retries handled by workqueue'),
}));

export interface WorkQueueMetrics {
  /** Reads the number of waiting keys when metrics are read. */
  follow(length: () => number): void;
  added(key: string): void;
  begun(key: string): void;
  ended(key: string): void;
  retried(): void;
  close(): void;
}

/** `name`: of the controller. */
export function workQueueMetrics(metrics: Metrics, clock: Clock, name: string): WorkQueueMetrics {
  const labels = { name };
  const { depth, adds, waited, worked, unfinished, longest, retries } = families(metrics);
  const [addsOf, waitedOf, workedOf] = [adds.at(labels), waited.at(labels), worked.at(labels)];
  const retriesOf = retries.at(labels);
  const addedAtMs = new Map<string, number>();
  const begunAtMs = new Map<string, number>();
  let lengthOf = () => 0;
  const stopCollecting = metrics.onCollect(() => {
    const now = clock.monotonic();
    const seconds = [...begunAtMs.values()].map((ms) => (now - ms) / 1_000);
    depth.set(lengthOf(), labels);
    unfinished.set(
      seconds.reduce((sum, each) => sum + each, 0),
      labels,
    );
    longest.set(Math.max(0, ...seconds), labels);
  });
  return {
    follow(length) {
      lengthOf = length;
    },
    added(key) {
      addsOf.add();
      addedAtMs.set(key, clock.monotonic());
    },
    begun(key) {
      const now = clock.monotonic();
      waitedOf.observe((now - (addedAtMs.get(key) ?? now)) / 1_000);
      addedAtMs.delete(key);
      begunAtMs.set(key, now);
    },
    ended(key) {
      workedOf.observe((clock.monotonic() - (begunAtMs.get(key) ?? clock.monotonic())) / 1_000);
      begunAtMs.delete(key);
    },
    retried: () => retriesOf.add(),
    close: stopCollecting,
  };
}
