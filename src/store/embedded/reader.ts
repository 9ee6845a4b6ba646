// Reads a whole range at one revision while writes continue: LMDB keeps the pages that an open read transaction sees.

import type { Transaction } from 'lmdb';
import { type Entry, type KeyRange, type Page, type Revision, StoreUnusable } from '../interface.ts';
import { firstPageEntries, nextPageEntries } from '../page-size.ts';
import type { Tables } from './database.ts';
import { decodeEntry, decodeText } from './records.ts';

interface Point {
  /** The newest revision of the database. */
  readonly current: Revision;
  /** The revision to read. */
  readonly at: Revision;
  /** Entries that changed after `at`, as they were then. */
  readonly changed: ReadonlyMap<string, Entry | undefined>;
}

/** Made between two flushes, when the database has exactly the transactions up to `current`. */
export class Reader {
  readonly revision: Revision;
  readonly #tables: Tables;
  readonly #transaction: Transaction;
  /** Entries that changed after `revision`, as they were then, by key and in order. */
  readonly #changed: [string, Entry | undefined][];
  #from: string;
  readonly #end: string;
  #limit = firstPageEntries;
  #isOpen = true;

  constructor(tables: Tables, { start, end }: KeyRange, { current, at, changed }: Point) {
    this.revision = at;
    this.#tables = tables;
    this.#from = start;
    this.#end = end;
    this.#changed = [...changed].sort(([a], [b]) => (a < b ? -1 : 1));
    // A transaction of this turn of the event loop may be older than the last flush.
    tables.env.resetReadTxn();
    this.#transaction = tables.env.useReadTransaction();
    const found = decodeText('revision', tables.meta.get('revision', { transaction: this.#transaction }));
    // After a failed flush, the database may be ahead.
    if (Number(found ?? 1) === current) return;
    this.close();
    throw new StoreUnusable('disk-full', 'the store cannot be read as a whole: its last write did not reach the disk');
  }

  /** The next entries; undefined after the last. */
  next(): Entry[] | undefined {
    if (!this.#isOpen) throw new StoreUnusable('unreachable', 'the store is closed');
    if (this.#from === this.#end) return undefined;
    const options = { start: this.#from, end: this.#end, limit: this.#limit, transaction: this.#transaction };
    const found = [...this.#tables.entries.getRange(options)].map(({ key, value }) => decodeEntry(key, value));
    const last = found.length < this.#limit ? undefined : found.at(-1);
    this.#from = last ? `${last.key}\0` : this.#end;
    if (last) this.#limit = nextPageEntries(found);
    const changed = this.#takeChanged();
    if (changed.size === 0) return found;
    const former = [...changed.values()].filter((entry) => entry !== undefined);
    return [...found.filter(({ key }) => !changed.has(key)), ...former].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The changed entries before the next page. */
  #takeChanged(): Map<string, Entry | undefined> {
    const next = this.#changed.findIndex(([key]) => key >= this.#from);
    return new Map(this.#changed.splice(0, next < 0 ? this.#changed.length : next));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#transaction.done();
  }
}

/** The pages of the reader that `open` makes. It is in `readers` while it is open. */
export async function* readPages(
  readers: Set<Reader>,
  open: () => Promise<Reader>,
): AsyncIterable<Pick<Page, 'entries' | 'revision'>> {
  const reader = await open();
  readers.add(reader);
  try {
    yield { entries: reader.next() ?? [], revision: reader.revision };
    for (let entries = reader.next(); entries; entries = reader.next()) yield { entries, revision: reader.revision };
  } finally {
    readers.delete(reader);
    reader.close();
  }
}
