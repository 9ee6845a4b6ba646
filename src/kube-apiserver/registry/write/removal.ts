// The end of an object: when it is due, and the write that removes it.

import type { ApiObject, Kind } from '../../../api/api.ts';
import type { Item } from '../../watch-cache/item.ts';
import { withVersion } from '../../watch-cache/watch-cache.ts';
import { prepareStored } from '../codec.ts';
import type { Place } from '../operation.ts';
import { keyOf } from '../target.ts';
import type { Written } from './commit.ts';

/** True if an update removed the last finalizer of a deleted object. */
export function isGone({ strategy }: Kind, next: ApiObject, live: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = next.metadata;
  if (!deletionTimestamp || finalizers?.length || deletionGracePeriodSeconds) return false;
  if (!live.metadata.finalizers?.length && !strategy.isHeld?.(live)) return false;
  return !strategy.isHeld?.(next);
}

/** Removes the object; `last` is its state for watchers. Undefined if it changed concurrently. */
export async function removeNow(place: Place, item: Item, last: ApiObject): Promise<Written | undefined> {
  const { server, kind } = place;
  const key = keyOf(kind, last.metadata.namespace ?? '', last.metadata.name ?? '');
  await prepareStored(kind, last);
  const shown = kind.toStorage ? kind.toStorage(last) : withVersion(last);
  const result = await server.cache.commit([
    { key, object: shown, expected: item.revision },
    ...(kind.allocates ? await server.allocators.removal(last) : []),
  ]);
  if (!result.ok) return undefined;
  await kind.prepareConversion?.([shown], kind.version);
  const object = kind.fromStorage ? kind.fromStorage(shown) : shown;
  return { object, created: false };
}
