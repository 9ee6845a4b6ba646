// How entries and the undo history lie in the embedded store's database.

import type { Change, Entry, Revision } from './store.ts';
import { writeValue } from './value.ts';

const headerBytes = 24;

/** An entry without its key: create revision, mod revision and lease as doubles, then the value. */
export function encodeEntry(entry: Entry): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + entry.value.length);
  bytes.writeDoubleLE(entry.createRevision, 0);
  bytes.writeDoubleLE(entry.modRevision, 8);
  bytes.writeDoubleLE(entry.lease, 16);
  writeValue(entry.value, bytes, headerBytes);
  return bytes;
}

export const decodeEntry = (key: string, bytes: Buffer): Entry => ({
  key,
  value: bytes.subarray(headerBytes),
  createRevision: bytes.readDoubleLE(0),
  modRevision: bytes.readDoubleLE(8),
  lease: bytes.readDoubleLE(16),
});

/** Bytes as LMDB reads them: into a buffer that the next read uses again, or of their own. */
interface Reader {
  getBinaryFast(key: string): (Uint8Array & { isGlobal?: boolean }) | undefined;
  readonly lastSize?: number;
}

/** The entry of a key. LMDB's own way to a copy costs several times as much, zeroing it first. */
export function copyEntry(key: string, table: object): Entry | undefined {
  const reader = table as Reader;
  const read = reader.getBinaryFast(key);
  if (!read) return undefined;
  const length = (read.isGlobal ? reader.lastSize : undefined) ?? read.length;
  const header = Buffer.from(read.buffer, read.byteOffset, headerBytes);
  const value = Buffer.allocUnsafeSlow(length - headerBytes);
  value.set(read.subarray(headerBytes, length));
  return {
    key,
    value,
    createRevision: header.readDoubleLE(0),
    modRevision: header.readDoubleLE(8),
    lease: header.readDoubleLE(16),
  };
}

/** What a transaction replaced: each key with the entry that was there. The new entries stand elsewhere already. */
export type Undo = readonly { readonly key: string; readonly previous?: Entry }[];

export const undoOf = (changes: readonly Change[]): Undo =>
  changes.map((change) => ({
    key: change.type === 'put' ? change.entry.key : change.key,
    ...(change.previous && { previous: change.previous }),
  }));

export function encodeUndo(undo: Undo): Buffer {
  const pieces: Buffer[] = [];
  for (const { key, previous } of undo) {
    const name = Buffer.from(key);
    const entry = previous && encodeEntry(previous);
    const lengths = Buffer.allocUnsafe(8);
    lengths.writeUInt32LE(name.length, 0);
    lengths.writeUInt32LE(entry ? entry.length : 0, 4);
    pieces.push(lengths, name, ...(entry ? [entry] : []));
  }
  return Buffer.concat(pieces);
}

export function decodeUndo(bytes: Buffer): Undo {
  const undo: { key: string; previous?: Entry }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const keyEnd = at + 8 + bytes.readUInt32LE(at);
    const entryEnd = keyEnd + bytes.readUInt32LE(at + 4);
    const key = bytes.toString('utf8', at + 8, keyEnd);
    undo.push({ key, ...(entryEnd > keyEnd && { previous: decodeEntry(key, bytes.subarray(keyEnd, entryEnd)) }) });
    at = entryEnd;
  }
  return undo;
}

/**
 * Past transactions from their undo records, newest first, and from the entries as they are now: what a change made
 * is what the next later change of the key replaced.
 */
export function redo(
  records: Iterable<{ revision: Revision; undo: Undo }>,
  current: (key: string) => Entry | undefined,
): { revision: Revision; changes: Change[] }[] {
  const later = new Map<string, Entry | undefined>();
  const transactions: { revision: Revision; changes: Change[] }[] = [];
  for (const { revision, undo } of records) {
    const changes = undo.map(({ key, previous }): Change => {
      const entry = later.has(key) ? later.get(key) : current(key);
      later.set(key, previous);
      return entry
        ? { type: 'put', entry, ...(previous && { previous }) }
        : { type: 'delete', key, revision, ...(previous && { previous }) };
    });
    transactions.push({ revision, changes });
  }
  return transactions.reverse();
}
