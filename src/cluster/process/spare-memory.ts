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
/** A collection stops all requests. One that would take longer is left to V8, which works in small steps. */
const longestPauseMs = 150;
/** A thorough collection, which also releases V8's reserved pages, takes so many times as long. */
const thoroughTimes = 3;
/** Pause of a regular one for each byte that stays in use, in ms, until the first one was measured. */
const firstRate = 1 / (1 << 20);
/** The machine may have been busy at the last measure, so it fades, down to the rate of a fast machine. */
const fading = 0.9;
const leastRate = firstRate / 3;
/** Share of the growth of the heap that is expected to stay in use. */
const stayingShare = 0.25;

interface MemorySample {
  /** Resident, in bytes. */
  readonly rss: number;
  /** The used part of V8's heap, in bytes. */
  readonly heapUsed: number;
  /** Of one core, since the last sample. */
  readonly cpuShare: number;
}

/** Whether to collect now; `settledBytes` was resident after the last time. */
export const isWorthwhile = ({ rss, cpuShare }: MemorySample, settledBytes: number): boolean =>
  cpuShare < idleShare && rss - settledBytes > Math.max(worthBytes, settledBytes * worthShare);

/** Checks at intervals until the returned function is called. */
export function collectWhenIdle(clock: Clock): () => void {
  const stopped = new AbortController();
  let settledBytes = 0;
  let rate = firstRate;
  let inUse = process.memoryUsage().heapUsed;
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
    const before = sample();
    const flavor = flavorFor(inUse + (before.heapUsed - inUse) * stayingShare, rate);
    if (isWorthwhile(before, settledBytes) && flavor) {
      const beginMs = clock.monotonic();
      collector()(flavor);
      const pauseMs = clock.monotonic() - beginMs;
      const { rss, heapUsed } = process.memoryUsage();
      inUse = heapUsed;
      rate = Math.max(leastRate, pauseMs / inUse / (flavor === 'last-resort' ? thoroughTimes : 1));
      // After a heap became small, the next look is thorough.
      settledBytes = flavor === 'last-resort' || flavorFor(inUse, rate) !== 'last-resort' ? rss : 0;
      sample(); // excludes the time of the collection
    } else rate = Math.max(leastRate, rate * fading);
    timer = clock.after(periodMs, look, { background: true });
  };
  let timer = clock.after(periodMs, look, { background: true });
  return () => {
    stopped.abort();
    timer.cancel();
  };
}

type Flavor = 'regular' | 'last-resort';

/** The most thorough collection whose pause is short enough; undefined if none is. `rate`: ms for a byte in use. */
export function flavorFor(inUse: number, rate: number): Flavor | undefined {
  const pauseMs = inUse * rate;
  if (pauseMs * thoroughTimes <= longestPauseMs) return 'last-resort';
  return pauseMs <= longestPauseMs ? 'regular' : undefined;
}

let collect: ((flavor: Flavor) => void) | undefined;

function collector(): (flavor: Flavor) => void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as (options: object) => void;
    collect = (flavor) => gc({ type: 'major', execution: 'sync', flavor });
  }
  return collect;
}
