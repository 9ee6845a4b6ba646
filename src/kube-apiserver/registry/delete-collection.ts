import { isNotFound } from '../../api/api.ts';
import type { Reply } from '../request.ts';
import { deleteObject } from './delete.ts';
import { deleteOptions } from './delete-options.ts';
import { list } from './list.ts';
import type { Target } from './target.ts';

/** Deletes what a list with the same selectors shows, and answers with that list. */
export async function deleteCollection(target: Target): Promise<Reply> {
  const options = await deleteOptions(target.request);
  const selected = await list(target);
  await Promise.all(
    selected.items.map(async ({ object: { metadata } }) => {
      const one = { ...target, namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
      try {
        await deleteObject(one, options);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }),
  );
  return selected;
}
