// Serves metrics.k8s.io, the current CPU and memory of nodes and pods, for `kubectl top` and autoscaling. Kubelets are
// read only while clients read the metrics.
// https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/

import type { ComputedResource } from '../api/api.ts';
import type { ComponentContext, RunningComponent } from '../client/client.ts';
import type { UsageSeries } from './history.ts';
import { metricsResources } from './resources.ts';
import { Scraper } from './scraper.ts';

interface MetricsServerConfig {
  /**
   * Usage of a node in this process, as the text of its kubelet's /metrics/resource. Undefined for other nodes: they
   * are read through the API server.
   */
  readonly localUsage?: (node: string) => Promise<string> | undefined;
}

export interface RunningMetricsServer extends RunningComponent {
  /** The caller serves them. */
  readonly resources: readonly ComputedResource[];
  /** Of the last half hour, as far as clients read the metrics in that time. */
  history(resource: 'nodes' | 'pods', namespace: string): readonly UsageSeries[];
}

/** The rights of the component. */
export const metricsServerRules = [
  { apiGroups: [''], resources: ['nodes', 'pods'], verbs: ['get', 'list'] },
  { apiGroups: [''], resources: ['nodes/proxy'], verbs: ['get'] },
];

export function startMetricsServer(
  context: ComponentContext,
  { localUsage }: MetricsServerConfig = {},
): RunningMetricsServer {
  const { client } = context;
  const throughServer = (node: string, signal: AbortSignal) =>
    client.raw<string>('GET', `/api/v1/nodes/${encodeURIComponent(node)}/proxy/metrics/resource`, undefined, {
      signal,
    });
  const scraper = new Scraper(context, (node, signal) => localUsage?.(node) ?? throughServer(node, signal));
  return {
    resources: metricsResources(context, scraper),
    history: (resource, namespace) => scraper.history.read(resource, namespace),
    stop: async () => scraper.stop(),
  };
}
