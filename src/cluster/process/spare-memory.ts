// Collects garbage after a burst of work. V8 collects when it needs space, not when it is idle: otherwise garbage and
// reserved pages would count as this cluster's memory until the next burst.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../../machinery/time/clock.ts';

const periodMs = 5_000;
/** Share of one core below which the process is idle. */
const idleShare = 0.15;
/** Growth since the last collection, in bytes and as a share, that justifies a pause. */
const worthBytes = 48 << 20;
const worthShare = 0.2;
/** A collection stops all requests, for 200 ms with this much: larger heaps are left to V8, which works in small steps. */
const largestUsedBytes = 384 << 20;
/** A thorough collection, which also releases V8's reserved pages, takes three times as long. */
const largestThoroughBytes = 128 << 20;

export interface MemorySample {
  /** Resident, in bytes. */
  readonly rss: number;
  /** The used part of V8's heap, in bytes. */
  readonly heapUsed: number;
  /** Of one core, since the last sample. */
  readonly cpuShare: number;
}

/** Whether to collect now; `settledBytes` was resident after the last time. */
export const isWorthwhile = ({ rss, heapUsed, cpuShare }: MemorySample, settledBytes: number): boolean =>
  cpuShare < idleShare &&
  heapUsed < largestUsedBytes &&
  rss - settledBytes > Math.max(worthBytes, settledBytes * worthShare);

/** Checks at intervals until the returned function is called. */
export function collectWhenIdle(clock: Clock): () => void {
  const stopped = new AbortController();
  let settledBytes = 0;
  let cpu = process.cpuUsage();
  let atMs = clock.monotonic();
  const sample = (): MemorySample => {
    const used = process.cpuUsage(cpu);
    const elapsedMs = clock.monotonic() - atMs;
    cpu = process.cpuUsage();
    atMs = clock.monotonic();
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heapUsed, cpuShare: (used.user + used.system) / 1000 / Math.max(elapsedMs, 1) };
  };
  const look = () => {
    if (stopped.signal.aborted) return;
    if (isWorthwhile(sample(), settledBytes)) {
      const isThorough = process.memoryUsage().heapUsed <= largestThoroughBytes;
      collector()(isThorough ? 'last-resort' : 'regular');
      const { rss, heapUsed } = process.memoryUsage();
      // After a heap became small, the next look is thorough.
      settledBytes = isThorough || heapUsed > largestThoroughBytes ? rss : 0;
      sample(); // excludes the time of the collection
    }
    timer = clock.after(periodMs, look, { background: true });
  };
  let timer = clock.after(periodMs, look, { background: true });
  return () => {
    stopped.abort();
    timer.cancel();
  };
}

type Flavor = 'regular' | 'last-resort';

let collect: ((flavor: Flavor) => void) | undefined;

function collector(): (flavor: Flavor) => void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as (options: object) => void;
    collect = (flavor) => gc({ type: 'major', execution: 'sync', flavor });
  }
  return collect;
}
