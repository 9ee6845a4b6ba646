// How entries and the undo history lie in the embedded store's database.

import type { Change, Entry, Revision } from './store.ts';
import { writeValue } from './value.ts';

const headerBytes = 24;

/** An entry without its key: create revision, mod revision and lease as doubles, then the value. */
export function encodeEntry(entry: Entry): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + entry.value.length);
  writeEntry(entry, bytes, 0);
  return bytes;
}

function writeEntry({ createRevision, modRevision, lease, value }: Entry, bytes: Buffer, at: number): number {
  bytes.writeDoubleLE(createRevision, at);
  bytes.writeDoubleLE(modRevision, at + 8);
  bytes.writeDoubleLE(lease, at + 16);
  return writeValue(value, bytes, at + headerBytes);
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

export interface UndoRecord {
  readonly revision: Revision;
  readonly undo: Undo;
}

export const undoOf = (changes: readonly Change[]): Undo =>
  changes.map((change) => ({
    key: change.type === 'put' ? change.entry.key : change.key,
    ...(change.previous && { previous: change.previous }),
  }));

const undoHeaderBytes = 16;

/** The transactions of one flush, in one record. */
export function encodeUndo(records: readonly UndoRecord[]): Buffer {
  let length = 0;
  for (const { undo } of records)
    for (const { key, previous } of undo)
      length += undoHeaderBytes + Buffer.byteLength(key) + (previous ? headerBytes + previous.value.length : 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { revision, undo } of records)
    for (const { key, previous } of undo) {
      const keyBytes = bytes.write(key, at + undoHeaderBytes);
      bytes.writeDoubleLE(revision, at);
      bytes.writeUInt32LE(keyBytes, at + 8);
      bytes.writeUInt32LE(previous ? headerBytes + previous.value.length : 0, at + 12);
      at += undoHeaderBytes + keyBytes;
      if (previous) at = writeEntry(previous, bytes, at);
    }
  return bytes;
}

/** The latest transaction first. */
export function decodeUndo(bytes: Buffer): UndoRecord[] {
  const records: { revision: Revision; undo: { key: string; previous?: Entry }[] }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const revision = bytes.readDoubleLE(at);
    const keyEnd = at + undoHeaderBytes + bytes.readUInt32LE(at + 8);
    const entryEnd = keyEnd + bytes.readUInt32LE(at + 12);
    const key = bytes.toString('utf8', at + undoHeaderBytes, keyEnd);
    if (records.at(-1)?.revision !== revision) records.push({ revision, undo: [] });
    const previous = entryEnd > keyEnd && decodeEntry(key, bytes.subarray(keyEnd, entryEnd));
    records.at(-1)!.undo.push({ key, ...(previous && { previous }) });
    at = entryEnd;
  }
  return records.reverse();
}

/**
 * Past transactions from their undo records, newest first, and from the entries as they are now: what a change made
 * is what the next later change of the key replaced.
 */
export function redo(
  records: Iterable<UndoRecord>,
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
