// A change that the server itself makes to an object, past strategy, admission and field ownership: binding, eviction.

import { type ApiObject, canonicalChange, notFound } from '../../../api/api.ts';
import { ordered, prepareServed, prepareStored, served } from '../codec.ts';
import type { Place } from '../operation.ts';
import { keyOf } from '../target.ts';
import { put, staleObject, toStored } from './commit.ts';
import { onNewest } from './newest.ts';

/** Calls `change` with a copy (top level, metadata, spec and status) of the live object until the write succeeds. */
export async function modify(place: Place, change: (object: ApiObject) => void, dryRun = false): Promise<ApiObject> {
  const mayRepeat = onNewest(place);
  for (let attempt = 1; attempt <= 64; attempt++)
    try {
      const object = await modifyOnce(place, change, dryRun);
      if (object) return object;
    } catch (error) {
      if (!(await mayRepeat(error))) throw error;
    }
  throw staleObject(place.kind, place.name);
}

/** Undefined when another write was faster. */
async function modifyOnce(
  place: Place,
  change: (object: ApiObject) => void,
  dryRun: boolean,
): Promise<ApiObject | undefined> {
  const { kind, cache, namespace, name } = place;
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  await prepareServed(kind, [item]);
  const live = served(kind, item);
  const next: ApiObject = { ...live, metadata: { ...live.metadata } };
  if (live.spec) next.spec = { ...live.spec };
  if (live.status) next.status = { ...live.status };
  change(next);
  if (dryRun) return next;
  const final = ordered(canonicalChange(kind.schema, next, live));
  await prepareStored(kind, final);
  return (await put(place, toStored(kind, final), item.revision))?.object;
}
