// The work of a kubelet that goes on until it stops.

import { type ComponentContext, createInformer } from '../client/client.ts';
import { relistPeriodMs, relistPeriodWithEventsMs } from './config.ts';
import { Garbage } from './eviction/garbage.ts';
import { watchLocalStorage } from './eviction/local-storage.ts';
import { EvictionManager } from './eviction/manager.ts';
import type { NodePressure } from './eviction/node-pressure.ts';
import { sweepFiles } from './files/orphaned-files.ts';
import { rotateLogs } from './logs/log-rotation.ts';
import type { RealParts } from './make-tools.ts';
import type { NodeKeeper } from './node/node.ts';
import type { PluginHandler } from './plugins/plugin-registry.ts';
import { runPlugins } from './plugins/run-plugins.ts';
import type { PodWorkers } from './pods/pod-workers.ts';
import { followRuntime } from './pods/runtime-events.ts';
import type { KubeletTools } from './tools.ts';

interface LoopParts {
  readonly context: ComponentContext;
  readonly tools: KubeletTools;
  readonly keeper: NodeKeeper;
  readonly pressure: NodePressure;
  readonly workers: PodWorkers;
  /** Absent on simulated nodes. */
  readonly real?: RealParts;
  /** All sources of pods are read: other pods that run are orphans. */
  readonly arePodsRead: () => boolean;
}

/** Starts the loops: each promise resolves some time after `signal` aborts. */
type Start = (signal: AbortSignal) => readonly Promise<void>[];

interface Loops {
  /** Follows the runtime; needs no API. */
  readonly runtime: Start;
  /** From the registration of the node. */
  readonly rest: Start;
}

/** Throws an Error for invalid eviction thresholds. */
export function loopsOf(parts: LoopParts): Loops {
  const { tools } = parts;
  return { runtime: (signal) => [relist(parts, signal), followRuntime(tools, signal)], rest: restOf(parts) };
}

function restOf(parts: LoopParts): Start {
  const { tools, keeper, pressure, workers } = parts;
  const { cache, logger, config } = tools;
  const event = keeper.event.bind(keeper);
  const garbage = new Garbage(tools, event);
  const eviction = new EvictionManager({
    tools,
    pressure,
    pods: () => workers.all(),
    event,
    reclaimDisk: () => garbage.reclaim(workers.all()),
    changed: () =>
      void keeper.refresh().catch((error) => logger.warn('node status not reported', { error: String(error) })),
  });
  const always: Start = (signal) => [watchOwnNode(parts, signal), eviction.run(signal)];
  if (!parts.real) return always;
  const { csi, devices, dynamicResources, resources } = parts.real;
  const handlers = new Map<string, PluginHandler>([
    ['CSIPlugin', csi.handler],
    ['DevicePlugin', devices],
    ['DRAPlugin', dynamicResources.handler],
  ]);
  return (signal) => [
    ...always(signal),
    csi.run(signal),
    dynamicResources.run(signal),
    resources.run(signal),
    runPlugins(config.rootDirectory, handlers, tools, signal),
    rotateLogs(tools, signal),
    garbage.run(signal),
    watchLocalStorage(tools, () => workers.all(), signal),
    sweepFiles(tools, (uid) => workers.has(uid) || cache.uids().includes(uid), signal),
  ];
}

/** The node's pod range comes shortly after its registration: do not wait for the next report. */
async function watchOwnNode({ context, tools, keeper }: LoopParts, signal: AbortSignal): Promise<void> {
  const { logger, config } = tools;
  const node = createInformer(context, 'nodes', { fieldSelector: `metadata.name=${config.nodeName}` });
  let previous = '';
  const stop = node.handle((next) => {
    if (next) keeper.node = next;
    const cidrs = next?.spec?.podCIDRs?.join() ?? '';
    if (cidrs === previous && next) return;
    previous = cidrs;
    keeper.refresh().catch((error) => logger.warn('node status not reported', { error: String(error) }));
  });
  await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  stop();
  await node.stop();
}

/** Lists the runtime's containers at intervals; more often for a runtime without events. */
async function relist({ tools, workers, arePodsRead }: LoopParts, signal: AbortSignal): Promise<void> {
  const periodMs = tools.runtime.features.completeEvents ? relistPeriodWithEventsMs : relistPeriodMs;
  while (!signal.aborted) {
    await tools.clock.sleep(periodMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      await tools.cache.refresh();
      if (arePodsRead()) workers.stopOrphans(tools);
    } catch (error) {
      tools.logger.warn('container runtime does not respond', { error: String(error) });
    }
  }
}
