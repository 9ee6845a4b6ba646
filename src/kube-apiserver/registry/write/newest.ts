// Changes are made to the cached state. Another API server of the cluster may have written a newer one: a change that
// fails on the cached state is repeated, once, on the newest.

import { isConflict, isNotFound } from '../../../api/api.ts';
import type { Place } from '../operation.ts';

/** Decides, after a failed attempt, whether to try again: the caches had been behind the store. */
export function onNewest({ server }: Place): (error: unknown) => Promise<boolean> {
  let isNewest = false;
  return async (error) => {
    if (isNewest || !(isNotFound(error) || isConflict(error))) return false;
    isNewest = true;
    return server.cache.catchUp();
  };
}
