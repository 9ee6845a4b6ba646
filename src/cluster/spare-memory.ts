// Gives back the memory that a burst of work left behind. V8 collects when it needs room, not when there is time: after
// a burst, garbage and pages in reserve would count as this cluster's memory until the next one.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../machinery/time/clock.ts';

const periodMs = 5_000;
/** Share of one core below which nobody is kept waiting. */
const idleShare = 0.15;
/** What has come to be used since the last time, in bytes and as a share, before it is worth a pause. */
const worthBytes = 48 << 20;
const worthShare = 0.2;
/** A collection takes about a second for a gigabyte: heaps beyond this are left to V8, which works in small steps. */
const largestHeapBytes = 768 << 20;

export interface MemorySample {
  /** Resident, in bytes. */
  readonly rss: number;
  /** What V8 has taken for objects, in bytes. */
  readonly heapTotal: number;
  /** Of one core, since the last sample. */
  readonly cpuShare: number;
}

/** Whether to collect now; `settledBytes` was resident after the last time. */
export const isWorthwhile = ({ rss, heapTotal, cpuShare }: MemorySample, settledBytes: number): boolean =>
  cpuShare < idleShare &&
  heapTotal < largestHeapBytes &&
  rss - settledBytes > Math.max(worthBytes, settledBytes * worthShare);

/** Looks now and then until the returned function is called. */
export function giveBackMemory(clock: Clock): () => void {
  const stopped = new AbortController();
  let settledBytes = 0;
  let cpu = process.cpuUsage();
  let atMs = clock.monotonic();
  const sample = (): MemorySample => {
    const used = process.cpuUsage(cpu);
    const elapsedMs = clock.monotonic() - atMs;
    cpu = process.cpuUsage();
    atMs = clock.monotonic();
    const { rss, heapTotal } = process.memoryUsage();
    return { rss, heapTotal, cpuShare: (used.user + used.system) / 1000 / Math.max(elapsedMs, 1) };
  };
  const look = () => {
    if (stopped.signal.aborted) return;
    if (isWorthwhile(sample(), settledBytes)) {
      collector()();
      settledBytes = process.memoryUsage.rss();
      sample(); // the collection's own time is nobody's work
    }
    timer = clock.after(periodMs, look, { background: true });
  };
  let timer = clock.after(periodMs, look, { background: true });
  return () => {
    stopped.abort();
    timer.cancel();
  };
}

let collect: (() => void) | undefined;

function collector(): () => void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as (options: object) => void;
    // This kind also lets go of the pages that V8 keeps in reserve.
    collect = () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }
  return collect;
}
