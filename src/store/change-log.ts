// Recent changes in memory: every local backend serves watches and reads of past revisions from it.

import { type Change, Compacted, type Entry, type KeyRange, type Revision } from './interface.ts';

interface Transaction {
  readonly revision: Revision;
  readonly changes: readonly Change[];
}

/**
 * History is in memory, so its length is bounded between two compactions. The API server has its own caches for client
 * requests.
 */
const keptTransactions = 10_000;
/** Bytes of values, new and replaced: of the newest hundred transactions, and of those before. */
const mostBytes = 32 << 20;
const keptBytes = 8 << 20;
const fewestTransactions = 100;

export interface ChangeBatch {
  readonly changes: readonly Change[];
  readonly revision: Revision;
}

const inRange = (keys: KeyRange, key: string) => key >= keys.start && key < keys.end;
const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);

export class ChangeLog {
  /** Ascending by revision, all above #compacted. */
  #transactions: Transaction[] = [];
  #bytes = 0;
  #compacted: Revision;
  #revision: Revision;
  readonly #watchers = new Set<Watcher>();
  #progressPlanned = false;

  constructor(revision: Revision, compacted: Revision = revision, past: readonly Transaction[] = []) {
    this.#revision = revision;
    this.#compacted = compacted;
    this.#transactions = [...past];
    for (const transaction of past) this.#bytes += bytesOf(transaction);
  }

  /** The oldest revision that can still be read. */
  get compacted(): Revision {
    return this.#compacted;
  }

  /** The newest revision that watches may see. */
  get revision(): Revision {
    return this.#revision;
  }

  append(transaction: Transaction): void {
    this.#transactions.push(transaction);
    this.#bytes += bytesOf(transaction);
    this.#revision = transaction.revision;
    let behind = false;
    for (const watcher of this.#watchers) if (!watcher.offer(transaction)) behind = true;
    if (behind) this.#planProgress();
  }

  /** The revision to compact to, if the log has more transactions than clients read. */
  get surplus(): Revision | undefined {
    const count = this.#transactions.length;
    const isFew = count <= fewestTransactions ? this.#bytes <= mostBytes : this.#bytes <= 2 * keptBytes;
    if (isFew && count <= 2 * keptTransactions) return undefined;
    let bytes = 0;
    let first = count;
    const isWithin = () => bytes < (count - first < fewestTransactions ? mostBytes / 2 : keptBytes);
    while (first > 0 && count - first < keptTransactions && isWithin()) bytes += bytesOf(this.#transactions[--first]);
    return first > 0 ? this.#transactions[first].revision - 1 : undefined;
  }

  compact(revision: Revision): void {
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    const forgotten = this.#indexAfter(revision);
    for (let i = 0; i < forgotten; i++) this.#bytes -= bytesOf(this.#transactions[i]);
    this.#transactions = this.#transactions.slice(forgotten);
  }

  /** How the keys of the range that changed since `at` stood then; undefined: absent. */
  since(at: Revision, keys: KeyRange): Map<string, Entry | undefined> {
    const then = new Map<string, Entry | undefined>();
    for (let i = this.#transactions.length - 1; i >= 0 && this.#transactions[i].revision > at; i--)
      for (const change of this.#transactions[i].changes)
        if (inRange(keys, keyOf(change))) then.set(keyOf(change), change.previous);
    return then;
  }

  async *watch(keys: KeyRange, after: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (after < this.#compacted) throw new Compacted(this.#compacted);
    const watcher = new Watcher(keys, after);
    for (let i = this.#indexAfter(after); i < this.#transactions.length; i++) watcher.offer(this.#transactions[i]);
    this.#watchers.add(watcher);
    const wake = () => watcher.wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (watcher.toldRevision < this.#revision) this.#planProgress();
      while (!signal.aborted && !watcher.ended) yield* watcher.take(signal);
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', wake);
    }
  }

  /** Ends every watch. */
  close(): void {
    for (const watcher of this.#watchers) watcher.end();
  }

  /** Reports the newest revision to watchers of quiet ranges, at most once per turn of the event loop. */
  #planProgress(): void {
    if (this.#progressPlanned) return;
    this.#progressPlanned = true;
    setImmediate(() => {
      this.#progressPlanned = false;
      for (const watcher of this.#watchers) watcher.progress(this.#revision);
    });
  }

  #indexAfter(revision: Revision): number {
    let low = 0;
    let high = this.#transactions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#transactions[middle].revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf({ changes }: Transaction): number {
  let bytes = 0;
  for (const change of changes)
    bytes += (change.type === 'put' ? change.entry.value.length : 0) + (change.previous?.value.length ?? 0);
  return bytes;
}

class Watcher {
  readonly #keys: KeyRange;
  #changes: Change[] = [];
  /** The revision up to which this watcher has all changes. */
  #revision: Revision;
  /** The revision of the last batch that was handed out. */
  toldRevision: Revision;
  ended = false;
  #wake: (() => void) | undefined;

  constructor(keys: KeyRange, after: Revision) {
    this.#keys = keys;
    this.#revision = after;
    this.toldRevision = after;
  }

  /** False if the transaction has no change for this watcher. */
  offer(transaction: Transaction): boolean {
    let matched = false;
    for (const change of transaction.changes)
      if (inRange(this.#keys, keyOf(change))) {
        this.#changes.push(change);
        matched = true;
      }
    if (!matched) return false;
    this.#revision = transaction.revision;
    this.wake();
    return true;
  }

  progress(revision: Revision): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.wake();
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  async *take(signal: AbortSignal): AsyncIterable<ChangeBatch> {
    if (this.#revision === this.toldRevision) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (signal.aborted || this.#revision === this.toldRevision) return;
    const changes = this.#changes;
    this.#changes = [];
    this.toldRevision = this.#revision;
    yield { changes, revision: this.toldRevision };
  }
}
