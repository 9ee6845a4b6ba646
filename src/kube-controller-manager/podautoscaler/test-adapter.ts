// For tests: the metrics APIs of adapters. A test sets their values.

import type { Client } from '../../client/client.ts';
import { timestamp } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Extension } from '../shared/test-cluster.ts';

interface Cluster {
  readonly client: Client;
  readonly clock: Clock;
}

const podsPath = '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods';
const custom = '/apis/custom.metrics.k8s.io';
const versions = [{ version: 'v1beta1' }, { version: 'v1beta2' }];

export class TestAdapter {
  /** Thousandths of a core that all pods use together; undefined: the API does not exist. */
  load: number | undefined;
  /** Value of the custom metric `requests` for each pod. */
  requests: string | undefined;
  /** Value of the custom metric `hits` of the ingress `main`. */
  hits: string | undefined;
  /** Values of the external metric `queue`. */
  queue: readonly string[] | undefined;
  /** Paths with queries. */
  readonly asked: string[] = [];
  cluster!: Cluster;

  readonly answer: Extension = async ({ path, query }) => {
    if (!path.includes('metrics.k8s.io')) return undefined;
    this.asked.push(path + (query ? `?${decodeURIComponent(`${new URLSearchParams(query)}`)}` : ''));
    const body = await this.#body(path);
    return body && { code: 200, body: { kind: 'MetricValueList', metadata: {}, ...body } };
  };

  async #body(path: string): Promise<object | undefined> {
    const { load, requests, hits, queue, cluster } = this;
    const now = timestamp(cluster.clock.now());
    const named = (name: string, value: string) => ({ describedObject: { name }, timestamp: now, value });
    const pods = async () =>
      (await cluster.client.list('pods', { namespace: 'default' })).items
        .filter(({ metadata }) => !metadata.deletionTimestamp)
        .map(({ metadata }) => metadata.name);
    switch (path) {
      case podsPath:
        return load === undefined ? undefined : { kind: 'PodMetricsList', items: usage(await pods(), load, now) };
      case custom:
        return requests === undefined && hits === undefined ? undefined : { versions, preferredVersion: versions[0] };
      case `${custom}/v1beta2/namespaces/default/pods/*/requests`:
        return requests === undefined ? undefined : { items: (await pods()).map((name) => named(name, requests)) };
      case `${custom}/v1beta2/namespaces/default/ingresses.networking.k8s.io/main/hits`:
        return hits === undefined ? undefined : { items: [named('main', hits)] };
      case '/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue':
        return queue && { items: queue.map((value) => ({ metricName: 'queue', timestamp: now, value })) };
      default:
        return undefined;
    }
  }
}

const usage = (pods: readonly string[], load: number, now: string) =>
  pods.map((name) => ({
    metadata: { name, namespace: 'default' },
    timestamp: now,
    window: '15s',
    containers: [{ name: 'c', usage: { cpu: `${Math.round(load / pods.length)}m`, memory: '64Mi' } }],
  }));
