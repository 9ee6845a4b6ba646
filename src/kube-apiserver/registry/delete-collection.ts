import { isNotFound } from '../../api/api.ts';
import type { Reply } from '../request.ts';
import { deleteObject } from './delete.ts';
import { deleteOptions } from './delete-options.ts';
import { list } from './list.ts';
import type { Target } from './target.ts';

/** Objects that are deleted at one time: enough to share a flush, and few enough for others to get their turn. */
const workers = 32;

/** Deletes what a list with the same selectors shows, and answers with that list. */
export async function deleteCollection(target: Target): Promise<Reply> {
  const options = await deleteOptions(target.request);
  const selected = await list(target);
  const due = selected.items.values();
  const work = async () => {
    for (const { object } of due) {
      const { namespace = '', name = '' } = object.metadata;
      try {
        await deleteObject({ ...target, namespace, name }, options);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return selected;
}
