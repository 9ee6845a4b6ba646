// The recent past of a resource, for the console: how far it goes back, and when it changed. The states and the changes
// themselves are read through the API, at these revisions and with the rights of the reader.

import type { Environment } from '../environment.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import type { CacheEvent } from './resource-cache.ts';

/** A resource, or its objects in a namespace, or one object. */
export interface HistoryPlace {
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Changes at about one time; the revision and the time are those of the last one. */
interface HistoryMark {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  added: number;
  changed: number;
  deleted: number;
}

export interface History {
  /** Older states are evicted. */
  readonly since: { readonly revision: number; readonly timeMs: number };
  readonly now: { readonly revision: number; readonly timeMs: number };
  /** Ascending; neighbours are merged when there would be too many. */
  readonly marks: readonly HistoryMark[];
  /** The state at the requested time, or the oldest one after it. */
  readonly moment?: { readonly revision: number; readonly timeMs: number };
}

const mostMarks = 240;

/** Undefined for a resource that is not stored here. While it is called again and again, history is kept for longer. */
export async function historyOf(server: Environment, place: HistoryPlace, atMs?: number): Promise<History | undefined> {
  const { clock, cache: caches } = server;
  const kind = server.kinds
    .all()
    .find(({ group, resource, virtual }) => group === place.group && resource === place.resource && !virtual);
  if (!kind) return undefined;
  const cache = await cacheOf(server, kind);
  caches.retention.extend(clock.monotonic());
  const timeOf = (revision: number) => caches.times.timeOf(revision) ?? clock.now();
  const oldest = Math.max(cache.oldestRevision, caches.compactedRevision);
  const prefix = place.namespace && kind.namespaced ? `${cache.prefix}${place.namespace}/` : cache.prefix;
  const key = place.name && keyOf(kind, place.namespace ?? '', place.name);
  const events = (cache.eventsAfter(oldest) ?? []).filter(({ item }) =>
    key ? item.key === key : item.key.startsWith(prefix),
  );
  const since = { revision: oldest, timeMs: timeOf(oldest) };
  const now = { revision: caches.revision, timeMs: clock.now() };
  const revision = atMs === undefined ? undefined : caches.times.revisionAt(atMs);
  return {
    ...{ since, now, marks: marksOf(events, timeOf, (now.timeMs - since.timeMs) / mostMarks) },
    ...(atMs !== undefined && {
      moment: revision !== undefined && revision > oldest ? { revision, timeMs: Math.min(atMs, now.timeMs) } : since,
    }),
  };
}

function marksOf(
  events: readonly CacheEvent[],
  timeOf: (revision: number) => number,
  leastMs: number,
): readonly HistoryMark[] {
  const marks: HistoryMark[] = [];
  /** The begin of the last mark. */
  let beginMs = Number.NEGATIVE_INFINITY;
  for (const { revision, type } of events) {
    const timeMs = timeOf(revision);
    const last = marks.at(-1);
    const counts = last && timeMs - beginMs < Math.max(1, leastMs) ? last : { added: 0, changed: 0, deleted: 0 };
    if (counts === last) marks.pop();
    else beginMs = timeMs;
    counts[counted[type]]++;
    marks.push({ ...counts, revision, timeMs });
  }
  return marks;
}

const counted = { ADDED: 'added', MODIFIED: 'changed', DELETED: 'deleted' } as const;
