import { badRequest, expired } from '../../../api/api.ts';
import type { OrderedView } from '../../../machinery/collections/ordered-tree.ts';
import type { ListReply } from '../../request/reply.ts';
import type { Item } from '../../watch-cache/item.ts';
import { prepareServed } from '../codec.ts';
import type { Place } from '../operation.ts';
import { listPrefix } from '../target.ts';
import { caughtUp, reachVersion } from './get.ts';
import { continueExpired, type ListOptions, parseVersion, readContinue, writeContinue } from './list-options.ts';
import { type Selection, selectionOf } from './selection.ts';

/** The source of a list: a snapshot, its revision, and the key to begin at. */
interface Source {
  readonly tree: OrderedView<Item>;
  readonly revision: number;
  readonly start: string;
}

export async function list(target: Place, options: ListOptions): Promise<ListReply> {
  const selection = await selectionOf(target, options);
  const source = await sourceOf(target, options);
  const prefix = listPrefix(target);
  const end = `${prefix.slice(0, -1)}0`; // '0' follows '/'
  const items: Item[] = [];
  if (target.kind.prepareConversion && !selection.everything) await prepareServed(target.kind, itemsOf(source, end));
  let last = '';
  let more = false;
  let fetched = 0;
  const take = (item: Item) => {
    fetched++;
    // As in Kubernetes, objects follow a full page even if none of them is selected.
    if (options.limit && items.length === options.limit) {
      more = true;
      return false;
    }
    if (!selection.matches(item)) return true;
    items.push(item);
    last = item.key;
    return true;
  };
  if (selection.key) source.tree.forEach(selection.key, `${selection.key}\0`, take);
  else source.tree.forEach(source.start, end, selection.everything ? everything(items, options.limit, take) : take);
  target.cache.series.listedFromCache(Math.max(fetched, items.length), items.length);
  await prepareServed(target.kind, items);
  return {
    type: 'list',
    code: 200,
    kind: target.kind,
    items,
    metadata: {
      resourceVersion: String(source.revision),
      ...(more ? next(source, selection, last, prefix, end) : {}),
    },
  };
}

/** A webhook converts them before a selector of fields reads them. */
function itemsOf({ tree, start }: Source, end: string): Item[] {
  const items: Item[] = [];
  tree.forEach(start, end, (item) => void items.push(item));
  return items;
}

/** Without selector and limit, items are not inspected. */
function everything(items: Item[], limit: number, take: (item: Item) => boolean) {
  return limit ? take : (item: Item) => void items.push(item);
}

function next(source: Source, selection: Selection, last: string, prefix: string, end: string) {
  const start = `${last}\0`;
  return {
    continue: writeContinue({ revision: source.revision, start: start.slice(prefix.length) }),
    // With a selector the rest would have to be matched to be counted: Kubernetes leaves it out too.
    ...(selection.everything && { remainingItemCount: source.tree.count(start, end) }),
  };
}

async function sourceOf(target: Place, options: ListOptions): Promise<Source> {
  const { server, cache } = target;
  const prefix = listPrefix(target);
  if (options.continue) {
    const token = readContinue(options.continue);
    const start = prefix + token.start;
    if (options.resourceVersion && options.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    if (token.revision < 0) {
      await caughtUp(target);
      return { tree: cache.snapshot(), revision: server.cache.revision, start };
    }
    await reachVersion(target, token.revision);
    const tree = server.cache.isCompacted(token.revision) ? undefined : cache.treeAt(token.revision);
    if (!tree) throw continueExpired(token.start);
    return { tree, revision: token.revision, start };
  }
  if (!options.resourceVersion) {
    await caughtUp(target);
    return { tree: cache.snapshot(), revision: server.cache.revision, start: prefix };
  }
  const asked = parseVersion(options.resourceVersion, 'list');
  // Pages begin at the requested revision, as before resourceVersionMatch existed.
  if (options.match === 'Exact' || (!options.match && options.limit && asked > 0)) return exactly(target, asked);
  await reachVersion(target, asked);
  return { tree: cache.snapshot(), revision: server.cache.revision, start: prefix };
}

async function exactly(target: Place, revision: number): Promise<Source> {
  const { server, cache } = target;
  await reachVersion(target, revision);
  const tree = server.cache.isCompacted(revision) ? undefined : cache.treeAt(revision);
  if (!tree) throw expired('The resourceVersion for the provided list is too old.');
  return { tree, revision, start: listPrefix(target) };
}
