// The snapshot format of the local backends: a header line, one record an entry, and a SHA-256 over all of it.

import { createHash } from 'node:crypto';
import { type Entry, type Revision, StoreUnusable } from './interface.ts';
import { writeValue } from './value.ts';

const magic = 'coracle-snapshot/1';
const recordHeaderBytes = 4 + 4 + 8 + 8 + 8;
const digestBytes = 32;

export interface SnapshotContent {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

export async function* writeSnapshot(revision: Revision, entries: Iterable<Entry>): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  const header = Buffer.from(`${magic} ${revision}\n`);
  hash.update(header);
  yield header;
  for (const entry of entries) {
    const bytes = encode(entry);
    hash.update(bytes);
    yield bytes;
  }
  yield hash.digest();
}

/** Throws StoreUnusable (`damaged`, `version`) when the bytes are not a whole snapshot. */
export async function readSnapshot(bytes: AsyncIterable<Uint8Array>): Promise<SnapshotContent> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  const all = Buffer.concat(pieces);
  const headerEnd = all.indexOf('\n') + 1;
  const header = /^coracle-snapshot\/(\d+) (\d+)\n$/.exec(all.toString('utf8', 0, Math.min(headerEnd, 80)));
  if (!header) throw new StoreUnusable('damaged', 'this is not a snapshot of a Coracle store');
  if (header[1] !== '1')
    throw new StoreUnusable('version', `the snapshot has format ${header[1]}, this program reads format 1`);
  const body = all.subarray(0, all.length - digestBytes);
  const digest = createHash('sha256').update(body).digest();
  if (!digest.equals(all.subarray(all.length - digestBytes)))
    throw new StoreUnusable('damaged', 'the snapshot is damaged or cut off: its checksum does not match');
  const entries: Entry[] = [];
  for (let at = headerEnd; at < body.length; ) {
    const { entry, next } = decode(body, at);
    entries.push(entry);
    at = next;
  }
  return { revision: Number(header[2]), entries };
}

function encode(entry: Entry): Uint8Array {
  const key = Buffer.from(entry.key);
  const bytes = Buffer.allocUnsafe(recordHeaderBytes + key.length + entry.value.length);
  bytes.writeUInt32LE(key.length, 0);
  bytes.writeUInt32LE(entry.value.length, 4);
  bytes.writeDoubleLE(entry.createRevision, 8);
  bytes.writeDoubleLE(entry.modRevision, 16);
  bytes.writeDoubleLE(entry.lease, 24);
  key.copy(bytes, recordHeaderBytes);
  writeValue(entry.value, bytes, recordHeaderBytes + key.length);
  return bytes;
}

function decode(bytes: Buffer, at: number): { entry: Entry; next: number } {
  const keyEnd = at + recordHeaderBytes + bytes.readUInt32LE(at);
  const next = keyEnd + bytes.readUInt32LE(at + 4);
  const entry = {
    key: bytes.toString('utf8', at + recordHeaderBytes, keyEnd),
    value: bytes.subarray(keyEnd, next),
    createRevision: bytes.readDoubleLE(at + 8),
    modRevision: bytes.readDoubleLE(at + 16),
    lease: bytes.readDoubleLE(at + 24),
  };
  return { entry, next };
}
