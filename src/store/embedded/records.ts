// The record format of entries and undo history in the embedded store. Each record begins with a CRC-32 of its key and
// content, so that a flipped bit causes an error with the key, never a wrong response.

import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import { must } from '../../machinery/must.ts';
import { type Change, type Entry, type Revision, StoreUnusable } from '../interface.ts';
import { writeValue } from '../value.ts';

const sumBytes = 4;
const headerBytes = 24;

/** An entry without its key: checksum, create revision, mod revision and lease as doubles, then the value. */
export function encodeEntry(entry: Entry): Buffer {
  const bytes = Buffer.allocUnsafe(sumBytes + headerBytes + entry.value.length);
  writeEntry(entry, bytes, sumBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(sumBytes), crc32(entry.key)), 0);
  return bytes;
}

const mismatch = (record: string) =>
  new StoreUnusable(
    'damaged',
    `the record ${record} of the store is damaged: its checksum does not match. Restore a backup of the store`,
  );

function writeEntry({ createRevision, modRevision, lease, value }: Entry, bytes: Buffer, at: number): number {
  bytes.writeDoubleLE(createRevision, at);
  bytes.writeDoubleLE(modRevision, at + 8);
  bytes.writeDoubleLE(lease, at + 16);
  return writeValue(value, bytes, at + headerBytes);
}

/** Throws StoreUnusable (`damaged`) when the checksum does not match. */
export function decodeEntry(key: string, bytes: Buffer): Entry {
  // A key with a flipped bit may be read as a list or a symbol.
  if (typeof key !== 'string') throw mismatch(inspect(key));
  if (bytes.length < sumBytes + headerBytes || bytes.readUInt32LE(0) !== crc32(bytes.subarray(sumBytes), crc32(key)))
    throw mismatch(key);
  return readEntry(key, bytes.subarray(sumBytes));
}

/** As formats 1 and 2 had it: without a checksum. */
export const readEntry = (key: string, bytes: Buffer): Entry => ({
  key,
  value: bytes.subarray(headerBytes),
  createRevision: bytes.readDoubleLE(0),
  modRevision: bytes.readDoubleLE(8),
  lease: bytes.readDoubleLE(16),
});

/** Bytes from LMDB: in a buffer that the next read overwrites, or copied. */
interface Reader {
  getBinaryFast(key: string): (Uint8Array & { isGlobal?: boolean }) | undefined;
  readonly lastSize?: number;
}

/** The checked entry of a key. LMDB's function for copies is several times slower, because it zeroes the buffer. */
export function copyEntry(key: string, table: object): Entry | undefined {
  const reader = table as Reader;
  const read = reader.getBinaryFast(key);
  if (!read) return undefined;
  const length = (read.isGlobal ? reader.lastSize : undefined) ?? read.length;
  const begin = sumBytes + headerBytes;
  if (length < begin) throw mismatch(key);
  const header = Buffer.from(read.buffer, read.byteOffset, begin);
  const value = Buffer.allocUnsafeSlow(length - begin);
  value.set(read.subarray(begin, length));
  if (header.readUInt32LE(0) !== crc32(value, crc32(header.subarray(sumBytes), crc32(key)))) throw mismatch(key);
  return {
    key,
    value,
    createRevision: header.readDoubleLE(sumBytes),
    modRevision: header.readDoubleLE(sumBytes + 8),
    lease: header.readDoubleLE(sumBytes + 16),
  };
}

/** The entries that a transaction replaced, by key. The new entries are stored elsewhere. */
type Undo = readonly { readonly key: string; readonly previous?: Entry }[];

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

/** The transactions of one flush, in one record, after a checksum. */
export function encodeUndo(records: readonly UndoRecord[]): Buffer {
  let length = sumBytes;
  for (const { undo } of records)
    for (const { key, previous } of undo)
      length += undoHeaderBytes + Buffer.byteLength(key) + (previous ? headerBytes + previous.value.length : 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = sumBytes;
  for (const { revision, undo } of records)
    for (const { key, previous } of undo) {
      const keyBytes = bytes.write(key, at + undoHeaderBytes);
      bytes.writeDoubleLE(revision, at);
      bytes.writeUInt32LE(keyBytes, at + 8);
      bytes.writeUInt32LE(previous ? headerBytes + previous.value.length : 0, at + 12);
      at += undoHeaderBytes + keyBytes;
      if (previous) at = writeEntry(previous, bytes, at);
    }
  bytes.writeUInt32LE(crc32(bytes.subarray(sumBytes)), 0);
  return bytes;
}

/** The latest transaction first. Throws StoreUnusable (`damaged`) when the checksum does not match. */
export function decodeUndo(last: Revision, bytes: Buffer): UndoRecord[] {
  if (bytes.length < sumBytes || bytes.readUInt32LE(0) !== crc32(bytes.subarray(sumBytes)))
    throw mismatch(`of history at revision ${last}`);
  const records: { revision: Revision; undo: { key: string; previous?: Entry }[] }[] = [];
  for (let at = sumBytes; at < bytes.length; ) {
    const revision = bytes.readDoubleLE(at);
    const keyEnd = at + undoHeaderBytes + bytes.readUInt32LE(at + 8);
    const entryEnd = keyEnd + bytes.readUInt32LE(at + 12);
    const key = bytes.toString('utf8', at + undoHeaderBytes, keyEnd);
    if (records.at(-1)?.revision !== revision) records.push({ revision, undo: [] });
    const previous = entryEnd > keyEnd && readEntry(key, bytes.subarray(keyEnd, entryEnd));
    must(records.at(-1), 'undo record').undo.push({ key, ...(previous && { previous }) });
    at = entryEnd;
  }
  return records.reverse();
}

/**
 * Rebuilds past transactions from their undo records, newest first, and the current entries: the value that a change
 * wrote is the one that the next change of its key replaced.
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

/** A short text with its checksum. */
export const encodeText = (name: string, text: string | number): string =>
  `${text} ${crc32(`${name} ${text}`).toString(16).padStart(8, '0')}`;

/** Undefined if absent. Throws StoreUnusable (`damaged`) if the checksum does not match. */
export function decodeText(name: string, stored: string | undefined): string | undefined {
  if (stored === undefined) return undefined;
  const text = stored.slice(0, -9);
  if (stored !== encodeText(name, text)) throw mismatch(name);
  return text;
}
