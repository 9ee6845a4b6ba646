// The room's front door. The kubelet registers its node, runs the pods bound to it and reports on both.

import { ignoreNotFound, type Pod } from '../api/api.ts';
import { type ComponentContext, createEventRecorder, createInformer, type RunningComponent } from '../client/client.ts';
import {
  type Cgroups,
  type ContainerRuntime,
  openCgroups,
  removeEmptyParents,
  removePodCgroups,
} from '../container-runtime/container-runtime.ts';
import { must } from '../machinery/must.ts';
import { type KubeletConfig, relistPeriodMs, relistPeriodWithEventsMs } from './config.ts';
import { refuseUnderPressure } from './eviction/admission.ts';
import { Garbage } from './eviction/garbage.ts';
import { watchLocalStorage } from './eviction/local-storage.ts';
import { EvictionManager } from './eviction/manager.ts';
import { sweepFiles } from './files/orphaned-files.ts';
import { ImageManager } from './images/images.ts';
import { rotateLogs } from './logs/log-rotation.ts';
import { realMachine } from './machine/real-machine.ts';
import { simulatedMachine } from './machine/simulated-machine.ts';
import { NodeKeeper } from './node/node.ts';
import { refuse } from './pods/admission.ts';
import { PodCache } from './pods/pod-cache.ts';
import { PodRunner } from './pods/pod-runner.ts';
import { followRuntime } from './pods/runtime-events.ts';
import { ProbeManager } from './probes/probes.ts';
import { PodCgroups } from './resources/pod-cgroups.ts';
import { type KubeletServer, startServer } from './server/server.ts';
import { measured } from './stats/measured-runtime.ts';
import { resourceMetrics } from './stats/stats.ts';
import { StatusManager } from './status/status-manager.ts';
import type { KubeletTools } from './tools.ts';
import { TokenCache } from './volumes/tokens.ts';
import { podUids, unmountVolumes } from './volumes/volumes.ts';

export type { KubeletConfig } from './config.ts';

export interface KubeletDependencies {
  readonly runtime: ContainerRuntime;
  /** The machine's by default; simulated nodes have none. */
  readonly cgroups?: Cgroups;
  /** Certificates of the HTTPS server; undefined: no server (simulated nodes). */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCA: string };
}

export interface RunningKubelet extends RunningComponent {
  readonly port: number;
  /** The text of /metrics/resource. */
  resourceMetrics(): Promise<string>;
}

/** Kubernetes' bounds, in seconds. */
const podStartBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

