import type { KubeObject, ObjectMeta, ObjectReader } from '../../api/api.ts';
import type { Operation } from '../registry/operation.ts';
import type { ListOptions } from '../registry/read/list-options.ts';
import { selectionOf } from '../registry/read/selection.ts';
import type { Action } from '../registry/registry.ts';
import { keyOf } from '../registry/target.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import { methodRefused } from '../status.ts';
import { Item } from '../watch-cache/item.ts';

/** Lists are whole: there is no revision at which a later page could be read. */
export async function answerComputed(operation: Operation, action: Action, resource: ObjectReader): Promise<Reply> {
  const { kind, namespace, name } = operation;
  if (action.verb === 'list') return list(operation, action.options, resource);
  if (action.verb !== 'get') throw methodRefused();
  const [object] = await resource.read(namespace, name);
  return objectReply(200, object, kind);
}

async function list(operation: Operation, options: ListOptions, resource: ObjectReader): Promise<Reply> {
  const { kind, namespace } = operation;
  const selection = await selectionOf(operation, options);
  const items = (await resource.read(namespace, '')).map((object) => itemOf(operation, object));
  return {
    type: 'list',
    code: 200,
    kind,
    items: items.filter((item) => selection.matches(item)),
    metadata: { resourceVersion: '' },
  };
}

function itemOf({ kind }: Operation, object: KubeObject): Item {
  const { namespace = '', name } = object.metadata;
  const item = new Item(keyOf(kind, namespace, name), 0, object);
  delete (object.metadata as Partial<ObjectMeta>).resourceVersion;
  return item;
}
