// DELETE of one object: preconditions, grace, finalizers, and in the end the removal.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion

import { type ApiObject, conflict, type Kind, notFound, parseTime } from '../../../api/api.ts';
import { StoreUnusable } from '../../../store/store.ts';
import { admitWhole } from '../../admission.ts';
import { breathe, workOn } from '../../heavy.ts';
import { objectReply, type Reply } from '../../request/reply.ts';
import { timestamp } from '../../timestamp.ts';
import type { Item } from '../../watch-cache/item.ts';
import { withVersion } from '../../watch-cache/watch-cache.ts';
import { deletionAttributes } from '../attributes.ts';
import { inOrder, prepareServed, prepareStored, served } from '../codec.ts';
import type { Place, Target } from '../operation.ts';
import { newestItem } from '../read/get.ts';
import { keyOf } from '../target.ts';
import { put, staleObject, toStored } from './commit.ts';
import type { DeleteOptions } from './delete-options.ts';
import { modify } from './modify.ts';
import { onNewest } from './newest.ts';
import { removeNow } from './removal.ts';

/** Responds with the object while it exists, and for some kinds also after its removal. */
export async function remove(target: Target, options: DeleteOptions): Promise<Reply> {
  const { kind, name } = target;
  target.warnings.push(...(kind.strategy.deletionWarnings?.(options) ?? []));
  await announceDeletion(target, options);
  const { gone, object } = await deleteObject(target, options);
  if (!gone || kind.answersDeleted) return objectReply(200, object, kind);
  return objectReply(200, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(kind.group && { group: kind.group }), kind: kind.resource, uid: object.metadata.uid },
  });
}

/** Writes a change that the kind makes to an object before its deletion begins. */
async function announceDeletion(target: Target, { dryRun }: DeleteOptions): Promise<void> {
  const { strategy } = target.kind;
  if (!strategy.announceDeletion || dryRun) return;
  const change = strategy.announceDeletion((await newestItem(target)).object, target.server.clock.now());
  if (change) await modify(target, change);
}

interface Deleted {
  readonly gone: boolean;
  readonly object: ApiObject;
  /** Its deletion had begun before, and goes on. */
  readonly isPending?: boolean;
}

export async function deleteObject(target: Target, options: DeleteOptions): Promise<Deleted> {
  const mayRepeat = onNewest(target);
  for (let attempt = 1; ; attempt++)
    try {
      const result = await deleteAsSeen(target, options);
      if (result && !options.dryRun && !result.isPending)
        noteDeletion(target, result.object.metadata.uid ?? '', result.gone);
      if (result) return result;
      if (attempt > 64) throw staleObject(target.kind, target.name);
    } catch (error) {
      if (!(await mayRepeat(error))) throw error;
    }
}

function noteDeletion(
  { server, kind, namespace, name, verb, subresource, user }: Target,
  uid: string,
  isGone: boolean,
): void {
  const { group, resource } = kind;
  server.deletions.note({
    ...{ timeMs: server.clock.now(), uid, user: user.name, verb, subresource, isGone },
    ...{ group, resource, namespace, name },
  });
}

/** Undefined if the live object changed concurrently. */
async function deleteAsSeen(target: Target, options: DeleteOptions): Promise<Deleted | undefined> {
  const { kind, cache, namespace, name } = target;
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  await prepareServed(kind, [item]);
  workOn(target.work, item.keptBytes);
  const live = served(kind, item);
  checkPreconditions(kind, live, options);
  const attributes = deletionAttributes(target, live, options);
  await admitWhole(target.server.admission, attributes);
  return deleteOnce(target, item, live, options);
}

function checkPreconditions(kind: Kind, live: ApiObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  const name = live.metadata.name ?? '';
  const refuse = (why: string) => conflict({ group: kind.group, resource: kind.kind }, name, why);
  if (uid && uid !== live.metadata.uid)
    throw refuse(
      `the UID in the precondition (${uid}) does not match the UID in record (${live.metadata.uid}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
    throw refuse(
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${live.metadata.resourceVersion}). The object might have been modified`,
    );
}

/** A full store still accepts removals. */
const isFull = (error: unknown): boolean => error instanceof StoreUnusable && error.reason === 'disk-full';

