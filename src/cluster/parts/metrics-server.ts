// metrics.k8s.io, computed from the usage that kubelets report.

import type { RunningComponent } from '../../client/client.ts';
import { type RunningMetricsServer, startMetricsServer } from '../../metrics-server/metrics-server.ts';
import { componentContext, type PartContext } from '../context.ts';
import { identities } from '../identities.ts';
import { ensureMetricsRoles } from '../objects/bootstrap.ts';
import type { ApiServerPart } from './api-server.ts';

export interface MetricsServerPart extends RunningComponent {
  readonly history: RunningMetricsServer['history'];
}

export async function startMetricsServerPart(context: PartContext, api: ApiServerPart): Promise<MetricsServerPart> {
  await ensureMetricsRoles(api.clientFor(identities.apiServer));
  const client = api.clientFor(identities.metricsServer);
  const server = startMetricsServer(componentContext(context, 'metrics-server', client), {
    localUsage: (node) => context.localUsage.get(node)?.(),
  });
  const withdraw = api.serveComputed(server.resources);
  return {
    history: server.history,
    async stop() {
      withdraw();
      await server.stop();
    },
  };
}
