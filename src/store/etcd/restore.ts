// The content of a backup in etcd. Several machines may use one etcd, so an unfinished restore is marked there: a store
// with the mark is not opened. The keys are outside of Kubernetes' own.

import { prefixRange, type Revision, type Store, type StoredPart, StoreUnusable, type Write } from '../interface.ts';
import { offsetStore } from '../offset.ts';
import { textOf } from '../value.ts';

const ownKeys = prefixRange('coracle/');
const markKey = 'coracle/restore';
/** The number that is added to etcd's revisions. */
const offsetKey = 'coracle/revision-offset';
/** Id of the last restore that is complete. */
const doneKey = 'coracle/restored';
const content = prefixRange('/registry/');
/** etcd's limits are 128 writes and 1.5 MB per transaction. */
const mostWrites = 100;
const mostBytes = 1 << 20;
const transactionsInFlight = 8;

export interface EtcdRestore {
  /** The same when it is repeated after an interruption. */
  readonly id: string;
  /** Where it runs, for messages. */
  readonly by: string;
  /** All revisions are above it afterwards; undefined: they already are. */
  readonly above?: Revision;
  /** The last complete restore, and an unfinished one, when this one was decided: it replaces no later one. */
  readonly after?: string;
  readonly instead?: string;
}

/** `after` and `instead` of a new restore. */
export async function earlierRestores(store: Store): Promise<Pick<EtcdRestore, 'after' | 'instead'>> {
  const { mark, done } = await readOwn(store);
  return { ...(done !== undefined && { after: done }), ...(mark && { instead: mark.id }) };
}

/** The store with its offset. Throws StoreUnusable if a restore is unfinished. */
export async function settled(store: Store): Promise<Store> {
  const { mark, offset } = await readOwn(store);
  if (mark)
    throw new StoreUnusable(
      'damaged',
      `the restore of a backup into this etcd did not finish: start the cluster in ${mark.by} to finish it, or restore the backup again`,
    );
  return offsetStore(store, offset);
}

/** As clients saw it last, also if a restore is unfinished. */
export const openOffset = async (store: Store): Promise<Store> => offsetStore(store, (await readOwn(store)).offset);

async function readOwn(store: Store): Promise<{ mark?: EtcdRestore; offset: number; done?: string }> {
  const { entries } = await store.range(ownKeys);
  const found = new Map(entries.map(({ key, value }) => [key, textOf(value)]));
  const mark = found.get(markKey);
  return {
    ...(mark !== undefined && { mark: JSON.parse(mark) as EtcdRestore }),
    offset: Number(found.get(offsetKey) ?? 0),
    ...(found.has(doneKey) && { done: found.get(doneKey) }),
  };
}

/**
 * Replaces everything by `parts`, and compacts. A second call with the same id finishes an interrupted one, and does
 * nothing after a complete one. `store` is without offset.
 */
export async function restoreEtcdStore(
  store: Store,
  restore: EtcdRestore,
  parts: () => AsyncIterable<StoredPart>,
): Promise<void> {
  const own = await readOwn(store);
  if (own.done === restore.id && !own.mark) return;
  if (own.done !== restore.after || (own.mark && ![restore.id, restore.instead].includes(own.mark.id)))
    throw new StoreUnusable('in-use', 'another backup was restored into this etcd since');
  await store.commit([{ key: markKey, value: JSON.stringify(restore) }]);
  const { above } = restore;
  // All entries are written later than this, so their revisions are above it.
  const offset = above === undefined ? own.offset : Math.max(own.offset, above - (await store.revision()));
  const writer = new Writer(store);
  for await (const { entries } of store.readAll(content)) for (const { key } of entries) await writer.write({ key });
  await writer.end();
  for await (const part of parts())
    if (part.type === 'lease') await writer.grant(part.lease, part.seconds);
    else
      for (const { key, value, lease } of part.entries)
        await writer.write({ key, value, ...(lease && { lease: writer.leaseOf(lease) }) });
  await writer.end();
  const finished = await store.commit([
    { key: markKey },
    { key: doneKey, value: restore.id },
    ...(offset > 0 ? [{ key: offsetKey, value: String(offset) }] : []),
  ]);
  if (finished.ok) await store.compact(finished.revision);
}

/** Collects writes into large transactions, some of them at a time. */
class Writer {
  readonly #store: Store;
  readonly #leases = new Map<number, number>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #writes: Write[] = [];
  #bytes = 0;
  #failure: unknown;

  constructor(store: Store) {
    this.#store = store;
  }

  async grant(lease: number, seconds: number): Promise<void> {
    this.#leases.set(lease, await this.#store.grantLease(seconds));
  }

  leaseOf(lease: number): number {
    return this.#leases.get(lease) ?? 0;
  }

  async write(write: Write): Promise<void> {
    const bytes = write.key.length + (write.value?.length ?? 0);
    if (this.#writes.length === mostWrites || this.#bytes + bytes > mostBytes) await this.#send();
    this.#writes.push(write);
    this.#bytes += bytes;
  }

  async end(): Promise<void> {
    await this.#send();
    await Promise.all(this.#inFlight);
    if (this.#failure) throw this.#failure;
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    try {
      await this.#store.commit(writes);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #send(): Promise<void> {
    while (this.#inFlight.size >= transactionsInFlight) await Promise.race(this.#inFlight);
    if (this.#failure) throw this.#failure;
    if (this.#writes.length === 0) return;
    const sending = this.#commit(this.#writes);
    this.#inFlight.add(sending);
    void sending.then(() => this.#inFlight.delete(sending));
    this.#writes = [];
    this.#bytes = 0;
  }
}