/** Undefined if the live object changed concurrently. */
async function deleteOnce(
  target: Target,
  item: Item,
  live: ApiObject,
  options: DeleteOptions,
): Promise<Deleted | undefined> {
  const { kind } = target;
  let next: ApiObject = { ...live, metadata: { ...live.metadata } };
  const finalizers = finalizersFor(target, live, options);
  const grace = begin(target, next, options, finalizers.length > 0);
  if (finalizers.length) next.metadata.finalizers = finalizers;
  else delete next.metadata.finalizers;
  const held = finalizers.length > 0 || !!kind.strategy.isHeld?.(live);
  if (held && !next.metadata.deletionTimestamp) mark(target, next, 0);
  kind.strategy.prepareForDelete?.(next);
  await breathe(target.work);
  next = inOrder(kind, next);
  await breathe(target.work);

  const gone = !held && (grace.seconds ?? 0) === 0 && !grace.pending;
  if (options.dryRun)
    return {
      gone: gone && grace.seconds === undefined,
      object: grace.pending ? live : withVersion(next, live.metadata.resourceVersion),
    };
  await prepareStored(kind, next);
  const stored = toStored(kind, next);
  const changed = !item.holds(stored.serialized, stored.object);
  let current = item;
  let last = next;
  // With a grace strategy, watchers see the deletion request, even if the removal follows at once.
  if (changed && (!gone || grace.seconds !== undefined)) {
    const result = await put(target, stored, item.revision).catch((error) => {
      if (!gone || !isFull(error)) throw error;
      return 'full' as const;
    });
    if (!result) return undefined;
    if (result !== 'full') {
      if (!gone) return { gone: false, object: result.object };
      last = result.object;
      if (!result.item) return undefined;
      current = result.item;
    }
  } else if (!gone) return { gone: false, object: live, isPending: true };
  await breathe(target.work);
  const removed = await removeNow(target, current, last);
  return removed && { gone: true, object: current === item ? live : last };
}

interface Grace {
  /** Undefined if the kind has no grace period or it has passed. */
  readonly seconds?: number;
  /** A shorter or equal time is already running: no change. */
  readonly pending?: boolean;
}

/** Sets deletionTimestamp and grace where the kind's strategy gives grace. */
function begin(target: Place, next: ApiObject, { gracePeriodSeconds: asked }: DeleteOptions, held: boolean): Grace {
  const strategy = target.kind.strategy.gracePeriodSeconds;
  if (!strategy) return {};
  const { deletionTimestamp, deletionGracePeriodSeconds: running } = next.metadata;
  if (deletionTimestamp) {
    if (running === undefined || running === null) return {};
    if (asked === undefined || asked >= running) return running === 0 && !held ? { seconds: 0 } : { pending: true };
    const earlierMs = (boundedSeconds(running) - boundedSeconds(asked)) * 1_000;
    const end = (parseTime(deletionTimestamp as string) ?? 0) - earlierMs;
    next.metadata.deletionTimestamp = timestamp(end);
    next.metadata.deletionGracePeriodSeconds = asked;
    return { seconds: asked };
  }
  const seconds = strategy(next, asked);
  if (seconds === undefined) return {};
  mark(target, next, seconds);
  return { seconds };
}

/** Bounded so that the end is before the year 10,000: later times have no text form. */
const boundedSeconds = (seconds: number): number => Math.min(Number(seconds), 250_000_000_000);

/** A deletion changes the desired state, so it counts as a generation. */
function mark({ server, kind }: Place, next: ApiObject, seconds: number): void {
  next.metadata.deletionTimestamp = timestamp(server.clock.now() + boundedSeconds(seconds) * 1_000);
  next.metadata.deletionGracePeriodSeconds = seconds;
  if (next.metadata.generation && !kind.strategy.isDeletedPlainly) next.metadata.generation++;
}

/** The finalizers after the propagation policy: adds or removes those of the garbage collector. */
function finalizersFor({ kind }: Place, live: ApiObject, options: DeleteOptions): string[] {
  const now = live.metadata.finalizers ?? [];
  if (kind.strategy.isDeletedPlainly && !live.metadata.deletionTimestamp) return [...now];
  const { orphanDependents, propagationPolicy: policy } = options;
  const has = (finalizer: string) => now.includes(finalizer);
  let orphan: boolean;
  let foreground: boolean;
  const byDefault = kind.strategy.defaultPropagation;
  if (byDefault === 'unsupported') [orphan, foreground] = [false, false];
  else if (orphanDependents !== undefined) [orphan, foreground] = [orphanDependents, false];
  else if (policy) [orphan, foreground] = [policy === 'Orphan', policy === 'Foreground'];
  else {
    foreground = has('foregroundDeletion');
    orphan = !foreground && (has('orphan') || byDefault === 'orphan');
  }
  const kept = now.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion');
  if (orphan) kept.push('orphan');
  if (foreground) kept.push('foregroundDeletion');
  return kept.length === now.length && kept.every(has) ? [...now] : kept;
}
