// Deletes the ResourceSlices of drivers that do not run any more: the scheduler must not choose this node for devices
// that no driver can prepare.

import type { Client } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';

/** A driver that is gone may come again within this time: enough to replace its pod. */
const wipingDelayMs = 30_000;
const firstRetryMs = 1_000;
const longestRetryMs = 5 * 60_000;

interface WiperTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
}

export class SliceWiper {
  readonly #tools: WiperTools;
  readonly #pending = new Map<string, Timer>();
  readonly #stopped = new AbortController();

  constructor(tools: WiperTools) {
    this.#tools = tools;
  }

  /** At the kubelet's start no driver is registered. Drivers that run publish their slices again. */
  start(): void {
    void this.#wipe();
  }

  stop(): void {
    this.#stopped.abort();
    for (const timer of this.#pending.values()) timer.cancel();
    this.#pending.clear();
  }

  usable(driver: string): void {
    this.#pending.get(driver)?.cancel();
    this.#pending.delete(driver);
  }

  /** The first time counts, until the driver is usable again. */
  unusable(driver: string): void {
    if (this.#pending.has(driver) || this.#stopped.signal.aborted) return;
    const timer = this.#tools.clock.after(wipingDelayMs, () => {
      this.#pending.delete(driver);
      void this.#wipe(driver);
    });
    this.#pending.set(driver, timer);
  }

  /** Retries until it is done. */
  async #wipe(driver?: string): Promise<void> {
    const { client, clock, logger, nodeName } = this.#tools;
    const { signal } = this.#stopped;
    const fieldSelector = [`spec.nodeName=${nodeName}`, ...(driver ? [`spec.driver=${driver}`] : [])].join();
    for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      try {
        return await client.deleteCollection('resourceslices', { fieldSelector });
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('resource slices not deleted, trying again', { fieldSelector, error: (error as Error).message });
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }
}
