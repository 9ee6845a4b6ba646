// Reads the manifests again after each change, and at intervals.

import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';

/** Changes in a row are one: editors write another file and rename it. */
const settleMs = 50;
/** Until the place exists. */
const missingRetryMs = 1000;

interface Place {
  readonly place: string;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Calls `read` at once, after each change, and at intervals (`isPeriodic`), until `signal` aborts. */
export async function watchManifests(
  { place, periodMs, clock, logger }: Place,
  signal: AbortSignal,
  read: (isPeriodic: boolean) => Promise<void>,
): Promise<void> {
  let wake = new AbortController();
  const watched = new WatchedDirectory(place, () => wake.abort(), logger);
  let dueMs = clock.monotonic();
  try {
    while (!signal.aborted) {
      wake = new AbortController();
      const isWatched = await watched.follow();
      const isPeriodic = clock.monotonic() + 1 >= dueMs; // timers may be early by less
      if (isPeriodic) dueMs = clock.monotonic() + periodMs;
      await read(isPeriodic);
      const leftMs = Math.max(0, Math.ceil(dueMs - clock.monotonic()));
      const again = AbortSignal.any([signal, wake.signal]);
      await clock.sleep(isWatched ? leftMs : Math.min(leftMs, missingRetryMs), again).catch(() => {});
      if (wake.signal.aborted && !signal.aborted) await clock.sleep(settleMs, signal).catch(() => {});
    }
  } finally {
    watched.close();
  }
}

/** The directory, or that of the file. It may be removed and made again. */
class WatchedDirectory {
  readonly #place: string;
  readonly #changed: () => void;
  readonly #logger: Logger;
  #watcher: FSWatcher | undefined;
  #identity = '';
  #fault = '';

  constructor(place: string, changed: () => void, logger: Logger) {
    this.#place = place;
    this.#changed = changed;
    this.#logger = logger;
  }

  /** Watches the directory that is there now. Resolves with whether there is one. */
  async follow(): Promise<boolean> {
    const found = await stat(this.#place).catch(() => undefined);
    const directory = found?.isDirectory() ? this.#place : path.dirname(this.#place);
    const { dev, ino } = (await stat(directory).catch(() => undefined)) ?? {};
    const identity = `${dev}:${ino}:${directory}`;
    if (ino === undefined) this.close();
    else if (identity !== this.#identity) this.#watch(directory, identity);
    return found !== undefined && this.#watcher !== undefined;
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#identity = '';
  }

  #watch(directory: string, identity: string): void {
    this.close();
    const only = directory === this.#place ? undefined : path.basename(this.#place);
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        const isOurs = only === undefined ? !name?.startsWith('.') : name === null || name === only;
        if (isOurs) this.#changed();
      });
      watcher.on('error', (error) => this.#failed(error));
      this.#watcher = watcher;
      this.#identity = identity;
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /** The reading at intervals must do. */
  #failed(error: Error): void {
    this.close();
    if (error.message !== this.#fault) this.#logger.warn('cannot watch static pods', { error: error.message });
    this.#fault = error.message;
  }
}
