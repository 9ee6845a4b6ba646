// The keys of each lease, so that they are removed when it ends.

import type { Change } from '../interface.ts';
import type { Tables } from './database.ts';
import { decodeEntry, decodeText } from './records.ts';

export class LeasedKeys {
  readonly #keys = new Map<number, Set<string>>();

  note(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.previous?.lease) this.#keys.get(change.previous.lease)?.delete(change.previous.key);
      if (change.type !== 'put' || !change.entry.lease) continue;
      const keys = this.#keys.get(change.entry.lease);
      if (keys) keys.add(change.entry.key);
      else this.#keys.set(change.entry.lease, new Set([change.entry.key]));
    }
  }

  keysOf(lease: number): string[] {
    return [...(this.#keys.get(lease) ?? [])];
  }

  delete(lease: number): void {
    this.#keys.delete(lease);
  }

  /** Reads the leases of the database, and the keys of each. */
  restore({ leases, entries }: Tables, found: (lease: number, seconds: number) => void): void {
    for (const { key: lease, value } of leases.getRange({})) {
      found(lease, Number(decodeText(`lease ${lease}`, value)));
      this.#keys.set(lease, new Set());
    }
    if (this.#keys.size === 0) return;
    for (const { key, value } of entries.getRange({})) {
      const { lease } = decodeEntry(key, value);
      if (lease) this.#keys.get(lease)?.add(key);
    }
  }
}