/** Resolves when the node is registered and the running pods are listed. */
export async function startKubelet(
  context: ComponentContext,
  config: KubeletConfig,
  { runtime: bare, cgroups = config.usesFilesystem ? openCgroups() : undefined, tls }: KubeletDependencies,
): Promise<RunningKubelet> {
  const { client, clock, logger } = context;
  const runtime = measured(bare, context.metrics, clock);
  const stopped = new AbortController();
  const workers = new Map<string, PodRunner>();
  const wake = (uid: string) => workers.get(uid)?.wake();
  const events = createEventRecorder(context, { component: 'kubelet', host: config.nodeName });
  const services = createInformer(context, 'services');
  const cache = new PodCache(runtime, wake);
  const tokens = new TokenCache(client, clock);
  const read = <T>(get: Promise<T>): Promise<T | undefined> => get.catch(ignoreNotFound);
  const starts = context.metrics.histogram(
    'kubelet_pod_start_duration_seconds',
    'Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run',
    podStartBuckets,
  );
  const counted = () => [...workers.values()].filter((w) => w.isCounted).map((w) => w.promised);
  const podCgroups = cgroups && new PodCgroups(cgroups, { config, clock, logger, pods: counted });
  const machine = config.usesFilesystem
    ? realMachine({ config, clock, logger, runtime, ...(podCgroups && { cgroups: podCgroups }) })
    : simulatedMachine(config, runtime);
  const tools: KubeletTools = {
    config,
    client,
    clock,
    logger,
    runtime,
    machine,
    ...(podCgroups && { cgroups: podCgroups }),
    events,
    cache,
    services,
    images: new ImageManager(runtime, clock),
    probes: new ProbeManager(runtime, clock, events, wake),
    statuses: new StatusManager(client, clock, logger),
    configMap: (namespace, name) => read(client.get('configmaps', { namespace, name })),
    secret: (namespace, name) => read(client.get('secrets', { namespace, name })),
    token: (pod, audience, seconds) => tokens.get(pod, audience, seconds),
    podStarted: (seconds) => starts.observe(seconds),
    refuse: (pod) =>
      refuseUnderPressure(pod, eviction.conditions) ??
      refuse(pod, counted(), config, { ...runtime.features, appArmor: machine.hasAppArmor, object: keeper.node }),
    node: () => keeper.node,
    readNode: () => keeper.read(),
  };

  await machine.files.prepare();
  await machine.hostPathVolumes?.start();
  podCgroups?.start();
  const podsHere = () => [...workers.values()].map((w) => w.pod);
  const server: KubeletServer | undefined = tls && (await startServer(tools, podsHere, context.metrics, tls));
  const keeper = new NodeKeeper(
    config,
    { client, clock, logger, runtime, events, pressure: () => eviction.conditions, plegError: () => cache.error },
    server?.port ?? config.port,
  );
  const nodeEvent = keeper.event.bind(keeper);
  const garbage = new Garbage(tools, nodeEvent);
  const eviction = new EvictionManager({
    tools,
    pods: () => [...workers.values()],
    event: nodeEvent,
    reclaimDisk: () => garbage.reclaim([...workers.values()]),
    changed: () =>
      void keeper.refresh().catch((error) => logger.warn('node status not reported', { error: String(error) })),
  });
  await keeper.register();
  await cache.refresh().catch((error) => logger.error('container runtime does not respond', { error: String(error) }));

  const pods = createInformer(context, 'pods', { fieldSelector: `spec.nodeName=${config.nodeName}` });
  const follow = (next: Pod | undefined, old: Pod | undefined) => {
    const { uid } = must(next ?? old, 'object').metadata;
    let worker = workers.get(uid);
    if (!worker) {
      if (!next) return;
      worker = new PodRunner(next, tools, () => {
        workers.delete(uid);
        for (const each of workers.values()) if (each.waitsForResize) each.wake();
      });
      workers.set(uid, worker);
    }
    worker.update(next);
  };
  await Promise.all([services.synced(), pods.synced()]);
  const unfollow = pods.handle(follow);
  const orphans = () => stopOrphans(tools, workers);
  await orphans();

  const loops = [
    relist(tools, stopped.signal, orphans),
    followRuntime(tools, stopped.signal),
    watchOwnNode(context, config, keeper, stopped.signal),
    eviction.run(stopped.signal),
    ...(config.usesFilesystem
      ? [
          rotateLogs(tools, stopped.signal),
          garbage.run(stopped.signal),
          watchLocalStorage(tools, () => [...workers.values()], stopped.signal),
          sweepFiles(tools, (uid) => workers.has(uid) || cache.uids().includes(uid), stopped.signal),
        ]
      : []),
  ];
  keeper.start();
  logger.info('kubelet started', { node: config.nodeName, pods: workers.size });
  return {
    port: server?.port ?? config.port,
    health: () => keeper.error ?? cache.error,
    resourceMetrics: () => resourceMetrics(tools, podsHere()),
    async stop() {
      stopped.abort();
      unfollow();
      await Promise.all([keeper.stop(), pods.stop(), services.stop(), server?.stop()]);
      tools.probes.stop();
      podCgroups?.stop();
      await Promise.all([...workers.values()].map((w) => w.stop()));
      await machine.hostPathVolumes?.stop();
      await tools.statuses.stop();
      await Promise.allSettled([...loops, events.flush()]);
      await runtime.close();
    },
  };
}

/** Removes the mounts and pod cgroups that a stopped kubelet left. */
export async function clearKubelet(rootDirectory: string): Promise<void> {
  const uids = await podUids(rootDirectory);
  for (const uid of uids) removePodCgroups(uid);
  if (uids.length > 0) removeEmptyParents();
  await unmountVolumes(rootDirectory);
}

/** The node's pod range comes shortly after its registration: do not wait for the next report. */
async function watchOwnNode(
  context: ComponentContext,
  config: KubeletConfig,
  keeper: NodeKeeper,
  signal: AbortSignal,
): Promise<void> {
  const node = createInformer(context, 'nodes', { fieldSelector: `metadata.name=${config.nodeName}` });
  let previous = '';
  const stop = node.handle((next) => {
    if (next) keeper.node = next;
    const cidrs = next?.spec?.podCIDRs?.join() ?? '';
    if (cidrs === previous && next) return;
    previous = cidrs;
    keeper.refresh().catch((error) => context.logger.warn('node status not reported', { error: String(error) }));
  });
  await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  stop();
  await node.stop();
}

/** Stops running pods that are not in the API: they were deleted while this kubelet was stopped. */
async function stopOrphans(tools: KubeletTools, workers: Map<string, PodRunner>): Promise<void> {
  for (const uid of tools.cache.uids()) {
    if (workers.has(uid)) continue;
    const [sandbox] = tools.cache.get(uid).sandboxes;
    const { name = 'unknown', namespace = 'unknown' } = sandbox?.config ?? {};
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, uid },
      spec: { containers: [] },
      status: {},
    } as unknown as Pod;
    const worker = new PodRunner(pod, tools, () => workers.delete(uid));
    workers.set(uid, worker);
    worker.update(undefined);
  }
}

/** Lists the runtime's containers at intervals; more often for a runtime without events. */
async function relist(tools: KubeletTools, signal: AbortSignal, orphans: () => Promise<void>): Promise<void> {
  const periodMs = tools.runtime.features.completeEvents ? relistPeriodWithEventsMs : relistPeriodMs;
  while (!signal.aborted) {
    await tools.clock.sleep(periodMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      await tools.cache.refresh();
      await orphans();
    } catch (error) {
      tools.logger.warn('container runtime does not respond', { error: String(error) });
    }
  }
}
