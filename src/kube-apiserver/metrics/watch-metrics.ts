// Metrics of watches, by the kind that is watched.

import type { Kind } from '../../api/api.ts';
import { type CounterSeries, exponentialBuckets, type HistogramSeries, perRegistry } from '../../machinery/metrics.ts';
import type { Environment } from '../environment.ts';

const listSeconds = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60];

export const watchMetrics = perRegistry((metrics) => ({
  events: metrics.counter('apiserver_watch_events_total', 'Number of events sent in watch clients'),
  sizes: metrics.histogram(
    'apiserver_watch_events_sizes',
    'Watch event size distribution in bytes',
    exponentialBuckets(1024, 2, 8),
  ),
  lists: metrics.histogram(
    'apiserver_watch_list_duration_seconds',
    'Response latency distribution in seconds for watch list requests broken by group, version, resource and scope.',
    listSeconds,
  ),
  byKind: new WeakMap<Kind, WatchSeries>(),
}));

interface WatchSeries {
  readonly events: CounterSeries;
  readonly sizes: HistogramSeries;
}

/** Of events that are sent over a connection. */
export function watchSeries({ metrics }: Pick<Environment, 'metrics'>, kind: Kind): WatchSeries {
  const { events, sizes, byKind } = watchMetrics(metrics);
  let series = byKind.get(kind);
  if (!series) {
    const { group, version, resource } = kind;
    const labels = { group, version, resource };
    byKind.set(kind, (series = { events: events.at(labels), sizes: sizes.at(labels) }));
  }
  return series;
}
