// The kubelet's part of CSI, put together: drivers, their facts about the node, and the volumes of pods.

import type { CSIDriver } from '../../api/api.ts';
import { type ComponentContext, createInformer, type EventRecorder, type Informer } from '../../client/client.ts';
import type { PluginHandler } from '../plugins/plugin-registry.ts';
import type { KubeletTools } from '../tools.ts';
import { CsiNodeKeeper } from './csi-node.ts';
import { CsiPaths } from './csi-volume.ts';
import { CsiVolumes } from './csi-volumes.ts';
import { CsiDrivers } from './drivers.ts';
import { CsiRecords } from './records.ts';
import { Turns } from './turns.ts';

export interface Csi {
  readonly volumes: CsiVolumes;
  /** Of plugins of type CSIPlugin. */
  readonly handler: PluginHandler;
  /** Why the node is not ready for volumes of drivers. */
  problem(): string | undefined;
  /** Runs until `signal` aborts. The node must be registered. */
  run(signal: AbortSignal): Promise<void>;
}

interface CsiParts extends Pick<KubeletTools, 'config' | 'secret' | 'token' | 'node'> {
  readonly context: ComponentContext;
  readonly events: EventRecorder;
  reportNode(): Promise<void>;
}

export function makeCsi({ context, config, events, secret, token, node, reportNode }: CsiParts): Csi {
  const { client, clock, logger, metrics } = context;
  const { nodeName, rootDirectory } = config;
  const ready = () =>
    void reportNode().catch((error) => logger.warn('node status not reported', { error: String(error) }));
  const keeper = new CsiNodeKeeper({ client, clock, logger, nodeName, ready });
  const limits = new LimitUpdates();
  const drivers = new CsiDrivers({
    clock,
    metrics,
    rootDirectory,
    objects: keeper,
    changed: (name) => limits.changed(name),
  });
  let objects: Informer<CSIDriver> | undefined;
  const synced = Promise.withResolvers<void>();
  const volumes = new CsiVolumes({
    ...{ client, clock, logger, events, nodeName, drivers, secret, token, node, reportNode },
    ...{ paths: new CsiPaths(rootDirectory), records: new CsiRecords(), turns: new Turns(clock) },
    driverObject: (name) => objects?.get(name),
    synced: synced.promise,
  });
  return {
    volumes,
    handler: drivers,
    problem: () => keeper.problem,
    async run(signal) {
      const informer = createInformer(context, 'csidrivers');
      objects = informer;
      void informer.synced().then(() => synced.resolve());
      const written = keeper.start(signal);
      volumes.start();
      const measured = volumes.stats.run(signal);
      const end = limits.follow(informer, { clock, drivers, logger }, signal);
      await new Promise<void>((done) => {
        if (signal.aborted) done();
        signal.addEventListener('abort', () => done(), { once: true });
      });
      end();
      await Promise.all([written, measured, volumes.stop(), informer.stop()]);
    },
  };
}

type LimitTools = Pick<ComponentContext, 'clock' | 'logger'> & { readonly drivers: CsiDrivers };

/** Asks drivers at intervals how many volumes the node can have, if their objects request it. */
class LimitUpdates {
  #apply: (name: string) => void = () => {};
  readonly #running = new Map<string, AbortController>();

  changed(name: string): void {
    this.#apply(name);
  }

  /** Returns how to stop. */
  follow(objects: Informer<CSIDriver>, { clock, drivers, logger }: LimitTools, signal: AbortSignal): () => void {
    const update = async (name: string, periodMs: number, ended: AbortSignal) => {
      for (;;) {
        await clock.sleep(periodMs, ended);
        await drivers.refresh(name).catch((error) => {
          logger.warn('volume limit of a CSI driver not updated', { driver: name, error: String(error) });
        });
      }
    };
    this.#apply = (name) => {
      this.#running.get(name)?.abort();
      this.#running.delete(name);
      const seconds = objects.get(name)?.spec.nodeAllocatableUpdatePeriodSeconds ?? 0;
      if (seconds <= 0 || !drivers.has(name)) return;
      const ended = new AbortController();
      this.#running.set(name, ended);
      void update(name, seconds * 1000, AbortSignal.any([ended.signal, signal])).catch(() => {});
    };
    const unfollow = objects.handle((next, old) => {
      const period = (object: CSIDriver | undefined) => object?.spec.nodeAllocatableUpdatePeriodSeconds ?? 0;
      const name = (next ?? old)?.metadata.name;
      if (name && period(next) !== period(old)) this.#apply(name);
    });
    return () => {
      unfollow();
      for (const each of this.#running.values()) each.abort();
    };
  }
}
