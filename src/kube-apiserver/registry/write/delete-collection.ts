import { isNotFound } from '../../../api/api.ts';
import type { Reply } from '../../request/reply.ts';
import type { Target } from '../operation.ts';
import { list } from '../read/list.ts';
import type { ListOptions } from '../read/list-options.ts';
import { deleteObject } from './delete.ts';
import type { DeleteOptions } from './delete-options.ts';

/** Objects that are deleted at one time: enough to share a flush, and few enough for others to get their turn. */
const workers = 32;

/** Deletes all objects of the equivalent list, and responds with that list. */
export async function deleteCollection(target: Target, options: DeleteOptions, selectors: ListOptions): Promise<Reply> {
  const selected = await list(target, selectors);
  target.warnings.push(...(target.kind.strategy.deletionWarnings?.(options) ?? []));
  const due = selected.items.values();
  const signal = target.signal();
  const work = async () => {
    for (const { object } of due) {
      // The rest stays if the client disconnects, as in Kubernetes.
      if (signal.aborted) return;
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
