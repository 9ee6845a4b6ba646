// A cache of recently written entries: they are often written again, which needs their previous value.

import type { Change, Entry } from '../interface.ts';

const keptEntries = 2_048;
/** Larger values are read from the disk again. */
const keptBytes = 8_192;

export class RecentEntries {
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>();

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  take(changes: readonly Change[]): void {
    for (const change of changes)
      if (change.type === 'delete') this.#entries.delete(change.key);
      else {
        this.#entries.delete(change.entry.key);
        if (change.entry.value.length <= keptBytes) this.#entries.set(change.entry.key, change.entry);
      }
    while (this.#entries.size > keptEntries) this.#entries.delete(this.#entries.keys().next().value as string);
  }
}
