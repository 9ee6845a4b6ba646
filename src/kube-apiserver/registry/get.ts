import { notFound } from '../../api/api.ts';
import { objectReply, type Reply } from '../request.ts';
import { futureVersion } from '../status.ts';
import type { Item } from '../watch-cache/item.ts';
import { prepareServed, served, sharesBytes } from './codec.ts';
import { parseVersion } from './list-options.ts';
import { keyOf, type Target } from './target.ts';

export async function get(target: Target): Promise<Reply> {
  const { kind, request, server } = target;
  const version = request.query.get('resourceVersion') ?? '';
  if (!version) await server.cache.catchUp();
  else await reachVersion(target, parseVersion(version, 'other'));
  const item = itemOf(target);
  await prepareServed(kind, [item]);
  return objectReply(200, served(kind, item), kind, sharesBytes(kind) ? item : undefined);
}

/** The item that the target names, as the cache has it. Throws 404. */
export function itemOf({ kind, cache, namespace, name }: Target): Item {
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item;
}

/** Waits until the cache shows `revision`; throws the 504 that asks for a retry when it does not. */
export async function reachVersion({ server }: Target, revision: number): Promise<void> {
  if (revision <= server.cache.revision) return;
  if (!(await server.cache.reach(revision))) throw futureVersion(revision, server.cache.revision);
}
