// The verbs of a resource, one file each, with their arguments.

import type { Reply } from '../request/reply.ts';
import { inSpan } from '../tracing/tracing.ts';
import type { Target } from './operation.ts';
import { type GetOptions, get } from './read/get.ts';
import { list } from './read/list.ts';
import type { ListOptions } from './read/list-options.ts';
import { watch } from './read/watch.ts';
import { applyPatch } from './write/apply.ts';
import { create, type WriteContent } from './write/create.ts';
import { remove } from './write/delete.ts';
import { deleteCollection } from './write/delete-collection.ts';
import type { DeleteOptions } from './write/delete-options.ts';
import { type PatchContent, patch } from './write/patch.ts';
import { update } from './write/update.ts';

/** A verb with its options and its content. */
export type Action =
  | { readonly verb: 'get'; readonly options: GetOptions }
  | { readonly verb: 'list' | 'watch'; readonly options: ListOptions }
  | { readonly verb: 'create' | 'update'; readonly content: WriteContent }
  | { readonly verb: 'patch' | 'apply'; readonly content: PatchContent }
  | { readonly verb: 'delete'; readonly options: DeleteOptions }
  | { readonly verb: 'deletecollection'; readonly options: DeleteOptions; readonly selectors: ListOptions };

export function perform(target: Target, action: Action): Promise<Reply> {
  return inSpan(
    target.server,
    spanNames[action.verb],
    () => placeAttributes(target),
    () => answer(target, action),
  );
}

/** Kubernetes' names. */
const spanNames: Readonly<Record<Action['verb'], string>> = {
  get: 'Get',
  list: 'List',
  watch: 'Watch',
  create: 'Create',
  update: 'Update',
  patch: 'Patch',
  apply: 'Patch',
  delete: 'Delete',
  deletecollection: 'Delete',
};

function answer(target: Target, action: Action): Promise<Reply> {
  switch (action.verb) {
    case 'get':
      return get(target, action.options);
    case 'list':
      return list(target, action.options);
    case 'watch':
      return watch(target, action.options);
    case 'create':
      return create(target, action.content);
    case 'update':
      return update(target, action.content);
    case 'patch':
      return patch(target, action.content);
    case 'apply':
      return applyPatch(target, action.content);
    case 'delete':
      return remove(target, action.options);
    case 'deletecollection':
      return deleteCollection(target, action.options, action.selectors);
  }
}

const placeAttributes = ({ kind, namespace, name, subresource }: Target) => ({
  group: kind.group,
  resource: kind.resource,
  ...(namespace && { namespace }),
  ...(name && { name }),
  ...(subresource && { subresource }),
});
