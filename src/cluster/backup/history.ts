// The past that a store still has: the revision of each time, and how far back it goes.

import { formatTime } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { Compacted, FutureRevision, type Revision, type Store } from '../../store/store.ts';
import { everything } from './content.ts';
import { BackupError } from './folder.ts';

/** A time means the state at most this long before. */
const sampleEveryMs = 2_000;
/** Of samples with a change: two hours of a busy cluster. */
const mostSamples = 3_600;

interface History {
  /** `at` is a revision or an RFC 3339 time. Rejects with BackupError if the store no longer has it. */
  revisionAt(at: string): Promise<Revision>;
  stop(): void;
}

export function recordHistory(store: Store, clock: Clock): History {
  const samples: { ms: number; revision: Revision }[] = [];
  let isStopped = false;
  let timer = clock.after(0, sample, { background: true });
  async function sample() {
    const ms = clock.now();
    const revision = await store.revision().catch(() => undefined);
    // A clock that is set back leaves later samples behind.
    while (samples.length > 0 && samples[samples.length - 1].ms > ms) samples.pop();
    if (revision !== undefined && samples.at(-1)?.revision !== revision) samples.push({ ms, revision });
    if (samples.length > mostSamples) samples.shift();
    if (!isStopped) timer = clock.after(sampleEveryMs, sample, { background: true });
  }
  return {
    async revisionAt(at) {
      const oldest = await oldestRevision(store);
      const dated = samples.find(({ revision }) => revision >= oldest);
      const begin = `the history of the store begins at revision ${oldest}${dated ? `, and times are known from ${formatTime(dated.ms)} on` : ''}`;
      const revision = revisionOf(at, clock.now(), (ms) => samples.findLast((each) => each.ms <= ms)?.revision);
      if (revision === undefined || revision < oldest) throw new BackupError(`${at} is too far back: ${begin}`);
      const newest = await store.revision();
      if (revision > newest) throw new BackupError(`revision ${revision} is not reached yet: the newest is ${newest}`);
      return revision;
    },
    stop() {
      isStopped = true;
      timer.cancel();
    },
  };
}

function revisionOf(
  at: string,
  nowMs: number,
  revisionAtTime: (ms: number) => Revision | undefined,
): Revision | undefined {
  if (/^\d+$/.test(at)) return Number(at);
  const ms = Date.parse(at);
  if (!/^\d{4}-\d\d-\d\dT/.test(at) || Number.isNaN(ms))
    throw new BackupError(
      `"${at}" is neither a revision nor a time: give a number, or a time such as 2026-01-02T15:04:05Z`,
    );
  if (ms > nowMs) throw new BackupError(`${at} is in the future`);
  return revisionAtTime(ms);
}

/** The oldest revision that can be read. */
async function oldestRevision(store: Store): Promise<Revision> {
  const stop = new AbortController();
  try {
    for await (const _ of store.watch(everything, 0, stop.signal)) break;
    return 1;
  } catch (error) {
    if (error instanceof Compacted) return error.compactRevision;
    if (error instanceof FutureRevision) return 1;
    throw error;
  } finally {
    stop.abort();
  }
}
