// The end of an object: when it is due, and the write that removes it.

import type { ApiObject } from '../../api/api.ts';
import type { Item } from '../watch-cache/item.ts';
import { withVersion } from '../watch-cache/watch-cache.ts';
import { prepareStored } from './codec.ts';
import { keyOf, type Target } from './target.ts';
import type { Written } from './write.ts';

/** True when an update took the last thing that held a deleted object: its last finalizer. */
export function isGone(next: ApiObject, live: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = next.metadata;
  if (!deletionTimestamp || finalizers?.length || deletionGracePeriodSeconds) return false;
  if (!live.metadata.finalizers?.length && !namespaceHeld(live)) return false;
  return !namespaceHeld(next);
}

/** A namespace is also held by its spec.finalizers. */
const namespaceHeld = (object: ApiObject): boolean =>
  object.kind === 'Namespace' && object.apiVersion === 'v1' && !!object.spec?.finalizers?.length;

/** Removes the object; `last` is what watchers see. Undefined when it changed meanwhile. */
export async function removeNow(target: Target, item: Item, last: ApiObject): Promise<Written | undefined> {
  const { server, kind } = target;
  const key = keyOf(kind, last.metadata.namespace ?? '', last.metadata.name ?? '');
  await prepareStored(kind, last);
  const shown = kind.toStorage ? kind.toStorage(last) : withVersion(last);
  const result = await server.cache.commit([
    { key, object: shown, expected: item.revision },
    ...server.allocators.removal(kind, last),
  ]);
  if (!result.ok) return undefined;
  await kind.prepareConversion?.([shown], kind.version);
  const object = kind.fromStorage ? kind.fromStorage(shown) : shown;
  return { object, created: false };
}
