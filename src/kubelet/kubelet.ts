// The room's front door. The kubelet registers its node, runs the pods bound to it and reports on both.

import type { ComponentContext, RunningComponent } from '../client/client.ts';
import { type ContainerRuntime, removeEmptyParents, removePodCgroups } from '../container-runtime/container-runtime.ts';
import type { KubeletConfig } from './config.ts';
import { loopsOf } from './loops.ts';
import { makeTools } from './make-tools.ts';
import { servePodResources } from './pod-resources/pod-resources.ts';
import { PodWorkers } from './pods/pod-workers.ts';
import { startServer } from './server/server.ts';
import { NodePods } from './static-pods/node-pods.ts';
import { podCounts } from './stats/pod-counts.ts';
import { resourceMetrics } from './stats/stats.ts';
import type { KubeletTools } from './tools.ts';
import { podUids, unmountVolumes } from './volumes/volumes.ts';

export type { KubeletConfig } from './config.ts';
export { parseKubeletConfiguration } from './configuration.ts';
export { readBeneath } from './files/safe-path.ts';
export { parseCredentialProviders } from './images/credential-config.ts';
export { machineHugePages } from './resource-managers/huge-pages.ts';

interface KubeletDependencies {
  readonly runtime: ContainerRuntime;
  /** Certificates of the HTTPS server; undefined: no server (simulated nodes). */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCA: string };
}

export interface RunningKubelet extends RunningComponent {
  readonly port: number;
  /** The text of /metrics/resource. */
  resourceMetrics(): Promise<string>;
}

/** Resolves when the node is registered and the running pods are listed. */
export async function startKubelet(
  context: ComponentContext,
  config: KubeletConfig,
  { runtime, tls }: KubeletDependencies,
): Promise<RunningKubelet> {
  const { logger } = context;
  const workers = new PodWorkers();
  const made = makeTools(context, config, runtime, workers);
  const { tools, keeper, services } = made;
  const { machine, cache } = tools;
  const sources = new NodePods({ context, workers, ...made });
  const start = loopsOf({ context, workers, ...made, arePodsRead: () => sources.areRead });
  const stopped = new AbortController();
  await machine.files.prepare();
  await machine.hostPathVolumes?.start();
  await tools.csi?.recover();
  await tools.devices?.start();
  await tools.resources?.start();
  await tools.dynamicResources?.start();
  const podResources = await servePodResourcesOf(tools, workers);
  tools.cgroups?.start();
  const counts = () => workers.all().map((worker) => worker.counted);
  const metricsText = () => context.metrics.text() + podCounts(counts(), made.mirrors.size);
  const server = tls && (await startServer(tools, () => workers.pods(), { text: metricsText }, tls));
  const port = server?.port ?? config.port;
  await cache.refresh().catch((error) => logger.error('container runtime does not respond', { error: String(error) }));
  const loops = [...start.runtime(stopped.signal), ...(await sources.followManifests(stopped.signal))];
  await keeper.register(port);
  await sources.followApi(services.synced());
  loops.push(...start.rest(stopped.signal));
  keeper.start();
  logger.info('kubelet started', { node: config.nodeName, pods: workers.size });
  return {
    port,
    health: () => keeper.error ?? cache.error,
    resourceMetrics: () => resourceMetrics(tools, workers.pods()),
    async stop() {
      stopped.abort();
      await Promise.all([keeper.stop(), sources.stop(), services.stop(), server?.stop()]);
      tools.probes.stop();
      tools.cgroups?.stop();
      // Together: a worker may wait for a status that the API does not take.
      await Promise.all([workers.stop(), tools.statuses.stop()]);
      await Promise.all([machine.hostPathVolumes?.stop(), tools.devices?.stop(), podResources?.stop()]);
      await Promise.allSettled([...loops, tools.events.flush()]);
      await tools.runtime.close();
    },
  };
}

/** Simulated nodes have none. */
function servePodResourcesOf({ config, devices, dynamicResources, resources }: KubeletTools, workers: PodWorkers) {
  if (!devices || !resources) return undefined;
  return servePodResources(config.rootDirectory, {
    activePods: () => workers.active(),
    ...{ devices: devices.state, resources },
    claimsOf: (pod, container) => dynamicResources?.claimsOf(pod, container) ?? [],
  });
}

/** Removes the mounts and pod cgroups that a stopped kubelet left. */
export async function clearKubelet(rootDirectory: string): Promise<void> {
  const uids = await podUids(rootDirectory);
  for (const uid of uids) removePodCgroups(uid);
  if (uids.length > 0) removeEmptyParents();
  await unmountVolumes(rootDirectory);
}
