// Starts the repairs of the allocations of services.

import { type ControllerContext, createEventReporter, InformerFactory, runController } from '../../client/client.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import type { Server } from '../server.ts';
import { addressRepair } from './address-repair.ts';
import { PortRepair } from './port-repair.ts';
import { repairEveryMs, repeat } from './repair-interval.ts';

/** The server is not ready before all ports were looked at once. */
const firstAgainMs = 10_000;
/** A stop does not wait longer for a store that does not answer. */
const stopMs = 2_000;

export interface Repairs {
  /** Resolves when all services were looked at once. */
  readonly first: Promise<void>;
  stop(): Promise<void>;
}

/** `context` has the identity of the API server. */
export function startRepairs({ store, config }: Server, context: ControllerContext): Repairs {
  const informers = new InformerFactory(context);
  const [ofAddresses, ofPorts] = ['ipallocator', 'portallocator'].map((allocator) =>
    createEventReporter(context, `${allocator}-repair-controller`),
  );
  const addresses = runController(context, informers, addressRepair(ofAddresses));
  const ports = new PortRepair({ ...context, store, nodePortRange: config.nodePortRange, reporter: ofPorts });
  const portsSeen = Promise.withResolvers<void>();
  let seen = false;
  let again: Timer | undefined;
  const repairPorts = async () => {
    seen = (await ports.run()) || seen;
    if (seen) portsSeen.resolve();
    // Kubernetes' API server would end and be started again.
    else again = context.clock.after(firstAgainMs, start, { background: true });
  };
  let running = Promise.resolve();
  const start = () => {
    again?.cancel();
    running = running.then(repairPorts);
  };
  start();
  const stopPorts = repeat(context.clock, repairEveryMs, start);
  return {
    first: Promise.all([portsSeen.promise, informers.synced()]).then(() => {}),
    async stop() {
      stopPorts();
      again?.cancel();
      const stopAddresses = async () => {
        await addresses.stop();
        await informers.stop();
      };
      const ended = Promise.all([running, stopAddresses(), ofAddresses.stop(), ofPorts.stop()]);
      const over = new AbortController();
      await Promise.race([ended, context.clock.sleep(stopMs, over.signal).catch(() => {})]);
      over.abort();
    },
  };
}
