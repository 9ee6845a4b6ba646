// Metrics of the store and of the watch caches, by resource.

import { type KindRegistry, resourceKey } from '../../api/api.ts';
import { type CounterSeries, type HistogramSeries, type Metrics, perRegistry } from '../../machinery/metrics.ts';

const requestSeconds = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const waitSeconds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3];

const storeMetrics = (metrics: Metrics) => ({
  requests: metrics.counter('etcd_requests_total', 'Etcd request counts for each operation and object type.'),
  requestErrors: metrics.counter(
    'etcd_request_errors_total',
    'Etcd failed request counts for each operation and object type.',
  ),
  requestDuration: metrics.histogram(
    'etcd_request_duration_seconds',
    'Etcd request latency in seconds for each operation and object type.',
    requestSeconds,
  ),
  storeEvents: metrics.counter(
    'apiserver_storage_events_received_total',
    'Number of etcd events received split by kind.',
  ),
  leaseObjects: metrics
    .histogram(
      'etcd_lease_object_counts',
      'Number of objects attached to a single etcd lease.',
      [10, 50, 100, 500, 1_000, 2_500, 5_000],
    )
    .at(),
  storeLists: metrics.counter('apiserver_storage_list_total', 'Number of LIST requests served from storage'),
  storeListsFetched: metrics.counter(
    'apiserver_storage_list_fetched_objects_total',
    'Number of objects read from storage in the course of serving a LIST request',
  ),
  storeListsEvaluated: metrics.counter(
    'apiserver_storage_list_evaluated_objects_total',
    'Number of objects tested in the course of serving a LIST request from storage',
  ),
  storeListsReturned: metrics.counter(
    'apiserver_storage_list_returned_objects_total',
    'Number of objects returned for a LIST request from storage',
  ),
});

const cacheMetrics = (metrics: Metrics) => ({
  received: metrics.counter(
    'apiserver_watch_cache_events_received_total',
    'Counter of events received in watch cache broken by resource type.',
  ),
  dispatched: metrics.counter(
    'apiserver_watch_cache_events_dispatched_total',
    'Counter of events dispatched in watch cache broken by resource type.',
  ),
  initializations: metrics.counter(
    'apiserver_watch_cache_initializations_total',
    'Counter of watch cache initializations broken by resource type.',
  ),
  readWait: metrics.histogram(
    'apiserver_watch_cache_read_wait_seconds',
    'Histogram of time spent waiting for a watch cache to become fresh.',
    waitSeconds,
  ),
  consistentReads: metrics.counter(
    'apiserver_watch_cache_consistent_read_total',
    'Counter for consistent reads from cache.',
  ),
  cacheLists: metrics.counter('apiserver_cache_list_total', 'Number of LIST requests served from watch cache'),
  cacheListsFetched: metrics.counter(
    'apiserver_cache_list_fetched_objects_total',
    'Number of objects read from watch cache in the course of serving a LIST request',
  ),
  cacheListsReturned: metrics.counter(
    'apiserver_cache_list_returned_objects_total',
    'Number of objects returned for a LIST request from watch cache',
  ),
});

export const storageMetrics = perRegistry((metrics) => ({ ...storeMetrics(metrics), ...cacheMetrics(metrics) }));

/** Kubernetes' names. */
export type StoreOperation = 'create' | 'update' | 'delete' | 'list';

/** The series of one resource. */
export class StorageSeries {
  readonly #metrics: ReturnType<typeof storageMetrics>;
  readonly #labels: { readonly group: string; readonly resource: string };
  readonly #operations = new Map<StoreOperation, { total: CounterSeries; duration: HistogramSeries }>();
  readonly #storeEvents: CounterSeries;
  readonly #received: CounterSeries;
  readonly #cacheLists: CounterSeries;
  readonly #cacheListsFetched: CounterSeries;
  readonly #cacheListsReturned: CounterSeries;
  readonly #readWait: HistogramSeries;
  readonly #freshReads: CounterSeries;
  readonly dispatched: CounterSeries;
  readonly initializations: CounterSeries;

  constructor(metrics: ReturnType<typeof storageMetrics>, labels: { group: string; resource: string }) {
    this.#metrics = metrics;
    this.#labels = labels;
    this.#storeEvents = metrics.storeEvents.at(labels);
    this.#received = metrics.received.at(labels);
    // Lists are not served from an index.
    this.#cacheLists = metrics.cacheLists.at({ ...labels, index: '' });
    this.#cacheListsFetched = metrics.cacheListsFetched.at({ ...labels, index: '' });
    this.#cacheListsReturned = metrics.cacheListsReturned.at(labels);
    this.#readWait = metrics.readWait.at(labels);
    this.#freshReads = metrics.consistentReads.at({ ...labels, fallback: 'false', success: 'true' });
    this.dispatched = metrics.dispatched.at(labels);
    this.initializations = metrics.initializations.at(labels);
  }

  eventReceived(): void {
    this.#storeEvents.add();
    this.#received.add();
  }

  asked(operation: StoreOperation, ms: number, hasFailed: boolean): void {
    let series = this.#operations.get(operation);
    if (!series) {
      const labels = { operation, ...this.#labels };
      series = { total: this.#metrics.requests.at(labels), duration: this.#metrics.requestDuration.at(labels) };
      this.#operations.set(operation, series);
    }
    series.total.add();
    series.duration.observe(ms / 1_000);
    if (hasFailed) this.#metrics.requestErrors.add(1, { operation, ...this.#labels });
  }

  listedFromStore(objects: number): void {
    this.#metrics.storeLists.add(1, this.#labels);
    for (const counter of ['storeListsFetched', 'storeListsEvaluated', 'storeListsReturned'] as const)
      this.#metrics[counter].add(objects, this.#labels);
  }

  listedFromCache(fetched: number, returned: number): void {
    this.#cacheLists.add();
    this.#cacheListsFetched.add(fetched);
    this.#cacheListsReturned.add(returned);
  }

  waited(ms: number): void {
    this.#readWait.observe(ms / 1_000);
  }

  consistentRead(isFresh: boolean): void {
    if (isFresh) this.#freshReads.add();
    else this.#metrics.consistentReads.add(1, { ...this.#labels, fallback: 'false', success: 'false' });
  }
}

/** Finds the series of resources by the prefix of their keys, such as /registry/pods/. */
export function storageSeries({ metrics, kinds }: { readonly metrics: Metrics; readonly kinds: KindRegistry }) {
  const families = storageMetrics(metrics);
  const byResource = new Map<string, StorageSeries>();
  return (prefix: string): StorageSeries => {
    const stored = prefix.slice('/registry/'.length, -1);
    const kind = kinds.all().find(({ storagePrefix }) => storagePrefix === stored);
    const { group = '', resource = stored } = kind ?? {};
    const key = resourceKey(resource, group);
    let series = byResource.get(key);
    if (!series) byResource.set(key, (series = new StorageSeries(families, { group, resource })));
    return series;
  };
}
