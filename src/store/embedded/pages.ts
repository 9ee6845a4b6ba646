// The pieces of LMDB's file that are read without LMDB: meta pages, descriptions of trees, the list of free pages.

import { readSync } from 'node:fs';

export interface TreeInfo {
  /** LMDB's flags for keys and values; this store uses the defaults. */
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  readonly root: number;
}

export interface Meta {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
  /** Whether all referenced pages were flushed before it was written. */
  readonly flushed: boolean;
  readonly free: TreeInfo;
  readonly main: TreeInfo;
}

const magic = 0xbeefc0de;
const version = 2;
const metaFlag = 8;
/** Of the flags of a tree, those about its keys and values; the list of free pages has numbers as keys. */
const keyFlags = 0xff;
const integerKey = 8;
const largestMap = 1n << 44n;
const metaAt = 24;
export const treeBytes = 48;
const freeAt = metaAt + 24;
const mainAt = freeAt + treeBytes;
const lastPageAt = mainAt + treeBytes;
const transactionAt = lastPageAt + 8;
const metaBytes = transactionAt + 16;
/** Set in the flags of a transaction that was committed before it was flushed. */
const overlappingSync = 0x1000;

/** Undefined without a valid meta at `offset`. The meta of flushed transactions has no header. */
export function readMeta(descriptor: number, offset: number, hasHeader = true): Meta | undefined {
  const bytes = Buffer.alloc(metaBytes);
  if (readSync(descriptor, bytes, 0, metaBytes, offset) < metaBytes) return undefined;
  const pageSize = bytes.readUInt32LE(freeAt);
  const isHeader =
    bytes.readUInt16LE(18) === metaFlag &&
    bytes.readUInt32LE(metaAt) === magic &&
    bytes.readUInt32LE(metaAt + 4) === version &&
    Number(bytes.readBigUInt64LE(0)) * pageSize === offset;
  const mapBytes = bytes.readBigUInt64LE(metaAt + 16);
  const isSound =
    pageSize >= 512 &&
    pageSize <= 65_536 &&
    (pageSize & (pageSize - 1)) === 0 &&
    mapBytes < largestMap &&
    mapBytes % BigInt(pageSize) === 0n &&
    (bytes.readUInt16LE(freeAt + 4) & keyFlags) === integerKey &&
    bytes.readUInt16LE(mainAt + 4) === 0;
  if (!isSound || (hasHeader && !isHeader)) return undefined;
  return {
    pageSize,
    lastPage: Number(bytes.readBigUInt64LE(lastPageAt)),
    transaction: Number(bytes.readBigUInt64LE(transactionAt)),
    flushed: !(bytes.readUInt16LE(freeAt + 4) & overlappingSync),
    free: treeOf(bytes.subarray(freeAt)),
    main: treeOf(bytes.subarray(mainAt)),
  };
}

export const treeOf = (bytes: Buffer): TreeInfo => ({
  flags: bytes.readUInt16LE(4) | bytes.readUInt32LE(0),
  depth: bytes.readUInt16LE(6),
  entries: Number(bytes.readBigUInt64LE(32)),
  root: Number(bytes.readBigUInt64LE(40)),
});

/**
 * The fault in the list of free pages, if any: a listed page that is in use would be overwritten, and one beyond the
 * end would grow the file without limit. A negative number is the length of the block that follows.
 */
export function checkFreeList(
  lists: readonly Buffer[],
  used: Uint8Array,
  lastPage: number,
  leakedPages: number,
): string | undefined {
  let beyond = 0;
  for (const list of lists) {
    if (list.length < 8 || list.length % 8 !== 0) return 'its list of free pages is invalid';
    const end = Math.min(8 * (1 + Number(list.readBigInt64LE(0))), list.length);
    for (let at = 8; at < end; at += 8) {
      let first = Number(list.readBigInt64LE(at));
      if (first === 0) continue;
      let count = 1;
      if (first < 0) {
        count = -first;
        at += 8;
        if (at >= end) break;
        first = Number(list.readBigInt64LE(at));
      }
      if (first < 2 || first + count - 1 > lastPage)
        return `its list of free pages names page ${first} of ${lastPage + 1}`;
      for (let page = first; page < first + count; page++)
        if (page >= used.length) beyond++;
        else if (used[page]) return `page ${page} is in use and in the list of free pages`;
    }
  }
  const missing = lastPage + 1 - used.length;
  return missing > beyond + leakedPages ? `it was cut off: it has ${used.length} pages of ${lastPage + 1}` : undefined;
}
