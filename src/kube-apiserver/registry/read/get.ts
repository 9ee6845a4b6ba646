import { notFound } from '../../../api/api.ts';
import { objectReply, type Reply } from '../../request/reply.ts';
import { futureVersion } from '../../status.ts';
import type { Item } from '../../watch-cache/item.ts';
import { prepareServed, served, sharesBytes } from '../codec.ts';
import type { Place } from '../operation.ts';
import { keyOf } from '../target.ts';
import { parseVersion } from './list-options.ts';

export interface GetOptions {
  /** '': the newest state. */
  readonly resourceVersion: string;
}

export async function get(target: Place, { resourceVersion: version }: GetOptions): Promise<Reply> {
  const { kind, server } = target;
  if (!version) await server.cache.catchUp();
  else await reachVersion(target, parseVersion(version, 'other'));
  const item = itemOf(target);
  await prepareServed(kind, [item]);
  return objectReply(200, served(kind, item), kind, sharesBytes(kind) ? item : undefined);
}

/** The item that the place names, as the cache has it. Throws 404. */
function itemOf({ kind, cache, namespace, name }: Place): Item {
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item;
}

/** The item that the place names, as of now. Throws 404. */
export async function newestItem(place: Place): Promise<Item> {
  await place.server.cache.catchUp();
  return itemOf(place);
}

/** Waits until the cache has `revision`; on timeout throws the 504 that requests a retry. */
export async function reachVersion({ server, cache }: Place, revision: number): Promise<void> {
  if (revision <= server.cache.revision) return;
  const startMs = server.clock.monotonic();
  const isReached = await server.cache.reach(revision);
  cache.series.waited(server.clock.monotonic() - startMs);
  if (!isReached) throw futureVersion(revision, server.cache.revision);
}

/** Waits until the cache has the newest state, for a collection. */
export async function caughtUp({ server, cache }: Place): Promise<void> {
  const startMs = server.clock.monotonic();
  let isFresh = false;
  try {
    await server.cache.catchUp();
    isFresh = true;
  } finally {
    cache.series.waited(server.clock.monotonic() - startMs);
    cache.series.consistentRead(isFresh);
  }
}
