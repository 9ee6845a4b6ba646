// One etcd watch, until its stream ends.

import type { Clock } from '../../machinery/time/clock.ts';
import type { ChangeBatch } from '../change-log.ts';
import { type Change, Compacted, type KeyRange, type Revision } from '../interface.ts';
import { bidiStream, type Endpoint, entryOf, methods, numberOf, type WatchEvent, type WatchResponse } from './proto.ts';

/** Interval of progress requests, so that quiet ranges have a current revision. */
const progressEveryMs = 1_000;

/** Ends when the signal aborts; throws the stream's error, and Compacted. */
export async function* watchEtcd(
  endpoint: Endpoint,
  keys: KeyRange,
  after: Revision,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<ChangeBatch> {
  const stream = bidiStream(endpoint, methods.watch);
  const abort = () => stream.cancel();
  signal.addEventListener('abort', abort, { once: true });
  const ask = () => {
    if (signal.aborted || stream.destroyed) return;
    stream.write({ progressRequest: {} });
    timer = clock.after(progressEveryMs, ask, { background: true });
  };
  let timer = clock.after(progressEveryMs, ask, { background: true });
  stream.write({
    createRequest: {
      key: Buffer.from(keys.start || '\0'),
      rangeEnd: Buffer.from(keys.end),
      startRevision: after + 1,
      progressNotify: true,
      prevKv: true,
    },
  });
  try {
    let seen = after;
    /** The last report, if no change arrived since. */
    let reported: Revision | undefined;
    for await (const answer of stream as AsyncIterable<WatchResponse>) {
      if (answer.canceled) throw cancellation(answer);
      if (answer.created) continue;
      const changes = answer.events.map(changeOf);
      if (changes.length > 0) {
        reported = undefined;
        seen = Math.max(seen, revisionOf(changes.at(-1) as Change));
        yield { changes, revision: seen };
        continue;
      }
      // etcd before 3.4.25 and 3.5.8 may report progress before the changes that it includes. Those are sent before the
      // next report, so the first of two reports without a change in between is true.
      const confirmed = reported;
      reported = numberOf(answer.header.revision);
      if (confirmed === undefined || confirmed <= seen) continue;
      seen = confirmed;
      yield { changes, revision: seen };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', abort);
    stream.on('error', () => {});
    stream.cancel();
  }
}

function cancellation(answer: WatchResponse): Error {
  const compacted = numberOf(answer.compactRevision);
  return compacted > 0 ? new Compacted(compacted) : new Error(`etcd ended the watch: ${answer.cancelReason}`);
}

const revisionOf = (change: Change): Revision => (change.type === 'put' ? change.entry.modRevision : change.revision);

function changeOf(event: WatchEvent): Change {
  const previous = event.prevKv ? { previous: entryOf(event.prevKv) } : {};
  if (event.type === 0) return { type: 'put', entry: entryOf(event.kv), ...previous };
  const { key, modRevision } = entryOf(event.kv);
  return { type: 'delete', key, revision: modRevision, ...previous };
}
