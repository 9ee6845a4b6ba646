// The verbs of a resource, one file each.

import type { Reply } from '../request.ts';
import { create } from './create.ts';
import { remove } from './delete.ts';
import { deleteCollection } from './delete-collection.ts';
import { get } from './get.ts';
import { list } from './list.ts';
import { patch } from './patch.ts';
import type { Target } from './target.ts';
import { update } from './update.ts';
import { watch } from './watch.ts';

export const verbs: Readonly<Record<string, (target: Target) => Promise<Reply>>> = {
  create,
  get,
  list,
  watch,
  update,
  patch,
  delete: remove,
  deletecollection: deleteCollection,
};
