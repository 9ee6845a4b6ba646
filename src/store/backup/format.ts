// The format of a backup: a line with its description, then frames, each with a checksum, and a checksum over all. The
// whole is compressed, and encrypted if wanted (packing.ts), so that `zstd -dc FILE | head -1` shows the description.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Entry, Revision, StoredPart } from '../interface.ts';
import { writeValue } from '../value.ts';
import { ByteReader } from './byte-reader.ts';

const formatVersion = 1;
const magic = 'coracle-backup/';
const mostHeaderBytes = 1 << 20;
/** A page of entries is some megabytes, more if single values are larger. */
const mostFrameBytes = 256 << 20;
const frameHeaderBytes = 9;
const entryHeaderBytes = 16;
const digestBytes = 32;

export interface BackupHeader {
  readonly cluster: string;
  /** The UID of kube-system: a cluster that is restored from a backup has the same. */
  readonly clusterUid?: string;
  readonly revision: Revision;
  /** RFC 3339. */
  readonly time: string;
  readonly coracle: string;
  readonly kubernetes: string;
  readonly store: string;
  /** One of several servers made it: `store` is the etcd that they share. */
  readonly isServer?: boolean;
  /** URL of the API server. */
  readonly server?: string;
  /** Options of `up` that differ from their defaults, by their flags. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A file of the cluster's data directory. */
interface BackupFile {
  readonly type: 'file';
  /** Relative to the data directory. */
  readonly path: string;
  readonly content: Uint8Array;
}

export type BackupPart = BackupFile | StoredPart;

/** The backup is not usable. The message has the reason and the remedy. */
export class BackupUnusable extends Error {
  override readonly name = 'BackupUnusable';
  readonly reason: 'damaged' | 'version' | 'encrypted' | 'foreign';
  constructor(reason: BackupUnusable['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export async function* encodeBackup(
  header: BackupHeader,
  parts: AsyncIterable<BackupPart>,
): AsyncGenerator<Buffer, void> {
  const hash = createHash('sha256');
  const hashed = (bytes: Buffer) => {
    hash.update(bytes);
    return bytes;
  };
  yield hashed(Buffer.from(`${magic}${formatVersion} ${JSON.stringify(header)}\n`));
  for await (const part of parts) yield hashed(frame(part.type, payloadOf(part)));
  yield frame('end', hash.digest());
}

const frameTypes = ['file', 'lease', 'entries', 'end'] as const;
type FrameType = (typeof frameTypes)[number];

function frame(type: FrameType, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  bytes.writeUInt8(frameTypes.indexOf(type) + 1, 0);
  bytes.writeUInt32LE(payload.length, 1);
  bytes.writeUInt32LE(crc32(payload, crc32(bytes.subarray(0, 5))), 5);
  payload.copy(bytes, frameHeaderBytes);
  return bytes;
}

function payloadOf(part: BackupPart): Buffer {
  switch (part.type) {
    case 'file':
      return Buffer.concat([Buffer.from(`${part.path}\n`), part.content]);
    case 'lease':
      return Buffer.from(JSON.stringify({ lease: part.lease, seconds: part.seconds }));
    case 'entries':
      return encodeEntries(part.entries);
  }
}

/** Each entry: lengths of key and value, lease, key, value. Revisions are not in it: a restore gives new ones. */
function encodeEntries(entries: readonly Entry[]): Buffer {
  const length = entries.reduce(
    (sum, { key, value }) => sum + entryHeaderBytes + Buffer.byteLength(key) + value.length,
    0,
  );
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { key, value, lease } of entries) {
    const keyBytes = bytes.write(key, at + entryHeaderBytes);
    bytes.writeUInt32LE(keyBytes, at);
    bytes.writeUInt32LE(value.length, at + 4);
    bytes.writeDoubleLE(lease, at + 8);
    at = writeValue(value, bytes, at + entryHeaderBytes + keyBytes);
  }
  return bytes;
}

interface OpenBackup {
  readonly header: BackupHeader;
  /** To be read once. Throws BackupUnusable unless all of it is there and as it was written. */
  readonly parts: AsyncIterable<BackupPart>;
}

/** Reads the description. Throws BackupUnusable. */
export async function decodeBackup(bytes: AsyncIterable<Uint8Array>): Promise<OpenBackup> {
  const reader = new ByteReader(bytes);
  const line = await reader.line(mostHeaderBytes);
  const [, version, json = ''] = /^coracle-backup\/(\d+) (.*)$/s.exec(line?.toString() ?? '') ?? [];
  if (line === undefined || version === undefined) throw new BackupUnusable('foreign', 'it is not a backup of Coracle');
  const header = parseHeader(json);
  if (version !== String(formatVersion))
    throw new BackupUnusable(
      'version',
      `it was made by Coracle ${header?.coracle ?? 'of another version'} in format ${version}, and this program reads format ${formatVersion}: use that version`,
    );
  if (!header) throw damaged('its description cannot be read');
  const hash = createHash('sha256').update(line).update('\n');
  return {
    header,
    parts: decodeFrames(
      reader,
      (part) => hash.update(part),
      () => hash.digest(),
    ),
  };
}

function parseHeader(json: string): BackupHeader | undefined {
  try {
    const header = JSON.parse(json) as BackupHeader;
    const isWhole = typeof header.cluster === 'string' && Number.isSafeInteger(header.revision);
    return isWhole ? header : undefined;
  } catch {
    return undefined;
  }
}

async function* decodeFrames(
  reader: ByteReader,
  hash: (bytes: Buffer) => void,
  digest: () => Buffer,
): AsyncIterable<BackupPart> {
  for (;;) {
    const head = await reader.take(frameHeaderBytes);
    if (!head) throw damaged('it is cut off');
    const type = frameTypes[head.readUInt8(0) - 1];
    const length = head.readUInt32LE(1);
    const payload = length > mostFrameBytes ? undefined : await reader.take(length);
    if (!payload) throw damaged(length > mostFrameBytes ? 'a length in it is impossible' : 'it is cut off');
    if (!type || head.readUInt32LE(5) !== crc32(payload, crc32(head.subarray(0, 5))))
      throw damaged(`the checksum of ${length} bytes at ${reader.position - length} does not match`);
    if (type === 'end') {
      if (payload.length !== digestBytes || !digest().equals(payload)) throw damaged('its checksum does not match');
      if (await reader.take(1)) throw damaged('there is more after its end');
      return;
    }
    hash(head);
    hash(payload);
    yield partOf(type, payload);
  }
}

function partOf(type: BackupPart['type'], payload: Buffer): BackupPart {
  switch (type) {
    case 'file': {
      const end = payload.indexOf('\n');
      return { type, path: payload.toString('utf8', 0, end), content: payload.subarray(end + 1) };
    }
    case 'lease':
      return { type, ...(JSON.parse(payload.toString()) as { lease: number; seconds: number }) };
    case 'entries':
      return { type, entries: decodeEntries(payload) };
  }
}

function decodeEntries(payload: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < payload.length; ) {
    const keyEnd = at + entryHeaderBytes + payload.readUInt32LE(at);
    const end = keyEnd + payload.readUInt32LE(at + 4);
    entries.push({
      key: payload.toString('utf8', at + entryHeaderBytes, keyEnd),
      value: payload.subarray(keyEnd, end),
      lease: payload.readDoubleLE(at + 8),
      createRevision: 0,
      modRevision: 0,
    });
    at = end;
  }
  return entries;
}

export const damaged = (why: string, cause?: unknown) =>
  new BackupUnusable('damaged', `it is damaged: ${why}. Use another backup`, { cause });
